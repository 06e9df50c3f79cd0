"""Pub/Sub: what is put into one request."""

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from google.pubsub_v1.types import PublishRequest, PubsubMessage

from smartlink.adapters.google import pubsub
from smartlink.ports import Envelope


class Requests:
    """The client's twin; it counts the messages of each request."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def client(self) -> AbstractContextManager["Requests"]:
        return nullcontext(self)

    def publish(self, request: PublishRequest, **_: object) -> None:
        self.sizes.append(len(request.messages))


def requests_of(envelopes: Sequence[Envelope], monkeypatch: pytest.MonkeyPatch) -> list[int]:
    requests = Requests()
    monkeypatch.setattr(pubsub, "connect", lambda *_: requests)
    pubsub.PubSubPublisher("project").publish("topic", envelopes)
    return requests.sizes


def test_a_request_has_as_many_messages_as_pubsub_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand, and never one more."""
    assert requests_of([Envelope(b"", {})] * 2_001, monkeypatch) == [1_000, 1_000, 1]


@pytest.mark.parametrize("data", [b"", b"x" * 200, b"x" * 100_000])
@pytest.mark.parametrize(
    "attributes", [{}, {"a": "b"}, {"tenant": "acme", "é" * 200: "👩" * 200}, {"n": ""}]
)
def test_a_message_takes_no_more_bytes_than_it_is_taken_to(
    data: bytes, attributes: dict[str, Any]
) -> None:
    """Pub/Sub refuses a request that is too large, whatever this process reckoned."""
    message = PubsubMessage(data=data, attributes=attributes)
    request = PublishRequest.pb(PublishRequest(messages=[message] * 10))
    size = pubsub._size(Envelope(data, attributes))  # noqa: SLF001
    assert request.ByteSize() <= 10 * size
