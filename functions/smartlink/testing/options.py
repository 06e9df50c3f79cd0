"""The options that a consumer's author gives to an examination."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from smartlink.consumer import MOST_REPLIES, MOST_REPLY_BYTES
from smartlink.testing.payloads import Content


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The limits of one message. `reply_bytes` limits all its replies together.

    What the relay itself cannot store with the message's end fails whatever they are.
    """

    replies: int = MOST_REPLIES
    reply_bytes: int = MOST_REPLY_BYTES
    lines: int = 99  # log lines; the relay drops those after the 99th
    leaked_bytes: int = 16_384  # kept in memory from message to message
    runs: int = 20  # for the checks of memory and threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the author says about the consumer's surroundings."""

    effects: Callable[[], object] | None = None
    """Returns a snapshot of all that the consumer changes outside: rows, files, calls of a fake."""
    reset: Callable[[], object] | None = None
    """Restores the outside before each scenario."""
    others: Sequence[Content] = ()
    """Further payloads that the consumer accepts, for the check of the order."""
    volatile: Collection[str] = ("generatedOn", "time")
    """Fields of replies, in any casing and depth, that may differ when a message is repeated."""
    ordered: str | bool = False
    """By what the catalogue orders the command: the check of the order keeps each key's order."""
    timeout: float = 10.0  # seconds: the command's `timeoutSeconds`
    limits: Limits = field(default_factory=Limits)
