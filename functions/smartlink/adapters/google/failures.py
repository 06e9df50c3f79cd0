"""What every adapter to Google Cloud does alike: bounded tries, and errors translated once.

The clients' own retries are switched off: they go on for a minute, and they would take the
answer to a second try (`ALREADY_EXISTS`) for the outcome of the first.
"""

import random
import re
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from google.api_core import exceptions
from google.auth.exceptions import GoogleAuthError, TransportError

from smartlink.ports import NotFound, PortError, Refused, Unavailable

T = TypeVar("T")
_TEXT_LIMIT = 300  # characters of Google's own words

_TOO_LARGE = re.compile(r"larger than max|exceeds (the )?max", re.IGNORECASE)
_TRANSIENT = (
    exceptions.ServerError,
    exceptions.TooManyRequests,
    exceptions.Aborted,
    exceptions.Cancelled,
    exceptions.RetryError,
    TransportError,
    OSError,  # requests' errors are such
)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one try of a call may take, how long all of them, and the waits between them.

    Each wait is drawn between none and its own most: callers that failed together, for they met
    in one document or one outage, do not come back together.
    """

    timeout: float = 10
    deadline: float = 25
    delays: tuple[float, ...] = (0.1, 0.3, 0.9, 2.7)


PATIENCE = Patience()


class Tries:
    """The tries of one call, however many requests it takes."""

    def __init__(
        self,
        patience: Patience = PATIENCE,
        draw: Callable[[], float] = random.random,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Let the time run."""
        self._patience = patience
        self._draw = draw
        self._sleep = sleep
        self._delays = iter(patience.delays)
        self._end = time.monotonic() + patience.deadline

    @property
    def timeout(self) -> float:
        """Seconds that the next request may take."""
        return max(min(self._patience.timeout, self._end - time.monotonic()), 0.1)

    def again(self) -> bool:
        """Wait for the next try; False when there is none left."""
        most = next(self._delays, None)
        if most is None or time.monotonic() + most >= self._end:
            return False
        self._sleep(most * self._draw())
        return True


def call(
    what: str,
    request: Callable[[float], T],
    tries: Tries,
    passing: tuple[type[Exception], ...] = (),
) -> T:
    """Make a request, that takes its time-out, until it is answered or the tries are used up.

    `passing` are errors that may pass of this service, besides those that may of any.
    """
    while True:
        try:
            return request(tries.timeout)
        except (exceptions.GoogleAPIError, GoogleAuthError, OSError) as error:
            problem = translated(what, error, passing)
            if not isinstance(problem, Unavailable) or not tries.again():
                raise problem from error


def translated(what: str, error: Exception, passing: tuple[type[Exception], ...] = ()) -> PortError:
    """Answer the port's error for one of Google's: it names the call, never what was sent."""
    text = f"{what}: {_words(error)}"
    # gRPC's own limit has the code of an exhausted quota, but no wait makes a request smaller.
    transient = isinstance(error, (*_TRANSIENT, *passing)) or getattr(error, "retryable", False)
    if transient and not _TOO_LARGE.search(text):
        return Unavailable(text)
    if isinstance(error, exceptions.NotFound):
        return NotFound(text)
    return Refused(text)


def _words(error: Exception) -> str:
    if isinstance(error, exceptions.GoogleAPICallError):
        # Over REST the message repeats the URL, which holds names only.
        return f"{type(error).__name__}: {str(error.message)[:_TEXT_LIMIT]}"
    # A library's exception may quote anything, a token's answer too: its kind must do.
    return type(error).__name__


def batches(
    items: Iterable[T], size: Callable[[T], int], *, most: int, most_bytes: int
) -> Iterator[list[T]]:
    """Split items, in their order, into lists that fit; one that is too large stands alone."""
    batch: list[T] = []
    total = 0
    for item in items:
        own = size(item)
        if batch and (len(batch) == most or total + own > most_bytes):
            yield batch
            batch, total = [], 0
        batch.append(item)
        total += own
    if batch:
        yield batch
