"""What a consumer's own HTTP calls need to know of the run that makes them."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from smartlink.consumer import FatalError

if TYPE_CHECKING:  # for the annotation alone: few consumers call anybody
    from requests import Session


@dataclass(frozen=True, slots=True)
class CallsOf:
    """The run of a message."""

    tenant: str
    document: str  # of the message: the same in each run
    traceparent: str
    time_left: Callable[[], float]  # seconds
    sent: dict[str, str] = field(default_factory=dict)
    """The hash of the body that was sent under each idempotency key."""


def nobody_is_called(
    calls: CallsOf,  # noqa: ARG001  (as MakeSession has it)
    key: str = "",  # noqa: ARG001
    *,
    timeout: float = 10,  # noqa: ARG001
    retries: int = 2,  # noqa: ARG001
) -> "Session":
    """Stands in where nothing is given that could call anybody."""
    message = "http: nobody can be called here"
    raise FatalError(message)


class MakeSession(Protocol):
    """Makes the session of `Context.http`."""

    def __call__(
        self, calls: CallsOf, key: str = "", *, timeout: float = 10, retries: int = 2
    ) -> "Session":
        """Makes one for this run and this name of an effect."""
        ...
