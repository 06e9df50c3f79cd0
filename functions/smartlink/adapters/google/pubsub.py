"""Publishes many Pub/Sub messages in one request, without the usual client's threads and queues."""

from collections.abc import Sequence

from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.types import PublishRequest, PubsubMessage

from smartlink.adapters.google.failures import PATIENCE, Patience, Tries, batches, call
from smartlink.adapters.google.grpc_channel import connect
from smartlink.ports import Envelope, Publisher

_MESSAGES = 1_000  # in a request: Pub/Sub's limit
_BYTES = 9_000_000  # in a request: Pub/Sub takes 10 MB
_OVERHEAD = 32  # bytes of a message besides its data and attributes


class PubSubPublisher:
    """One client that threads may share. If the answer to a try is lost, a message may come
    twice."""

    def __init__(self, project: str, *, emulator: str = "", patience: Patience = PATIENCE) -> None:
        self._project = project
        self._client = connect(PublisherClient, PublisherGrpcTransport, emulator)
        self._patience = patience

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """If it raises Unavailable, some messages may have been published."""
        name = f"projects/{self._project}/topics/{topic}"
        for batch in batches(envelopes, _size, most=_MESSAGES, most_bytes=_BYTES):
            messages = [
                PubsubMessage(data=envelope.data, attributes=dict(envelope.attributes))
                for envelope in batch
            ]
            self._publish(topic, PublishRequest(topic=name, messages=messages))

    def _publish(self, topic: str, request: PublishRequest) -> None:
        def once(timeout: float) -> None:
            with self._client.client() as client:
                client.publish(request, retry=None, timeout=timeout)

        call(f"publish to {topic}", once, Tries(self._patience))


def _size(envelope: Envelope) -> int:
    names = sum(len(name) + len(value) for name, value in envelope.attributes.items())
    return len(envelope.data) + 4 * names + _OVERHEAD * (1 + len(envelope.attributes))


_: type[Publisher] = PubSubPublisher
