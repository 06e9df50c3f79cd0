"""Google's clients over gRPC, on connections that may die without a word.

A NAT forgets a connection, or an instance sleeps for longer than its peer waits: what is sent is
then taken, and nothing comes back until the call's time is up. gRPC would go on using it, and so
would each further try.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

import google.auth
import grpc
from google.api_core import exceptions
from grpc.experimental import ChannelOptions

# From one minute's poll to the next a connection lasts; Google and its NATs wait far longer.
_IDLE_SECONDS = 120
OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Each document that is read is a message of a stream: without a thread for each stream,
    # reading takes half the CPU.
    (ChannelOptions.SingleThreadedUnaryStream, 1),
    # A ping every 30 s while there are calls, as Google's own clients do, and none without calls:
    # there would be nothing to save, and servers hang up on who pings too often.
    ("grpc.keepalive_time_ms", 30_000),
    # The first is how long TCP waits for an acknowledgement: less than a try of a call. By the
    # second gRPC waits for the answer to a ping (github.com/grpc/grpc/pull/39239).
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.client_idle_timeout_ms", _IDLE_SECONDS * 1_000),
    # Else a new channel would share the connection of the one that it is to replace.
    ("grpc.use_local_subchannel_pool", 1),
)


class Client(Protocol):
    """One of Google's, over gRPC."""

    @property
    def transport(self) -> Any: ...  # noqa: ANN401


C = TypeVar("C", bound=Client)


@dataclass(eq=False, slots=True)
class _Used(Generic[C]):
    client: C
    last: float  # when it was made, or a call on it ended
    calls: int = 0  # that run on it now


class Reconnecting(Generic[C]):
    """A client that a new one follows, on a new connection, once a call on it got no answer.

    Or once it was idle for long: gRPC hangs up then, but where an instance wakes up, a call may
    come before gRPC looks at its clock.

    Safe for threads. Calls that run on the old one go on; with the last of them it is closed.
    However many of them fail, one new client follows: a slow server sees few new connections.
    """

    def __init__(self, make: Callable[[], C], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._lock = Lock()
        self._newest = _Used(make(), clock())

    @contextmanager
    def client(self) -> Iterator[C]:
        """For one request, all of its answer included."""
        used = self._begin()
        try:
            yield used.client
        except exceptions.DeadlineExceeded:
            with self._lock:
                if used is self._newest:
                    self._renew()
            raise
        finally:
            self._end(used)

    def _begin(self) -> _Used[C]:
        with self._lock:
            known = self._newest
            if not known.calls and self._clock() - known.last > _IDLE_SECONDS:
                self._renew()
                known.client.transport.close()
            self._newest.calls += 1
            return self._newest

    def _renew(self) -> None:
        self._newest = _Used(self._make(), self._clock())

    def _end(self, used: _Used[C]) -> None:
        with self._lock:
            used.calls -= 1
            used.last = self._clock()
            over = used is not self._newest and not used.calls
        if over:
            used.client.transport.close()


def connect(
    client: Callable[..., C],
    transport: Any,  # noqa: ANN401  (Google's class)
    emulator: str = "",
    interceptors: Sequence[Any] = (),
) -> Reconnecting[C]:
    """Make a client of Google's over this transport; `interceptors` are for an emulator only."""
    if emulator:
        return Reconnecting(
            lambda: client(transport=transport(channel=_insecure(emulator, interceptors)))
        )
    # Found once: a network that is down must not look like credentials that are missing.
    credentials, _ = google.auth.default(default_scopes=transport.AUTH_SCOPES)
    opened = partial(transport, channel=partial(_secure, transport))
    return Reconnecting(lambda: client(credentials=credentials, transport=opened))


def _insecure(emulator: str, interceptors: Sequence[Any]) -> grpc.Channel:
    channel = grpc.insecure_channel(emulator, options=OPTIONS)
    return grpc.intercept_channel(channel, *interceptors) if interceptors else channel


def _secure(
    transport: Any,  # noqa: ANN401
    host: str,
    options: Sequence[tuple[str, Any]],
    **settings: Any,  # noqa: ANN401
) -> grpc.Channel:
    """What Google's own code would open, with our options after its own."""
    return transport.create_channel(host, options=[*options, *OPTIONS], **settings)
