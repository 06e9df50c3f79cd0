"""Dispatches the next messages of the keys whose messages a call has ended."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from smartlink.observability import WARNING, event
from smartlink.ports import Clock, Messages, PortError, Publisher
from smartlink.services.dispatch import Dispatch, batches, encode_dispatch
from smartlink.services.order import following, keys_of, wake


@dataclass(frozen=True, slots=True)
class Follow:
    """Publishes to the command's own topic; without a publisher the next sweep dispatches."""

    messages: Messages
    publisher: Publisher | None
    topic: str
    most: int  # messages of a dispatch
    clock: Clock

    def __call__(self, dispatch: Dispatch, keys: Sequence[str]) -> None:
        """Dispatches the messages of these keys whose turn has come. Raises Unavailable."""
        runs = following(self.messages, dispatch.tenant, keys, self.most) if keys else []
        if not runs:
            return
        next_ones = [replace(dispatch, messages=tuple(it)) for it in batches(runs, self.most)]
        try:
            if self.publisher is not None:
                envelopes = [encode_dispatch(it) for it in next_ones]
                self.publisher.publish(self.topic, envelopes)
                return
        except PortError as error:
            text = f"Not dispatched to {self.topic}, the sweep will do it: {error}"
            event("dispatch_failed", text, WARNING, command=dispatch.command)
        wake(self.messages, dispatch.tenant, keys_of(runs), self.clock())
