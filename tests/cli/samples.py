"""The messages that the command line's tests are about: they differ in id and command."""

from smartlink.domain.message import Message
from tests.support import samples
from tests.support.samples import NEVER, NOW, dead, done, line, waiting

__all__ = ["NEVER", "NOW", "dead", "done", "line", "pending", "waiting"]


def pending(
    identity: str, command: str = "SGDPDataCommand", text: str = '{"requestID": "r-1"}'
) -> Message:
    return samples.pending(identity, text, command)
