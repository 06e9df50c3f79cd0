"""Google's clients over gRPC, on channels with our options."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import grpc
from grpc.experimental import ChannelOptions

C = TypeVar("C")  # a client of Google's

OPTIONS = (
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Each document that is read is a message of a stream: without a thread for each stream,
    # reading takes half the CPU.
    (ChannelOptions.SingleThreadedUnaryStream, 1),
)


def connect(
    client: Callable[..., C],
    transport: Any,  # noqa: ANN401  (Google's class)
    emulator: str = "",
    interceptors: Sequence[Any] = (),
) -> C:
    """Make a client of Google's over this transport; `interceptors` are for an emulator only."""
    if emulator:
        return client(transport=transport(channel=_insecure(emulator, interceptors)))
    return client(transport=partial(transport, channel=partial(_secure, transport)))


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
