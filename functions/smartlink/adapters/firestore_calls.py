"""The few calls to Firestore that the relay makes, each with bounded tries.

They go from raw protobuf to gRPC: the channel is that of Google's client, the client itself is
not used, as it wraps each document that is read into objects of its own.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.api_core import exceptions
from google.api_core.gapic_v1.routing_header import to_grpc_metadata
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport
from google.cloud.firestore_v1.services.firestore.transports.base import DEFAULT_CLIENT_INFO
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
_SERVICE = "/google.firestore.v1.Firestore/"
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


Fill = Callable[[Raw], None]
"""Makes one write of a request: see `firestore_writes`."""


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
        self._channel = _channel(emulator, interceptors)
        # The emulator lets its owner past the security rules, as IAM does in production.
        owner = (("authorization", "Bearer owner"),) if emulator else ()
        self._metadata = (*owner, DEFAULT_CLIENT_INFO.to_grpc_metadata())
        self._patience = patience
        self._commit = self._unary("Commit", types.CommitRequest, types.CommitResponse)
        self._batch = self._unary("BatchWrite", types.BatchWriteRequest, types.BatchWriteResponse)
        self._list = self._unary(
            "ListDocuments", types.ListDocumentsRequest, types.ListDocumentsResponse
        )
        self._get = self._stream(
            "BatchGetDocuments", types.BatchGetDocumentsRequest, types.BatchGetDocumentsResponse
        )
        self._query = self._stream("RunQuery", types.RunQueryRequest, types.RunQueryResponse)

    def write_each(self, what: str, fills: Iterable[Fill]) -> list[Version | None]:
        """Apply each write by itself; None where its precondition does not hold.

        A write that keeps failing for a passing reason is no conflict, and it has no version:
        so the call raises Unavailable, though others may have been applied. Likewise Refused.
        """
        tries = Tries(self._patience)
        request = self._writing(types.BatchWriteRequest, fills)
        versions: list[Version | None] = [None] * len(request.writes)
        pending = list(range(len(request.writes)))
        refused: list[str] = []
        while pending:
            again = []
            for chunk, part in self._parts(request, pending):
                response = self._call(what, self._batch, part, "database", tries)
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
                message = (
                    f"{what}: {len(pending)} of {len(request.writes)} writes failed at every try"
                )
                raise Unavailable(message)
        if refused:
            raise Refused(refused[0])
        return versions

    def _writing(self, kind: Any, fills: Iterable[Fill]) -> Raw:  # noqa: ANN401  (a request's type)
        request = kind.pb()(database=self._database)
        writes = request.writes
        for fill in fills:
            fill(writes.add())
        return request

    def _parts(self, request: Raw, pending: list[int]) -> Iterator[tuple[list[int], Raw]]:
        """The pending writes in requests that Firestore takes: mostly in the one they are in."""
        most, most_bytes = LIMITS.writes, LIMITS.request - 1_024
        writes = request.writes
        if len(pending) == len(writes) <= most and request.ByteSize() <= most_bytes:
            yield pending, request
            return
        sized = batches(
            pending,
            lambda index: int(writes[index].ByteSize()) + _OVERHEAD,
            most=most,
            most_bytes=most_bytes,
        )
        for chunk in sized:
            part = type(request)(database=self._database)
            part.writes.extend(writes[index] for index in chunk)
            yield chunk, part

    def commit(self, what: str, fills: Iterable[Fill]) -> None:
        """Apply all writes or none. Raises Conflict when a precondition does not hold."""
        request = self._writing(types.CommitRequest, fills)
        if not request.writes:
            return
        try:
            self._call(what, self._commit, request, "database", Tries(self._patience))
        except (Unavailable, Refused) as error:
            if not isinstance(error.__cause__, _CONFLICTS):
                raise
            raise Conflict(str(error)) from error

    def get(self, what: str, names: Sequence[str]) -> Iterator[Found]:
        """Read those of the documents that exist, in any order."""
        for start in range(0, len(names), _GET_AT_ONCE):
            request = types.BatchGetDocumentsRequest.pb()(
                database=self._database, documents=names[start : start + _GET_AT_ONCE]
            )
            tries = Tries(self._patience)
            for answer in self._call(what, self._get, request, "database", tries):
                if answer.HasField("found"):
                    yield _found(answer.found)

    def query(self, what: str, parent: str, query: Raw) -> list[Found]:
        """Run a query over a collection under `parent`."""
        request = types.RunQueryRequest.pb()(parent=parent, structured_query=query)
        answers = self._call(what, self._query, request, "parent", Tries(self._patience))
        return [_found(answer.document) for answer in answers if answer.HasField("document")]

    def ids(self, what: str, collection: str) -> Iterator[str]:
        """List the ids of a collection's documents, nothing else of them."""
        request = types.ListDocumentsRequest.pb()(
            parent=self.root, collection_id=collection, page_size=_PAGE
        )
        request.mask.SetInParent()  # of no field
        while True:
            page = self._call(what, self._list, request, "parent", Tries(self._patience))
            for document in page.documents:
                yield document.name.rpartition("/")[2]
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    # `routed` is the request's field by which Google's front end finds the database.

    def _call(
        self,
        what: str,
        method: Callable[..., Any],
        request: Raw,
        routed: str,
        tries: Tries,
    ) -> Any:  # noqa: ANN401
        routing = to_grpc_metadata(((routed, getattr(request, routed)),))
        metadata = (*self._metadata, routing)

        def once(timeout: float) -> Any:  # noqa: ANN401
            try:
                return method(request, timeout=timeout, metadata=metadata)
            except grpc.RpcError as error:
                raise exceptions.from_grpc_error(error) from error

        return call(what, once, tries)

    def _unary(self, name: str, request: Any, answer: Any) -> Callable[..., Any]:  # noqa: ANN401
        method: Callable[..., Any] = self._channel.unary_unary(
            _SERVICE + name, request.pb().SerializeToString, answer.pb().FromString
        )
        return method

    def _stream(self, name: str, request: Any, answer: Any) -> Callable[..., list[Any]]:  # noqa: ANN401
        """A stream is read within its try: it may break at any of its answers."""
        method = self._channel.unary_stream(
            _SERVICE + name, request.pb().SerializeToString, answer.pb().FromString
        )
        return lambda *args, **options: list(method(*args, **options))


def _found(document: Raw) -> Found:
    identity = document.name.rpartition("/")[2]
    return Found(identity, document.fields, _version(document.update_time))


def _channel(emulator: str, interceptors: Sequence[Any]) -> grpc.Channel:
    if not emulator:
        transport = FirestoreGrpcTransport(channel=_secure_channel, always_use_jwt_access=True)
        return transport.grpc_channel
    channel = grpc.insecure_channel(emulator, options=_OPTIONS)
    return grpc.intercept_channel(channel, *interceptors) if interceptors else channel


def _secure_channel(host: str, **settings: Any) -> grpc.Channel:  # noqa: ANN401
    return FirestoreGrpcTransport.create_channel(host, **settings | {"options": _OPTIONS})
