"""Recall: no consumer may run messages that were dispatched before their tenant's name was halted.

A consumer claims a message only at the version in the dispatch, or while it is `Pendente` at the
attempt in the dispatch. Recall moves the message to `Aguardando`. So no consumer claims it, and
none uses the other customer's credentials for it. A recall costs the message no attempt: the sweep
dispatches it again when the halt has ended.
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
"""How long after the halt to recall: a process that did not know of it may still dispatch."""


class Recall:
    """Recalls the dispatched messages of a halted tenant."""

    def __init__(self, messages: Messages, clock: Clock) -> None:
        self._messages = messages
        self._clock = clock

    def __call__(self, poll: TenantPoll) -> None:
        """Recalls them. It never raises PortError: the next tick recalls what this one could
        not."""
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
