"""Probes of Firestore: fences, conflicts, queries, and how much a request takes.

The probes write under a tenant of their own, `tenants/smartlink-accept-RUN`, which no secret names.
Its own document is never made, so the relay does not take it for an orphaned tenant.
"""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from google.protobuf import json_format

from infra.acceptance.calls import Answer
from infra.acceptance.errors import UnansweredError
from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe
from smartlink.adapters.firestore.documents import LIVE
from smartlink.adapters.firestore.store import DUE, DUE_BY_BUCKET, DUE_BY_DIRECTION, up_to
from smartlink.adapters.firestore.values import FAR_OFF, LONG_AGO
from smartlink.domain.bucket import EVERY_BUCKET, bucket_of
from smartlink.domain.identity import Direction
from smartlink.services.polling.buckets import LOOK_EVERY
from smartlink.settings import LIMITS

_SERVICE = "firestore"
_ALREADY_EXISTS, _FAILED_PRECONDITION = 6, 9  # codes of a BatchWrite's statuses
_PAGE = 100
_STALE = "2020-01-01T00:00:00Z"  # no document has this version

Json = Mapping[str, Any]


def _root(place: Place) -> str:
    settings = place.settings
    return f"projects/{settings.project}/databases/{settings.firestore_database}/documents"


def _name(place: Place, document: str) -> str:
    return f"{_root(place)}/tenants/{place.name}/{LIVE}/{document}"


def _write(place: Place, document: str, fields: Json, **precondition: object) -> Json:
    """Describe a write of a document: by `exists` or `updateTime` it is fenced."""
    write: dict[str, Any] = {"update": {"name": _name(place, document), "fields": fields}}
    return {**write, "currentDocument": precondition} if precondition else write


def _text(value: str) -> Json:
    return {"Marca": {"stringValue": value}}


def _ask(place: Place, verb: str, body: Json) -> Answer:
    place.later("the documents of the run", partial(_remove_all, place))
    return place.call(_SERVICE, "POST", f"/v1/{_root(place)}:{verb}", body)


def _commit(place: Place, *writes: Json) -> Answer:
    return _ask(place, "commit", {"writes": writes})


def _batch(place: Place, *writes: Json) -> list[int]:
    """Make a BatchWrite; return each write's code."""
    body = _ask(place, "batchWrite", {"writes": writes}).needed("BatchWrite")
    return [int(status.get("code", 0)) for status in body["status"]]


def _made(place: Place, document: str) -> str:
    """Make a document; return its version."""
    answer = _commit(place, _write(place, document, _text("first"), exists=False))
    return str(answer.needed("create a document")["writeResults"][0]["updateTime"])


def _read(place: Place, document: str) -> Any:  # noqa: ANN401  (JSON)
    """Read a document; None if there is none."""
    answer = place.call(_SERVICE, "GET", f"/v1/{_name(place, document)}")
    return None if answer.missing else answer.needed("read a document")


def _mark(place: Place, document: str) -> str:
    """Return what stands in a document."""
    found = _read(place, document)
    return "absent" if found is None else str(found["fields"]["Marca"]["stringValue"])


def _remove_all(place: Place) -> None:
    path = f"/v1/{_root(place)}/tenants/{place.name}/{LIVE}"
    while True:
        query = {"pageSize": str(_PAGE), "mask.fieldPaths": "Marca"}
        answer = place.calls.call(_SERVICE, "GET", path, query=query)
        documents = answer.needed("list the documents of the run").get("documents", ())
        if not documents:
            return
        writes = [{"delete": document["name"]} for document in documents]
        answer = place.call(_SERVICE, "POST", f"/v1/{_root(place)}:batchWrite", {"writes": writes})
        statuses = answer.needed("delete the documents of the run")["status"]
        if failed := sum(status.get("code", 0) != 0 for status in statuses):
            message = f"{failed} of {len(writes)} deletes failed"
            raise UnansweredError(message)


@probe(
    "firestore-version",
    assumes="The update_time that a write returns is the document's version: a read shows the "
    "same, and a write that is fenced on it goes through.",
    relied="A dispatch carries the version, so a claim needs no read (services/claim.py).",
    expected="the read shows the write's update_time, and a write fenced on it is done",
)
def version(place: Place) -> str:
    """Create, read, and write again under the version that was returned."""
    made = _made(place, "version")
    read = _read(place, "version")["updateTime"]
    need(f"the write returned {made}, the read {read}", holds=made == read)
    answer = _commit(place, _write(place, "version", _text("second"), updateTime=made))
    answer.told("a write under the version that was returned")
    need(f"a write fenced on it: {answer.said}", holds=answer.ok)
    return "the same update_time, and the fenced write was done"


@probe(
    "firestore-fence-commit",
    assumes="A Commit whose fence (update_time) no longer holds is refused with "
    "FAILED_PRECONDITION and applies none of its writes.",
    relied="Settling: a consumer that outlived its lease can write nothing "
    "(adapters/firestore/calls.py: commit).",
    expected="FAILED_PRECONDITION; the fenced document and the one beside it are as before",
)
def fence_commit(place: Place) -> str:
    """Commit a stale fence and a create in one request."""
    _made(place, "fence")
    answer = _commit(
        place,
        _write(place, "fence-beside", _text("applied"), exists=False),
        _write(place, "fence", _text("applied"), updateTime=_STALE),
    ).told("a Commit with a stale fence")
    seen = (
        f"{answer.reason or answer.status}; fenced: {_mark(place, 'fence')}, beside: "
        f"{_mark(place, 'fence-beside')}"
    )
    need(seen, holds=seen == "FAILED_PRECONDITION; fenced: first, beside: absent")
    return seen


@probe(
    "firestore-fence-delete",
    assumes="A delete that is fenced on an update_time is done at that version, and refused at "
    "another.",
    relied="The commit that ends a message deletes its live document under the claim's version "
    "(adapters/firestore/writes.py).",
    expected="FAILED_PRECONDITION for the old version; deleted under the present one",
)
def fence_delete(place: Place) -> str:
    """Delete under a stale version, then under the present one."""
    made = _made(place, "delete")
    fenced = {"delete": _name(place, "delete")}
    stale = _commit(place, {**fenced, "currentDocument": {"updateTime": _STALE}})
    after = _mark(place, "delete")
    present = _commit(place, {**fenced, "currentDocument": {"updateTime": made}})
    present.told("a fenced delete")
    seen = (
        f"{stale.told('a fenced delete').reason or stale.status}, then {after}; under the present "
        f"version: {_mark(place, 'delete')}"
    )
    need(
        seen,
        holds=seen == "FAILED_PRECONDITION, then first; under the present version: absent",
    )
    return seen


@probe(
    "firestore-fence-batch",
    assumes="A BatchWrite gives each write its own status: FAILED_PRECONDITION to one whose fence "
    "no longer holds, while the others are applied.",
    relied="Claims of a batch and sweeps: one message harms only itself "
    "(adapters/firestore/calls.py: write_each).",
    expected="statuses 9 (FAILED_PRECONDITION) and 0; only the second is applied",
)
def fence_batch(place: Place) -> str:
    """Write a stale fence and a create in one BatchWrite."""
    _made(place, "batch")
    codes = _batch(
        place,
        _write(place, "batch", _text("applied"), updateTime=_STALE),
        _write(place, "batch-beside", _text("applied"), exists=False),
    )
    marks = [_mark(place, "batch"), _mark(place, "batch-beside")]
    seen = f"statuses {codes}; {marks[0]}, {marks[1]}"
    need(seen, holds=codes == [_FAILED_PRECONDITION, 0] and marks == ["first", "applied"])
    return seen


@probe(
    "firestore-exists-commit",
    assumes="A Commit that creates a document that exists is refused with ALREADY_EXISTS and "
    "applies none of its writes.",
    relied="Settling and publishing: a history record or a reply is never written twice "
    "(services/settle.py).",
    expected="ALREADY_EXISTS; both documents are as before",
)
def exists_commit(place: Place) -> str:
    """Create an existing document and a new one in one Commit."""
    _made(place, "exists")
    answer = _commit(
        place,
        _write(place, "exists-beside", _text("applied"), exists=False),
        _write(place, "exists", _text("applied"), exists=False),
    ).told("a Commit that creates what exists")
    seen = (
        f"{answer.reason or answer.status}; {_mark(place, 'exists')}, "
        f"{_mark(place, 'exists-beside')}"
    )
    need(seen, holds=seen == "ALREADY_EXISTS; first, absent")
    return seen


@probe(
    "firestore-exists-batch",
    assumes="A BatchWrite answers ALREADY_EXISTS to the create of a document that exists, while "
    "the others are applied.",
    relied="Receiving: a repeated message is seen by its create, without a read "
    "(services/polling/receiving.py).",
    expected="statuses 6 (ALREADY_EXISTS) and 0; only the second is applied",
)
def exists_batch(place: Place) -> str:
    """Create an existing document and a new one in one BatchWrite."""
    _made(place, "again")
    codes = _batch(
        place,
        _write(place, "again", _text("applied"), exists=False),
        _write(place, "again-beside", _text("applied"), exists=False),
    )
    marks = [_mark(place, "again"), _mark(place, "again-beside")]
    seen = f"statuses {codes}; {marks[0]}, {marks[1]}"
    need(seen, holds=codes == [_ALREADY_EXISTS, 0] and marks == ["first", "applied"])
    return seen


@probe(
    "firestore-aborted",
    assumes="A commit that is refused with ABORTED applied none of its writes.",
    relied="ABORTED is no conflict: the same commit is tried again while the lease lasts "
    "(adapters/firestore/calls.py: commit).",
    expected="one of two transactions on one document is ABORTED, and nothing of it is there",
)
def aborted(place: Place) -> str:
    """Let two transactions read one document and write it at the same time."""
    _made(place, "contended")
    begun = [
        _ask(place, "beginTransaction", {}).needed("begin a transaction")["transaction"]
        for _ in range(2)
    ]
    for transaction in begun:
        body = {"documents": [_name(place, "contended")], "transaction": transaction}
        _ask(place, "batchGet", body).needed("read in a transaction")

    def commit(number: int) -> Answer:
        writes = [
            _write(place, "contended", _text(f"by-{number}")),
            _write(place, f"contended-{number}", _text("applied"), exists=False),
        ]
        return _ask(place, "commit", {"writes": writes, "transaction": begun[number]})

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(commit, range(2)))
    losers = [number for number, answer in enumerate(answers) if answer.reason == "ABORTED"]
    if not losers:
        message = f"no commit was aborted: {', '.join(answer.said for answer in answers)}"
        raise UnansweredError(message)
    last = _mark(place, "contended")
    for number in losers:
        beside = _mark(place, f"contended-{number}")
        seen = f"ABORTED; beside: {beside}, the document: {last}"
        need(seen, holds=beside == "absent" and last != f"by-{number}")
    return f"{len(losers)} of 2 ABORTED; nothing of it is there"


def _due(place: Place, at: datetime, direction: Direction) -> Json:
    return {
        **_text("due"),
        "Balde": {"stringValue": bucket_of(place.name)},
        "Direcao": {"stringValue": direction.value},
        "DataTentativaExec": {"timestampValue": at.isoformat()},
    }


@probe(
    "firestore-due-query",
    assumes="The due queries (with a direction, without, and over a bucket of tenants) run on the "
    "declared indexes, and answer the documents within their bounds in the order of "
    "DataTentativaExec.",
    relied="The sweep finds retries, crashes and lost dispatches by it, and nothing else does "
    "(adapters/firestore/store.py: up_to). The emulator needs no index.",
    expected="exactly the due documents, the earliest first",
)
def due_query(place: Place) -> str:
    """Run the relay's own queries over documents that lie inside and outside the bounds."""
    now = datetime.now(UTC).replace(microsecond=0)
    down, up = Direction.DOWNSTREAM, Direction.UPSTREAM
    documents = {
        "due-before": _due(place, now - timedelta(hours=9), down),  # before the lower bound
        "due-second": _due(place, now - timedelta(minutes=2), down),
        "due-first": _due(place, now - timedelta(minutes=3), down),
        "due-upstream": _due(place, now - timedelta(minutes=1), up),
        "due-later": _due(place, now + timedelta(hours=1), down),
        "due-none": {**_text("due"), "Direcao": {"stringValue": down.value}},
    }
    writes = [_write(place, name, fields) for name, fields in documents.items()]
    _commit(place, *writes).needed("write documents")
    since = now - timedelta(hours=8)
    found = {}
    own = f"{_root(place)}/tenants/{place.name}"
    for shape, values, parent in (
        (DUE, [], own),
        (DUE_BY_DIRECTION, [down.value], own),
        (DUE_BY_BUCKET, [bucket_of(place.name)], _root(place)),
    ):
        query = json_format.MessageToDict(up_to(shape, values, now, _PAGE, since))
        path = f"/v1/{parent}:runQuery"
        answer = place.call(_SERVICE, "POST", path, {"structuredQuery": query}).told("a due query")
        need(f"a due query: {answer.said}", holds=answer.ok)
        rows = [row["document"]["name"] for row in answer.body if "document" in row]
        its = [name for name in rows if name.startswith(f"{own}/")]  # a bucket has others, too
        found[shape] = [name.rpartition("/")[2] for name in its]
    expected = ["due-first", "due-second"]
    whole = [*expected, "due-upstream"]
    wanted = {DUE: whole, DUE_BY_DIRECTION: expected, DUE_BY_BUCKET: whole}
    seen = (
        f"with a direction {found[DUE_BY_DIRECTION]}, without {found[DUE]}, "
        f"over a bucket {found[DUE_BY_BUCKET]}"
    )
    need(seen, holds=found == wanted)
    return seen


@probe(
    "firestore-buckets",
    assumes="Each live message that has a due instant carries its tenant's bucket (Balde), so the "
    "query over the bucket finds it; counts of one read time agree with each other.",
    relied=f"What lacks it is found up to {LOOK_EVERY} minutes late (services/polling/buckets.py).",
    expected="as many by bucket as in all",
)
def buckets(place: Place) -> str:
    """Count the live messages with a due instant, and those of each bucket, at one instant."""
    shapes = [(DUE, []), *((DUE_BY_BUCKET, [bucket]) for bucket in EVERY_BUCKET)]
    counts: list[int] = []
    at: str | None = None
    for shape, values in shapes:
        query = up_to(shape, values, FAR_OFF, 0, LONG_AGO)
        query.from_[0].all_descendants = True
        body: dict[str, Any] = {
            "structuredAggregationQuery": {
                "structuredQuery": json_format.MessageToDict(query),
                "aggregations": [{"alias": "all", "count": {}}],
            }
        }
        if at is not None:
            body["readTime"] = at
        path = f"/v1/{_root(place)}:runAggregationQuery"
        answer = place.call(_SERVICE, "POST", path, body).needed("count live messages")
        [row] = answer
        at = at or str(row["readTime"])
        counts.append(int(row["result"]["aggregateFields"]["all"]["integerValue"]))
    total, found = counts[0], sum(counts[1:])
    need(f"{total} in all, {found} by bucket: {total - found} lack it", holds=total == found)
    return f"{total} in all, {found} by bucket"


def _large(size: int) -> Json:
    return {**_text("large"), "Conteudo": {"stringValue": "x" * size}}


@probe(
    "firestore-request-bytes",
    assumes=f"A Commit of {LIMITS.request:,} bytes is taken, and so is a content of "
    f"{LIMITS.inline:,} bytes in a field.",
    relied="LIMITS.request and LIMITS.inline (settings.py): nothing is split further.",
    expected="the Commit is done",
)
def request_bytes(place: Place) -> str:
    """Commit as many documents with the largest inline content as fit into a request."""
    writes: list[Json] = []
    room = LIMITS.request - 1_024
    while True:
        empty = _write(place, f"large-{len(writes)}", _large(0))
        size = min(LIMITS.inline, room - len(json.dumps(empty)))
        if size <= 0:
            break
        writes.append({"update": {**empty["update"], "fields": _large(size)}})
        room -= len(json.dumps(writes[-1])) + 2  # and what stands between two
    size = len(json.dumps({"writes": writes}))
    answer = _commit(place, *writes).told("a large Commit")
    need(f"{size:,} bytes: {answer.said}", holds=answer.ok)
    kept = _read(place, "large-0")["fields"]["Conteudo"]["stringValue"]
    need(f"taken, but {len(kept):,} bytes came back", holds=len(kept) == LIMITS.inline)
    return f"{len(writes)} documents, {size:,} bytes: done"


@probe(
    "firestore-request-writes",
    assumes=f"A Commit and a BatchWrite take {LIMITS.writes} writes each.",
    relied="LIMITS.writes (settings.py): larger requests are split, smaller ones are not.",
    expected=f"{LIMITS.writes} documents by each",
)
def request_writes(place: Place) -> str:
    """Write as many documents as the limit says by each call."""
    both = {
        kind: [_write(place, f"{kind}-{n}", _text("one"), exists=False) for n in _numbers()]
        for kind in ("commit", "batch")
    }
    answer = _commit(place, *both["commit"]).told("a Commit of many writes")
    need(f"Commit: {answer.said}", holds=answer.ok)
    answer = _ask(place, "batchWrite", {"writes": both["batch"]}).told("a BatchWrite of many")
    need(f"BatchWrite: {answer.said}", holds=answer.ok)
    done = sum(status.get("code", 0) == 0 for status in answer.body["status"])
    results = len(_commit_results(place, both))
    seen = f"BatchWrite applied {done}, and {results} of the 4 looked at are there"
    need(seen, holds=done == LIMITS.writes and results == 4)  # noqa: PLR2004
    return f"{LIMITS.writes} by Commit, {done} by BatchWrite"


def _numbers() -> Sequence[int]:
    return range(LIMITS.writes)


def _commit_results(place: Place, both: Mapping[str, Sequence[Json]]) -> list[str]:
    """Return which of the first and last documents of each call are there."""
    ends = [f"{kind}-{n}" for kind, writes in both.items() for n in (0, len(writes) - 1)]
    return [name for name in ends if _mark(place, name) == "one"]


PROBES = (
    version,
    fence_commit,
    fence_delete,
    fence_batch,
    exists_commit,
    exists_batch,
    aborted,
    due_query,
    buckets,
    request_bytes,
    request_writes,
)
