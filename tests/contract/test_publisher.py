"""Publishing: what is pulled is what was published, byte for byte."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import grpc
import pytest
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from smartlink.adapters.google.pubsub import PubSubPublisher
from smartlink.adapters.in_memory import InMemoryPublisher
from smartlink.ports import Envelope, NotFound, Publisher, Unavailable
from tests.contract.backends import AT_ONCE, BACKENDS

TOPIC = "sgdp-data"


@dataclass(frozen=True)
class Mail:
    """A publisher, and how to get everything that arrived so far: at least so many."""

    publisher: Publisher
    arrived: Callable[[int], list[Envelope]]


def in_memory() -> Mail:
    publisher = InMemoryPublisher()
    return Mail(publisher, lambda _: [envelope for _, envelope in publisher.take()])


def emulated(host: str) -> Mail:
    project = f"contract-{uuid.uuid4().hex[:12]}"
    options = [("grpc.max_receive_message_length", -1)]
    channel = grpc.insecure_channel(host, options=options)
    topic, subscription = (
        f"projects/{project}/topics/{TOPIC}",
        f"projects/{project}/subscriptions/mailbox",
    )
    PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=topic)
    subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    subscriber.create_subscription(name=subscription, topic=topic)

    def arrived(least: int) -> list[Envelope]:
        found: list[Envelope] = []
        while len(found) < least:
            request = {"subscription": subscription, "max_messages": 1_000}
            answer = subscriber.pull(request=request, timeout=30)
            ids = [item.ack_id for item in answer.received_messages]
            subscriber.acknowledge(subscription=subscription, ack_ids=ids)
            messages = [item.message for item in answer.received_messages]
            found += [Envelope(bytes(item.data), dict(item.attributes)) for item in messages]
        return found

    return Mail(PubSubPublisher(project, emulator=host, patience=AT_ONCE), arrived)


@pytest.fixture(params=BACKENDS)
def mail(request: pytest.FixtureRequest) -> Mail:
    if request.param == "in-memory":
        return in_memory()
    return emulated(request.getfixturevalue("pubsub_host"))


def same(found: Sequence[Envelope], wanted: Sequence[Envelope]) -> bool:
    def key(envelope: Envelope) -> tuple[bytes, list[tuple[str, str]]]:
        return envelope.data, sorted(envelope.attributes.items())

    return sorted(map(key, found)) == sorted(map(key, wanted))


def test_bytes_and_attributes_arrive(mail: Mail) -> None:
    envelopes = [
        Envelope(bytes(range(256)), {"tenant": "acme", "tick": "2025-03-09T12:30:15.123457Z"}),
        Envelope("👩‍💻 é".encode(), {"odd": "é \" '"}),
        Envelope(b"only data", {}),
    ]
    mail.publisher.publish(TOPIC, envelopes)
    assert same(mail.arrived(3), envelopes)


def test_more_messages_than_a_request_may_hold_arrive(mail: Mail) -> None:
    envelopes = [Envelope(b"%d" % number, {}) for number in range(1_200)]
    mail.publisher.publish(TOPIC, envelopes)
    assert same(mail.arrived(1_200), envelopes)


def test_more_bytes_than_a_request_may_hold_arrive(mail: Mail) -> None:
    envelopes = [Envelope(bytes([number]) * 1_048_576, {}) for number in range(12)]
    mail.publisher.publish(TOPIC, envelopes)
    assert same(mail.arrived(12), envelopes)


def test_publishing_nothing_is_no_call(mail: Mail) -> None:
    mail.publisher.publish(TOPIC, [])
    assert mail.arrived(0) == []


def test_a_topic_that_is_missing_is_refused(pubsub_host: str) -> None:
    publisher = PubSubPublisher("contract-none", emulator=pubsub_host, patience=AT_ONCE)
    with pytest.raises(NotFound, match="publish to sgdp-data"):
        publisher.publish(TOPIC, [Envelope(b"x", {})])


def test_a_pubsub_that_is_away_is_unavailable() -> None:
    """Nothing listens on port 1."""
    publisher = PubSubPublisher("contract-none", emulator="127.0.0.1:1", patience=AT_ONCE)
    with pytest.raises(Unavailable, match="publish to sgdp-data: ServiceUnavailable"):
        publisher.publish(TOPIC, [Envelope(b"x", {})])
