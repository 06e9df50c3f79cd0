"""Lets a message wait for others that came before it: a mask for the data requests of its person.

    alive                      the message is handed back, no attempt is spent, and a sweep
                               brings it again after a minute
    dead, or unreadable        a person has to act first: the message fails this attempt and says so

It looks once, when it is called. What comes later, it does not see.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from smartlink.consumer import RetryableError
from smartlink.domain.identity import Direction
from smartlink.domain.message import Message, State, Unreadable
from smartlink.domain.payload import PayloadError, parse_payload
from smartlink.ports import ComesFirst, Contents, Messages, NotFound
from smartlink.services.contents import load

TOGETHER = timedelta(minutes=1)
"""What came less than this after the message came together with it."""

_MOST = 1_000  # messages of the command that are looked through


@dataclass(frozen=True, slots=True)
class AnsweredFirst:
    """What `Context.answered_first` calls."""

    messages: Messages
    contents: Contents

    def __call__(
        self, tenant: str, message: Message, command: str, fits: Callable[[object], bool]
    ) -> None:
        """See Context.answered_first. Raises ComesFirst where the message has to wait."""
        for number, found in enumerate(self.messages.of_command(tenant, command)):
            if number == _MOST:
                text = f"over {_MOST} messages of {command} are not answered yet: this one waits"
                raise RetryableError(text)
            if isinstance(found, Unreadable):
                text = (
                    f"{found.document} of {command} cannot be read ({found.why}), so it may have "
                    f"to be answered before this one: repair or discard it"
                )
                raise RetryableError(text)
            other = found.message
            if self._came_before(other, message) and self._fits(other, fits):
                _wait_for(other)

    def _came_before(self, other: Message, message: Message) -> bool:
        return (
            other.direction is Direction.DOWNSTREAM
            and other.document != message.document
            and other.received < message.received + TOGETHER
        )

    def _fits(self, other: Message, fits: Callable[[object], bool]) -> bool:
        """What cannot be parsed can never be answered, so nothing waits for it."""
        try:
            return fits(parse_payload(load(self.contents, other.content)).body)
        except (PayloadError, NotFound):
            return False


def _wait_for(other: Message) -> None:
    if other.state is State.DEAD:
        text = (
            f"the message {other.id} of {other.type} comes first, and it is dead "
            f"({other.dead_reason}): redrive or discard it, and then redrive this one if it has "
            f"no attempt left"
        )
        raise RetryableError(text)
    text = f"the message {other.id} of {other.type} is to be answered first"
    raise ComesFirst(text)
