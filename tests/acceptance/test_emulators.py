"""Each probe that the emulators can answer: it holds there, and fails where it does not hold."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import pytest

from infra.acceptance.calls import Answer, Calls
from infra.acceptance.place import Place
from infra.acceptance.probe import Verdict
from infra.acceptance.running import ask_all
from smartlink.adapters.firestore.documents import LIVE
from smartlink.settings import Settings
from tests.acceptance.place import (
    ASKED,
    CLOUD_ONLY,
    Request,
    Send,
    Twist,
    Twisted,
    place_of,
    probe,
)

REFUSED = Answer(400, {"error": {"status": "INVALID_ARGUMENT", "message": "Too large."}})


def left_by(place: Place) -> list[str]:
    """What a run left behind, by asking each emulator."""
    config = place.settings
    parent = f"/v1/projects/{config.project}"
    documents = f"{parent}/databases/{config.firestore_database}/documents/tenants/{place.name}"
    lists = (
        ("firestore", f"{documents}/{LIVE}", "documents"),
        ("pubsub", f"{parent}/topics", "topics"),
        ("pubsub", f"{parent}/subscriptions", "subscriptions"),
        ("secretmanager", f"{parent}/secrets", "secrets"),
        ("storage", f"/storage/v1/b/{config.bucket}/o", "items"),
    )
    return [
        it["name"]
        for service, path, items in lists
        for it in place.listed(service, path, items)
        if place.run in it["name"]
    ]


@pytest.mark.parametrize("name", ASKED)
def test_it_holds_and_leaves_nothing(place: Place, name: str) -> None:
    told = ask_all(place, "here", [probe(name)], lambda _: None)
    [result] = told.results
    assert (result.verdict, result.seen) == (Verdict.HOLDS, result.seen)
    assert result.seen
    assert told.accepted
    assert told.left == []
    assert left_by(place) == []


@pytest.mark.parametrize("name", CLOUD_ONLY)
def test_what_no_emulator_can_tell_is_not_known(place: Place, name: str) -> None:
    """It is not even asked, and the reason is the answer."""
    result = probe(name).result(place)
    assert result.verdict is Verdict.UNKNOWN
    assert result.seen == probe(name).cloud_only


def unfenced(request: Request, send: Send) -> Answer:
    """A database that knows no preconditions."""
    for write in (request.body or {}).get("writes", ()):
        write.pop("currentDocument", None)
    return send(request)


def half_applied(request: Request, send: Send) -> Answer:
    """A database whose refused commits apply what comes before the refusal."""
    answer = send(request)
    if request.path.endswith(":commit") and not answer.ok:
        send(replace(request, body={"writes": request.body["writes"][:1]}))
    return answer


def aborted_half(request: Request, send: Send) -> Answer:
    """A database whose aborted transactions apply what they create."""
    answer = send(request)
    if answer.reason == "ABORTED":
        assert send(replace(request, body={"writes": request.body["writes"][1:]})).ok
    return answer


def aborted_whole(request: Request, send: Send) -> Answer:
    """A database whose aborted transactions are applied nevertheless."""
    answer = send(request)
    if answer.reason == "ABORTED":
        assert send(replace(request, body={"writes": request.body["writes"]})).ok
    return answer


def all_or_nothing(request: Request, send: Send) -> Answer:
    """A database that makes one commit of a BatchWrite."""
    if not request.path.endswith(":batchWrite") or "currentDocument" not in str(request.body):
        return send(request)
    answer = send(replace(request, path=request.path.replace("batchWrite", "commit")))
    code = 0 if answer.ok else 9
    return Answer(200, {"status": [{"code": code} for _ in request.body["writes"]]})


def other_version(request: Request, send: Send) -> Answer:
    """A database whose reads show another version than its writes."""
    answer = send(request)
    if request.method == "GET" and "updateTime" in answer.body:
        answer.body["updateTime"] = "2020-01-01T00:00:00Z"
    return answer


def unindexed(request: Request, send: Send) -> Answer:
    """A database that lacks an index."""
    if request.path.endswith(":runQuery"):
        error = {"status": "FAILED_PRECONDITION", "message": "The query requires an index."}
        return Answer(400, {"error": error})
    return send(request)


def unordered(request: Request, send: Send) -> Answer:
    """A database that answers in another order."""
    answer = send(request)
    if request.path.endswith(":runQuery"):
        return Answer(200, answer.body[::-1])
    return answer


def unbounded(request: Request, send: Send) -> Answer:
    """A database that ignores the lower bound."""
    if request.path.endswith(":runQuery"):
        query = request.body["structuredQuery"]["where"]["compositeFilter"]
        query["filters"] = [
            it for it in query["filters"] if it["fieldFilter"]["op"] != "GREATER_THAN_OR_EQUAL"
        ]
    return send(request)


def astray(request: Request, send: Send) -> Answer:
    """A database with a message that lacks its bucket."""
    answer = send(request)
    if request.path.endswith(":runAggregationQuery") and "Balde" not in str(request.body):
        [row] = answer.body
        count = row["result"]["aggregateFields"]["all"]
        count["integerValue"] = str(int(count["integerValue"]) + 1)
    return answer


def at_most(size: int, count: int, *verbs: str) -> Twist:
    """A service that takes requests up to so many bytes and items."""

    def twist(request: Request, send: Send) -> Answer:
        items = (request.body or {}).get("writes") or (request.body or {}).get("messages") or ()
        large = len(str(request.body)) > size or len(items) > count
        return REFUSED if large and request.path.endswith(verbs) else send(request)

    return twist


def some_lost(request: Request, send: Send) -> Answer:
    """A database whose large BatchWrites lose their last write."""
    writes = (request.body or {}).get("writes", ())
    if request.path.endswith(":batchWrite") and len(writes) > 400 and "update" in writes[0]:
        answer = send(replace(request, body={"writes": writes[:-1]}))
        return Answer(200, {"status": [*answer.body["status"], {"code": 0}]})
    return send(request)


@dataclass(frozen=True)
class Fresh:
    """A service that remembers, and so is made anew for each test."""

    make: Callable[[], Twist]


def never_again(part: str) -> Fresh:
    """A subscription that delivers each message once."""

    def make() -> Twist:
        pulled: set[str] = set()

        def twist(request: Request, send: Send) -> Answer:
            if not request.path.endswith(":pull") or part not in request.path:
                return send(request)
            if request.path in pulled:
                return Answer(200, {})
            answer = send(request)
            if answer.body.get("receivedMessages"):
                pulled.add(request.path)
            return answer

        return twist

    return Fresh(make)


def never_dead(request: Request, send: Send) -> Answer:
    """A dead-letter topic to which nothing comes."""
    dead = request.path.endswith("-dead:pull")
    return Answer(200, {}) if dead else send(request)


def impatient(request: Request, send: Send) -> Answer:
    """Subscriptions with the shortest deadline."""
    answer = send(request)
    if request.method == "GET" and "/subscriptions/" in request.path:
        answer.body["ackDeadlineSeconds"] = 10
    return answer


def restless() -> Twist:
    """Secrets whose etag changes with each version."""
    versions = 0

    def twist(request: Request, send: Send) -> Answer:
        nonlocal versions
        versions += request.path.endswith(":addVersion")
        answer = send(request)
        for it in answer.body.get("secrets", [answer.body]):
            if "etag" in it:
                it["etag"] += str(versions)
        return answer

    return twist


def constant(request: Request, send: Send) -> Answer:
    """Secrets whose etag never changes."""
    answer = send(request)
    for it in answer.body.get("secrets", ()):
        it["etag"] = "1"
    return answer


def unfiltered(request: Request, send: Send) -> Answer:
    """A list of secrets that knows no filter."""
    query = {name: value for name, value in request.query.items() if name != "filter"}
    return send(replace(request, query=query))


def first_version(request: Request, send: Send) -> Answer:
    """Secrets whose `latest` lags behind."""
    return send(replace(request, path=request.path.replace("/latest:", "/1:")))


def wrong_checksum(request: Request, send: Send) -> Answer:
    """Secrets whose checksum is not that of their payload."""
    answer = send(request)
    if request.path.endswith(":access"):
        answer.body["payload"]["dataCrc32c"] = "1"
    return answer


def unconditional(request: Request, send: Send) -> Answer:
    """A bucket that knows no preconditions."""
    query = {name: it for name, it in request.query.items() if not name.startswith("if")}
    return send(replace(request, query=query))


def steady(request: Request, send: Send) -> Answer:
    """A bucket whose metagenerations do not rise."""
    answer = send(request)
    if "metageneration" in answer.body:
        answer.body["metageneration"] = "1"
    return answer


def movable() -> Twist:
    """A bucket whose custom times can be moved back and removed."""
    times: dict[str, Any] = {}

    def twist(request: Request, send: Send) -> Answer:
        if request.method == "PATCH":
            times[request.path] = request.body["customTime"]
            return Answer(200, {})
        answer = send(request)
        if request.method == "GET" and request.path in times:
            answer.body["customTime"] = times[request.path]
        return answer

    return twist


OTHERWISE: Mapping[str, tuple[Twist | Fresh, ...]] = {
    "firestore-version": (other_version,),
    "firestore-fence-commit": (unfenced, half_applied),
    "firestore-fence-delete": (unfenced,),
    "firestore-fence-batch": (unfenced, all_or_nothing),
    "firestore-exists-commit": (unfenced, half_applied),
    "firestore-exists-batch": (unfenced, all_or_nothing),
    "firestore-aborted": (aborted_half, aborted_whole),
    "firestore-due-query": (unindexed, unordered, unbounded),
    "firestore-buckets": (astray,),
    "firestore-request-bytes": (at_most(1_000_000, 500, ":commit"),),
    "firestore-request-writes": (
        at_most(9_999_999, 100, ":commit"),
        at_most(9_999_999, 100, ":batchWrite"),
        some_lost,
    ),
    "pubsub-nack": (never_again("-nack"),),
    "pubsub-lease": (never_again("-lease"),),
    "pubsub-limit": (
        at_most(99_999_999, 100, ":publish"),
        at_most(1_000_000, 9_999, ":publish"),
    ),
    "pubsub-dead-letter": (never_dead,),
    "pubsub-ack-deadline": (impatient,),
    "secrets-etag-version": (Fresh(restless),),
    "secrets-etag-touch": (constant,),
    "secrets-filter": (unfiltered,),
    "secrets-latest": (first_version, wrong_checksum),
    "storage-create": (unconditional,),
    "storage-metageneration": (unconditional, steady),
    "storage-custom-time": (Fresh(movable),),
}
CASES = [
    pytest.param(name, twist, id=f"{name}-{number}")
    for name, twists in OTHERWISE.items()
    for number, twist in enumerate(twists)
]


def test_each_of_them_is_tried_on_a_service_that_behaves_otherwise() -> None:
    assert sorted(OTHERWISE) == sorted(ASKED)


@pytest.mark.parametrize(("name", "twist"), CASES)
def test_it_fails_on_a_service_that_behaves_otherwise(
    config: Settings, calls: Calls, name: str, twist: Twist | Fresh
) -> None:
    """It says what it saw, and what it made is removed."""
    made = twist.make() if isinstance(twist, Fresh) else twist
    place = place_of(config, Twisted(calls, made), local=True)
    told = ask_all(place, "here", [probe(name)], lambda _: None)
    [result] = told.results
    assert result.verdict is Verdict.FAILS, result.seen
    assert not told.accepted
    assert "unknown form" not in result.seen
    assert left_by(place_of_run(config, calls, place)) == []


def place_of_run(config: Settings, calls: Calls, place: Place) -> Place:
    """The same run, looked at without the twist."""
    return replace(place_of(config, calls, local=True), run=place.run)


def test_no_conflict_is_no_answer(config: Settings, calls: Calls) -> None:
    """Where no commit is aborted, what ABORTED means is not known."""

    def patient(request: Request, send: Send) -> Answer:
        body = {**(request.body or {})} if request.path.endswith(":commit") else request.body
        if isinstance(body, dict):
            body.pop("transaction", None)
        return send(replace(request, body=body))

    place = place_of(config, Twisted(calls, patient), local=True)
    result = probe("firestore-aborted").result(place)
    assert result.verdict is Verdict.UNKNOWN
    assert "no commit was aborted" in result.seen


def test_in_the_cloud_the_agent_gets_its_roles_and_secrets_their_region(
    config: Settings, calls: Calls
) -> None:
    """What the emulators do not need: grants on the run's own topics, and a place for secrets."""
    seen: list[tuple[str, Any]] = []
    function = {
        "name": f"projects/{config.project}/locations/southamerica-east1/functions/smartlink-poll",
        "buildConfig": {"entryPoint": "poll"},
    }

    def cloud(request: Request, send: Send) -> Answer:
        if request.service == "cloudfunctions":
            return Answer(200, {"functions": [function]})
        if request.service == "cloudresourcemanager":
            return Answer(200, {"name": "projects/42"})
        if request.path.endswith(":setIamPolicy"):
            seen.append((request.path.rpartition("/")[2], request.body["policy"]["bindings"]))
            return Answer(200, {})
        if request.query.get("secretId"):
            seen.append(("secret", request.body["replication"]))
        return send(request)

    place = replace(place_of(config, Twisted(calls, cloud), local=False, real_time=True))
    with place.cleaning():
        for name in ("pubsub-dead-letter", "secrets-latest"):
            assert probe(name).result(place).verdict is Verdict.HOLDS
    agent = "serviceAccount:service-42@gcp-sa-pubsub.iam.gserviceaccount.com"
    assert seen == [
        (
            f"{place.name}-dead:setIamPolicy",
            [{"role": "roles/pubsub.publisher", "members": [agent]}],
        ),
        (
            f"{place.name}-live:setIamPolicy",
            [{"role": "roles/pubsub.subscriber", "members": [agent]}],
        ),
        ("secret", {"userManaged": {"replicas": [{"location": "southamerica-east1"}]}}),
    ]
