"""The few calls to Firestore that the relay makes, in raw protobuf, each with bounded tries."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import grpc
from google.api_core import exceptions
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore.client import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from grpc.experimental import ChannelOptions

from smartlink.adapters.firestore_values import Raw
from smartlink.adapters.google import PATIENCE, Patience, Tries, batches, call
from smartlink.domain.message import Version
from smartlink.ports import Conflict, Refused, Unavailable
from smartlink.settings import LIMITS

_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # Each document that is read is a message of a stream: without a thread for each stream,
    # reading takes half the CPU.
    (ChannelOptions.SingleThreadedUnaryStream, 1),
]
_OVERHEAD = 8  # bytes that a message takes more within another
_GET_AT_ONCE = 300  # documents: keeps a request and its answer small
_PAGE = 300

_OK = 0
_UNMET = frozenset(
    status.value[0]
    for status in (
        grpc.StatusCode.ALREADY_EXISTS,
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.NOT_FOUND,
    )
)
_TRANSIENT = frozenset(
    status.value[0]
    for status in (
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    )
)
_CONFLICTS = (
    exceptions.Aborted,
    exceptions.AlreadyExists,
    exceptions.FailedPrecondition,
    exceptions.NotFound,
)


@dataclass(frozen=True, slots=True)
class Found:
    """A document as it was read."""

    id: str
    fields: Raw
    version: Version


def _version(time: Raw) -> Version:
    return Version(f"{time.seconds}.{time.nanos:09d}")


class FirestoreCalls:
    """One client, safe for threads. `root` is the name under which all documents lie.

    A try whose answer was lost may have taken effect: the next one then meets its own writes,
    and finds them to exist or to be changed. Whoever calls has to read to know.
    """

    def __init__(
        self,
        project: str,
        database: str = "(default)",
        *,
        emulator: str = "",
        interceptors: Sequence[Any] = (),
        patience: Patience = PATIENCE,
    ) -> None:
        """Connect; `interceptors` are gRPC's, for the emulator only: tests count calls there."""
        self._database = f"projects/{project}/databases/{database}"
        self.root = f"{self._database}/documents"
        self._client = _client(emulator, interceptors)
        # The emulator lets its owner past the security rules, as IAM does in production.
        self._metadata = (("authorization", "Bearer owner"),) if emulator else ()
        self._patience = patience

    def write_each(self, what: str, writes: Sequence[Raw]) -> list[Version | None]:
        """Apply each write by itself; None where its precondition does not hold.

        A write that keeps failing for a passing reason is no conflict, and it has no version:
        so the call raises Unavailable, though others may have been applied. Likewise Refused.
        """
        tries = Tries(self._patience)
        versions: list[Version | None] = [None] * len(writes)
        pending = list(range(len(writes)))
        refused: list[str] = []
        while pending:
            again = []
            for chunk in self._chunks(writes, pending):
                response = self._batch_write(what, [writes[index] for index in chunk], tries)
                results = zip(chunk, response.status, response.write_results, strict=True)
                for index, status, result in results:
                    if status.code == _OK:
                        versions[index] = _version(result.update_time)
                    elif status.code in _TRANSIENT:
                        again.append(index)
                    elif status.code not in _UNMET:
                        refused.append(f"{what}: status {status.code}: {status.message[:300]}")
            pending = again
            if pending and not tries.again():
                message = f"{what}: {len(pending)} of {len(writes)} writes failed at every try"
                raise Unavailable(message)
        if refused:
            raise Refused(refused[0])
        return versions

    def _chunks(self, writes: Sequence[Raw], indexes: Iterable[int]) -> Iterator[list[int]]:
        return batches(
            indexes,
            lambda index: int(writes[index].ByteSize()) + _OVERHEAD,
            most=LIMITS.writes,
            most_bytes=LIMITS.request - 1_024,
        )

    def _batch_write(self, what: str, writes: list[Raw], tries: Tries) -> Raw:
        request = types.BatchWriteRequest.pb()(database=self._database)
        request.writes.extend(writes)
        wrapped = types.BatchWriteRequest.wrap(request)
        response = self._call(what, self._client.batch_write, wrapped, tries)
        return types.BatchWriteResponse.pb(response)

    def commit(self, what: str, writes: Sequence[Raw]) -> None:
        """Apply all writes or none. Raises Conflict when a precondition does not hold."""
        request = types.CommitRequest.pb()(database=self._database)
        request.writes.extend(writes)
        wrapped = types.CommitRequest.wrap(request)
        try:
            self._call(what, self._client.commit, wrapped, Tries(self._patience))
        except (Unavailable, Refused) as error:
            if not isinstance(error.__cause__, _CONFLICTS):
                raise
            raise Conflict(str(error)) from error

    def get(self, what: str, names: Sequence[str]) -> Iterator[Found]:
        """Read those of the documents that exist, in any order."""
        for start in range(0, len(names), _GET_AT_ONCE):
            request = types.BatchGetDocumentsRequest(
                database=self._database, documents=names[start : start + _GET_AT_ONCE]
            )
            tries = Tries(self._patience)
            for answer in self._call(what, self._stream_get, request, tries):
                document = types.BatchGetDocumentsResponse.pb(answer).found
                if document.name:
                    yield _found(document)

    def query(self, what: str, parent: str, query: Raw) -> list[Found]:
        """Run a query over a collection under `parent`."""
        request = types.RunQueryRequest.pb()(parent=parent)
        request.structured_query.CopyFrom(query)
        wrapped = types.RunQueryRequest.wrap(request)
        answers = self._call(what, self._stream_query, wrapped, Tries(self._patience))
        documents = [types.RunQueryResponse.pb(answer).document for answer in answers]
        return [_found(document) for document in documents if document.name]

    def ids(self, what: str, collection: str) -> Iterator[str]:
        """List the ids of a collection's documents, nothing else of them."""
        token = ""
        while True:
            request = types.ListDocumentsRequest(
                parent=self.root,
                collection_id=collection,
                page_size=_PAGE,
                page_token=token,
                mask=types.DocumentMask(),
            )
            page = self._call(what, self._first_page, request, Tries(self._patience))
            for document in page.documents:
                yield document.name.rpartition("/")[2]
            token = page.next_page_token
            if not token:
                return

    # A stream is read within its try: it may break at any of its answers.

    def _stream_get(self, **options: Any) -> list[Any]:  # noqa: ANN401  (GAPIC's own)
        return list(self._client.batch_get_documents(**options))

    def _stream_query(self, **options: Any) -> list[Any]:  # noqa: ANN401
        return list(self._client.run_query(**options))

    def _first_page(self, **options: Any) -> Any:  # noqa: ANN401
        return next(iter(self._client.list_documents(**options).pages))

    def _call(self, what: str, method: Callable[..., Any], request: object, tries: Tries) -> Any:  # noqa: ANN401
        def once(timeout: float) -> Any:  # noqa: ANN401
            return method(request=request, retry=None, timeout=timeout, metadata=self._metadata)

        return call(what, once, tries)


def _found(document: Raw) -> Found:
    identity = document.name.rpartition("/")[2]
    return Found(identity, document.fields, _version(document.update_time))


def _client(emulator: str, interceptors: Sequence[Any]) -> FirestoreClient:
    if not emulator:
        return FirestoreClient(transport=partial(FirestoreGrpcTransport, channel=_channel))
    channel = grpc.insecure_channel(emulator, options=_OPTIONS)
    if interceptors:
        channel = grpc.intercept_channel(channel, *interceptors)
    return FirestoreClient(transport=FirestoreGrpcTransport(channel=channel))


def _channel(host: str, **settings: Any) -> Any:  # noqa: ANN401
    return FirestoreGrpcTransport.create_channel(host, **settings | {"options": _OPTIONS})
