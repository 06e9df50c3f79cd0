"""Recall: what was dispatched for a name that is halted now is taken out of the dispatches' reach.

A dispatch names the version at which its messages may be claimed, or `Pendente` at the attempt
that it knows. Moved to `Aguardando` they are neither: its consumer claims none of them, and so
never takes up the other customer's credentials. It costs a message of a good name nothing, and a
recalled one no attempt: the sweep dispatches it again once the halt has ended.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from smartlink.domain import lifecycle
from smartlink.domain.identity import Direction
from smartlink.domain.message import State, Stored
from smartlink.observability import WARNING, event
from smartlink.ports import Clock, Messages, PortError
from smartlink.services.polling.tenant_poll import TenantPoll

_PAGE = 200
_EVER = datetime(9999, 1, 1, tzinfo=UTC)
LASTS = timedelta(minutes=15)
"""After the halt: what another process, which did not know of it yet, dispatched or handed back."""


class Recall:
    """Recalls a halted tenant's dispatches."""

    def __init__(self, messages: Messages, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock

    def __call__(self, poll: TenantPoll) -> None:
        """It never raises: the next tick recalls what this one could not."""
        halted, now = poll.state.halted, self._clock()
        if halted is None or now >= halted + LASTS:
            return
        number = 0
        try:
            for dispatched in self._pages(poll):
                changes = [Stored(lifecycle.recalled(it.message), it.version) for it in dispatched]
                versions = self._messages.swap(poll.name, changes) if changes else []
                number += sum(version is not None for version in versions)
        except PortError as error:
            event("recall_failed", f"The next tick goes on: {error}", WARNING)
        if number:
            poll.count("recalled", number)
            text = f"{number} messages wait, dispatched before the name was halted"
            event("dispatches_recalled", text, WARNING, messages=number)

    def _pages(self, poll: TenantPoll) -> Iterator[list[Stored]]:
        after = None
        while self._clock() < poll.deadline:
            page = self._messages.due(poll.name, _EVER, _PAGE, Direction.DOWNSTREAM, after=after)
            yield [it for it in page if it.message.state is State.PENDING]
            if page.returned < _PAGE and not page.cut:
                return
            after = page.end
