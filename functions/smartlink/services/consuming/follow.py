"""Dispatches the next messages of the keys whose messages a call has ended.

None is dispatched while the tenant's name is halted: it would run with the credentials of another
customer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from smartlink.domain.message import Stored
from smartlink.observability import WARNING, event
from smartlink.ports import Clock, Messages, PortError, Publisher, TenantStates
from smartlink.services.dispatch import Dispatch, batches, encode_dispatch
from smartlink.services.order import following, keys_of, wake


@dataclass(frozen=True, slots=True)
class Follow:
    """Dispatches to the command's own function, or else leaves it to the next sweep."""

    messages: Messages
    states: TenantStates
    publisher: Callable[[], Publisher]  # few commands are ordered, and the others load no client
    topic: str
    most: int  # messages of a dispatch
    clock: Clock

    def __call__(self, dispatch: Dispatch, keys: Sequence[str]) -> None:
        """Dispatches the messages of these keys whose turn has come. Raises Unavailable."""
        runs = following(self.messages, dispatch.tenant, keys, self.most) if keys else []
        if runs and not self._published(dispatch, runs):
            wake(self.messages, dispatch.tenant, keys_of(runs), self.clock())

    def _published(self, dispatch: Dispatch, runs: Sequence[Stored]) -> bool:
        if self.states.states([dispatch.tenant])[dispatch.tenant].halted is not None:
            event("turns_wait", "The tenant's name is halted: what follows waits", WARNING)
            return False
        envelopes = [
            encode_dispatch(replace(dispatch, messages=tuple(batch)))
            for batch in batches(runs, self.most)
        ]
        try:
            self.publisher().publish(self.topic, envelopes)
        except PortError as error:
            text = f"Not dispatched to {self.topic}, the sweep will: {error}"
            event("dispatch_failed", text, WARNING, command=dispatch.command)
            return False
        return True
