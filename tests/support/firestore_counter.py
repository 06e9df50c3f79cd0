"""Counts what goes out to Firestore at the wire, as it is billed."""

from collections import Counter
from collections.abc import Callable, Iterator
from threading import Lock
from typing import Any

import grpc


def raw(message: Any) -> Any:  # noqa: ANN401
    """The protobuf message itself, without the wrapper that Google's clients send it in."""
    return type(message).pb(message)


class FirestoreCounter(
    grpc.UnaryUnaryClientInterceptor,  # type: ignore[misc]
    grpc.UnaryStreamClientInterceptor,  # type: ignore[misc]
):
    """`FirestoreCalls(…, interceptors=[counter])`; then `counter.operations["write"]`.

    Keys: read, write, delete, and calls (requests made). A query that finds nothing is a read,
    as is a missing document of a batch; a refused write counts, for it goes out all the same.
    An aggregation tells what it goes over by a count named `all`.
    `largest` is the size in bytes of the largest request that writes.
    """

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()
        self.largest = 0
        self._lock = Lock()

    def _add(self, kind: str, count: int) -> None:
        with self._lock:
            self.operations[kind] += count

    def intercept_unary_unary(
        self,
        continuation: Callable[..., Any],
        details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Any:  # noqa: ANN401
        self._add("calls", 1)
        its = raw(request)
        self.largest = max(self.largest, its.ByteSize())
        for write in getattr(its, "writes", ()):
            self._add("delete" if write.delete else "write", 1)
        answer = continuation(details, request)
        if details.method.endswith("/ListDocuments"):
            self._add("read", max(len(answer.result().documents), 1))
        return answer

    def intercept_unary_stream(
        self,
        continuation: Callable[..., Any],
        details: grpc.ClientCallDetails,
        request: Any,  # noqa: ANN401
    ) -> Iterator[Any]:
        self._add("calls", 1)
        return self._counted(continuation(details, request), details.method)

    def _counted(self, answers: Iterator[Any], method: str) -> Iterator[Any]:
        found = 0
        for answer in answers:
            its = raw(answer)
            if method.endswith("/RunAggregationQuery"):  # a read for each 1,000 that it goes over
                found += -(-its.result.aggregate_fields["all"].integer_value // 1_000)
                yield answer
                continue
            batch = method.endswith("/BatchGetDocuments")
            found += bool(its.found.name or its.missing) if batch else bool(its.document.name)
            yield answer
        self._add("read", max(found, 1))
