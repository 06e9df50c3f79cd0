"""Calls Google Cloud for all its adapters: with bounded tries, and with errors translated once.

The clients' own retries are switched off. They go on for a minute, and they take the answer to a
second try (`ALREADY_EXISTS`, say) for the outcome of the first.
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
    OSError,  # the errors of requests are OSErrors
)


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds that one try may take, that all tries may take, and that each wait may last at most.

    Each wait is a random part of its longest. So callers that failed together, by one document or
    one outage, do not try again together.
    """

    timeout: float = 10
    deadline: float = 25
    delays: tuple[float, ...] = (0.1, 0.3, 0.9, 2.7)


PATIENCE = Patience()


class Tries:
    """The tries of one call, which may take several requests."""

    def __init__(
        self,
        patience: Patience = PATIENCE,
        draw: Callable[[], float] = random.random,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        """Starts the time."""
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
        """Waits for the next try; returns False if there is none left."""
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
    """Repeats a request until it is answered or no try is left. Raises PortError.

    `request` gets its time-out in seconds. `passing` are further errors after which this service
    may work later.
    """
    while True:
        try:
            return request(tries.timeout)
        except (exceptions.GoogleAPIError, GoogleAuthError, OSError) as error:
            problem = translated(what, error, passing)
            if not isinstance(problem, Unavailable) or not tries.again():
                raise problem from error


def translated(what: str, error: Exception, passing: tuple[type[Exception], ...] = ()) -> PortError:
    """Returns the port's error for Google's error. Its text names the call, never what was sent."""
    text = f"{what}: {_words(error)}"
    # gRPC reports a request that is too large as an exhausted quota, but a wait does not help.
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
    # A library's exception may quote anything, even a token's answer: only its type is told.
    return type(error).__name__


def batches(
    items: Iterable[T], size: Callable[[T], int], *, most: int, most_bytes: int
) -> Iterator[list[T]]:
    """Splits items, in their order, into lists that fit; one that is too large is alone in its
    list."""
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
