"""Dispatches the next steps of works right after the commit that stored them.

It saves a work the wait for the next poll, and nothing depends on it: a step that is not dispatched
here is due when its grace is over, as a lost dispatch is. None is dispatched while the tenant's
name is halted: it would run with the credentials of another customer.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from smartlink.domain.message import State
from smartlink.observability import ERROR, WARNING, event, surprise
from smartlink.ports import Messages, PortError, Publisher, TenantStates
from smartlink.services.dispatch import Dispatch, batches, encode_dispatch


@dataclass(frozen=True, slots=True)
class NextSteps:
    """Dispatches them to the command's own function."""

    messages: Messages
    states: TenantStates
    publisher: Callable[[], Publisher]  # few consumers continue, and the others load no client
    topic: str
    grace: timedelta  # how long a dispatch may stay unclaimed
    most: int  # messages in one dispatch

    def __call__(self, dispatch: Dispatch, documents: Sequence[str]) -> None:
        """Dispatches these documents as their predecessors were. It never raises."""
        try:
            self._publish(dispatch, documents)
        except PortError as error:
            text = f"Not dispatched to {self.topic}, the sweep will: {error}"
            event("dispatch_failed", text, ERROR, command=dispatch.command)
        except Exception as error:  # noqa: BLE001  (the outcomes of others are to be settled yet)
            text = "Next steps are not dispatched, the sweep will"
            surprise("dispatch_failed", text, error, command=dispatch.command)

    def _publish(self, dispatch: Dispatch, documents: Sequence[str]) -> None:
        state = self.states.states([dispatch.tenant])[dispatch.tenant]
        if state.halted is not None:
            event("next_step_waits", "The tenant's name is halted: its next steps wait", WARNING)
            return
        found = self.messages.read(dispatch.tenant, documents)
        pending = [it for it in found.values() if it.message.state is State.PENDING]
        envelopes = [
            encode_dispatch(replace(dispatch, messages=tuple(batch)))
            for batch in batches(pending, self.most)
        ]
        if envelopes:
            self.publisher().publish(self.topic, envelopes)
