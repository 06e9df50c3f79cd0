"""The few calls to Firestore that the relay makes, each with bounded tries.

They use Google's lower client and raw protobuf messages, because the usual client and the wrappers
of its messages would make further objects of each document.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import grpc
from google.api_core import exceptions
from google.cloud.firestore_v1 import types
from google.cloud.firestore_v1.services.firestore import FirestoreClient
from google.cloud.firestore_v1.services.firestore.transports import FirestoreGrpcTransport

from smartlink.adapters.firestore.values import Raw
from smartlink.adapters.google.failures import PATIENCE, Patience, Tries, batches, call
from smartlink.adapters.google.grpc_channel import connect
from smartlink.domain.message import Version
from smartlink.ports import Conflict, PartlyRefused, Refused, Unavailable
from smartlink.settings import LIMITS

_OVERHEAD = 8  # bytes that a message takes besides its own when it is inside another
_GET_AT_ONCE = 300  # documents in a request, so that its answer stays small
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
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.UNKNOWN,
    )
)
# These errors say nothing about the request: the database refuses every request of this account.
# Its role was removed by mistake, or is not known everywhere yet, or its key is being replaced.
_PASSING = (exceptions.Unauthenticated, exceptions.PermissionDenied)
_CONFLICTS = (
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
    name: str  # the whole name

    @property
    def tenant(self) -> str:
        """The tenant whose it is, if it is of a tenant."""
        return self.name.rsplit("/", 3)[1]


Fill = Callable[[Raw], None]
"""A function that fills in one write of a request (see writes.py)."""


def _version(time: Raw) -> Version:
    return Version(f"{time.seconds}.{time.nanos:09d}")


class FirestoreCalls:
    """One client that threads may share. The names of all documents begin with `root`.

    A try may take effect although its answer is lost. The next try then finds that the documents
    exist or have changed, because of the first. So the caller has to read them to know.
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
        """Connects. `interceptors` are gRPC's and work with the emulator only; tests count
        calls."""
        self._database = f"projects/{project}/databases/{database}"
        self.root = f"{self._database}/documents"
        self._client = connect(FirestoreClient, FirestoreGrpcTransport, emulator, interceptors)
        # The emulator lets its owner past the security rules, as IAM does in production.
        self._metadata = (("authorization", "Bearer owner"),) if emulator else ()
        self._patience = patience

    def write_each(self, what: str, fills: Iterable[Fill]) -> list[Version | None]:
        """Applies each write by itself; returns its new version, or None if its precondition fails.

        Raises Unavailable if a write fails at every try for a passing reason; other writes may have
        been applied. Raises PartlyRefused if the database refuses some writes for good; all others
        have been applied.
        """
        tries = Tries(self._patience)
        request = self._writing(types.BatchWriteRequest.pb()(), fills)
        versions: list[Version | None] = [None] * len(request.writes)
        pending = list(range(len(request.writes)))
        refused: dict[int, str] = {}
        alone = False
        while pending:
            again, divided = [], False
            for chunk, part in self._parts(request, pending, alone):
                wrapped = types.BatchWriteRequest.wrap(part)
                try:
                    answer = self._call(what, FirestoreClient.batch_write, wrapped, tries)
                except Refused as error:  # one malformed write has all refused
                    if len(chunk) == 1:
                        refused[chunk[0]] = str(error)
                    else:
                        divided = True
                        again += chunk
                    continue
                response = types.BatchWriteResponse.pb(answer)
                again += _sorted_out(what, chunk, response, versions, refused)
            pending, alone = again, alone or divided
            if pending and not divided and not tries.again():
                message = (
                    f"{what}: {len(pending)} of {len(request.writes)} writes failed at every try"
                )
                raise Unavailable(message)
        if refused:
            raise PartlyRefused(versions, refused)
        return versions

    def _writing(self, request: Raw, fills: Iterable[Fill]) -> Raw:
        request.database = self._database
        writes = request.writes
        for fill in fills:
            fill(writes.add())
        return request

    def _parts(
        self,
        request: Raw,
        pending: list[int],
        alone: bool,  # noqa: FBT001
    ) -> Iterator[tuple[list[int], Raw]]:
        """Yields the pending writes in requests of a size that Firestore takes.

        Mostly that is the request in which they are already.
        """
        most, most_bytes = LIMITS.writes, LIMITS.request - 1_024
        writes = request.writes
        if not alone and len(pending) == len(writes) <= most and request.ByteSize() <= most_bytes:
            yield pending, request
            return
        sized = batches(
            pending,
            lambda index: int(writes[index].ByteSize()) + _OVERHEAD,
            most=most,
            most_bytes=most_bytes,
        )
        for chunk in [[index] for index in pending] if alone else sized:
            part = type(request)(database=self._database)
            part.writes.extend(writes[index] for index in chunk)
            yield chunk, part

    def commit(self, what: str, fills: Iterable[Fill]) -> list[Version]:
        """Applies all writes or none; returns their new versions. Raises Conflict if a precondition
        does not hold.

        `ABORTED` is no conflict: others wrote the same documents, and nothing was applied.
        """
        request = self._writing(types.CommitRequest.pb()(), fills)
        if not request.writes:
            return []
        wrapped = types.CommitRequest.wrap(request)
        try:
            answer = self._call(what, FirestoreClient.commit, wrapped, Tries(self._patience))
        except (Unavailable, Refused) as error:
            if not isinstance(error.__cause__, _CONFLICTS):
                raise
            raise Conflict(str(error)) from error
        response = types.CommitResponse.pb(answer)
        return [_version(result.update_time) for result in response.write_results]

    def get(
        self, what: str, names: Sequence[str], fields: Sequence[str] | None = None
    ) -> Iterator[Found]:
        """Reads the documents that exist, in any order; only these `fields` of them, if given."""
        mask = None if fields is None else types.DocumentMask(field_paths=fields)
        for start in range(0, len(names), _GET_AT_ONCE):
            request = types.BatchGetDocumentsRequest(
                database=self._database, documents=names[start : start + _GET_AT_ONCE], mask=mask
            )
            for wrapped in self._read(what, FirestoreClient.batch_get_documents, request):
                answer = types.BatchGetDocumentsResponse.pb(wrapped)
                if answer.HasField("found"):
                    yield _found(answer.found)

    def query(self, what: str, parent: str, query: Raw) -> list[Found]:
        """Runs a query over a collection under `parent`."""
        return self.query_page(what, parent, query, None)[0]

    def query_page(
        self, what: str, parent: str, query: Raw, most_bytes: int | None
    ) -> tuple[list[Found], bool]:
        """Runs a query, and stops reading after `most_bytes`; tells also whether it stopped."""
        raw = types.RunQueryRequest.pb()(parent=parent, structured_query=query)
        request = types.RunQueryRequest.wrap(raw)

        def read(*args: Any, **options: Any) -> tuple[list[Found], bool]:  # noqa: ANN401
            found: list[Found] = []
            size = 0
            stream: Any = FirestoreClient.run_query(*args, **options)
            for wrapped in stream:
                answer = types.RunQueryResponse.pb(wrapped)
                if answer.HasField("document"):
                    found.append(_found(answer.document))
                    size += answer.document.ByteSize() if most_bytes else 0
                if most_bytes and size >= most_bytes:
                    stream.cancel()
                    return found, True
            return found, False

        page: tuple[list[Found], bool] = self._call(what, read, request, Tries(self._patience))
        return page

    def count(self, what: str, parent: str, query: Raw, most: int = 0) -> int:
        """Counts what a query finds, up to `most` if it is given. Each 1,000 cost one read."""

        def add(aggregations: Raw) -> None:
            count = aggregations.add(alias="all").count
            count.SetInParent()
            if most:
                count.up_to.value = most

        values, _ = self.aggregate(what, parent, query, add)
        return values["all"]

    def aggregate(
        self,
        what: str,
        parent: str,
        query: Raw,
        add: Callable[[Raw], None],
        at: Raw | None = None,
    ) -> tuple[Mapping[str, int], Raw]:
        """Computes what `add` asks for over what a query finds, or found `at` an instant; returns
        the values by alias, and the instant."""
        raw = types.RunAggregationQueryRequest.pb()(parent=parent, read_time=at)
        aggregation = raw.structured_aggregation_query
        aggregation.structured_query.CopyFrom(query)
        add(aggregation.aggregations)
        request = types.RunAggregationQueryRequest.wrap(raw)
        [wrapped] = self._read(what, FirestoreClient.run_aggregation_query, request)
        answer = types.RunAggregationQueryResponse.pb(wrapped)
        values = answer.result.aggregate_fields.items()
        return {alias: int(value.integer_value) for alias, value in values}, answer.read_time

    def ids(self, what: str, collection: str) -> Iterator[str]:
        """Lists the ids of a collection's documents, and reads no field of them."""
        request = types.ListDocumentsRequest(
            parent=self.root,
            collection_id=collection,
            page_size=_PAGE,
            mask=types.DocumentMask(),  # of no field
        )
        while True:
            wrapped = self._call(what, _page, request, Tries(self._patience))
            page = types.ListDocumentsResponse.pb(wrapped)
            for document in page.documents:
                yield document.name.rpartition("/")[2]
            request.page_token = page.next_page_token
            if not request.page_token:
                return

    def _read(self, what: str, method: Callable[..., Any], request: Any) -> list[Any]:  # noqa: ANN401
        """Reads a whole stream within one try, because a stream may break at any of its answers."""

        def read(*args: Any, **options: Any) -> list[Any]:  # noqa: ANN401
            return list(method(*args, **options))

        answers: list[Any] = self._call(what, read, request, Tries(self._patience))
        return answers

    def _call(self, what: str, method: Callable[..., Any], request: Any, tries: Tries) -> Any:  # noqa: ANN401
        def once(timeout: float) -> Any:  # noqa: ANN401
            with self._client.client() as client:
                return method(client, request, retry=None, timeout=timeout, metadata=self._metadata)

        return call(what, once, tries, _PASSING)


def _page(client: FirestoreClient, request: types.ListDocumentsRequest, **options: Any) -> Any:  # noqa: ANN401
    """Reads only the first page. The client's pager would read the next ones without our tries."""
    return next(client.list_documents(request, **options).pages)


def _sorted_out(
    what: str,
    chunk: list[int],
    response: Raw,
    versions: list[Version | None],
    refused: dict[int, str],
) -> list[int]:
    """Notes how each write went; returns the places of the writes to try again."""
    again = []
    for index, status, result in zip(chunk, response.status, response.write_results, strict=True):
        if status.code == _OK:
            versions[index] = _version(result.update_time)
        elif status.code in _TRANSIENT:
            again.append(index)
        elif status.code not in _UNMET:
            refused[index] = f"{what}: status {status.code}: {status.message[:300]}"
    return again


def _found(document: Raw) -> Found:
    name = document.name
    identity = name.rpartition("/")[2]
    return Found(identity, document.fields, _version(document.update_time), name)
