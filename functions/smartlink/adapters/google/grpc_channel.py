"""Connects Google's clients over gRPC, and replaces connections that have died silently.

A NAT may forget a connection, or an instance may sleep for longer than its peer waits. Then a call
can still be sent, but no answer comes until the call's time is up. gRPC would use the dead
connection for the next try too.
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

# A connection lasts from one minute's poll to the next. Google and its NATs wait far longer.
_IDLE_SECONDS = 120
OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Each document that is read is a message of a stream. If gRPC starts no thread for a stream,
    # reading takes half the CPU.
    (ChannelOptions.SingleThreadedUnaryStream, 1),
    # gRPC pings every 30 s while calls run, as Google's own clients do. It does not ping without
    # calls, because servers hang up on clients that ping too often.
    ("grpc.keepalive_time_ms", 30_000),
    # The first is how long TCP waits for an acknowledgement: less than a try of a call. The
    # second is how long gRPC waits for a ping's answer (github.com/grpc/grpc/pull/39239).
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.http2.ping_timeout_ms", 10_000),
    ("grpc.client_idle_timeout_ms", _IDLE_SECONDS * 1_000),
    # Without this a new channel would share the connection of the channel that it replaces.
    ("grpc.use_local_subchannel_pool", 1),
)


class Client(Protocol):
    """A client of Google's over gRPC."""

    @property
    def transport(self) -> Any: ...  # noqa: ANN401


C = TypeVar("C", bound=Client)


@dataclass(eq=False, slots=True)
class _Used(Generic[C]):
    client: C
    last: float  # when the client was made, or its last call ended
    calls: int = 0  # how many calls run on it now


class Reconnecting(Generic[C]):
    """Replaces its client, and so the connection, after a call got no answer or after a long idle
    time.

    gRPC closes idle connections itself; but when an instance wakes up, a call may come before gRPC
    looks at its clock.

    Threads may share it. Calls on the old client go on, and the last of them closes it. If several
    of them fail, they are followed by one new client, so a slow server sees few new connections.
    """

    def __init__(self, make: Callable[[], C], clock: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._clock = clock
        self._lock = Lock()
        self._newest = _Used(make(), clock())

    @contextmanager
    def client(self) -> Iterator[C]:
        """Gives the client for one request; the block must read the whole answer."""
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
    """Makes a client of Google's over this transport; `interceptors` work with an emulator only."""
    if emulator:
        return Reconnecting(
            lambda: client(transport=transport(channel=_insecure(emulator, interceptors)))
        )
    # Only once, so that a later failure of the network does not look like missing credentials.
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
    """Opens the channel as Google's own code does, with our options after its own."""
    return transport.create_channel(host, options=[*options, *OPTIONS], **settings)
