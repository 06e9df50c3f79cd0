"""What no emulator can tell, on scripted answers of Google's: it holds, or it does not."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

import pytest

from infra.acceptance.calls import Answer
from infra.acceptance.errors import UnansweredError
from infra.acceptance.place import Place
from infra.acceptance.probe import Verdict
from tests.acceptance.cloud import AGENT, Cloud
from tests.acceptance.place import CLOUD_ONLY, PROBES, Scripted, place_of, probe, settings

Change = Callable[[Cloud], object]


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(settings("accept-cloud"))


def place(cloud: Cloud) -> Place:
    found = place_of(cloud.config, cloud.scripted(), local=False)
    answer_objects(cloud, found)
    return found


def answer_objects(
    cloud: Cloud, at: Place, *, conditional: bool = True, ordered: bool = True
) -> None:
    """Objects of the run, as Cloud Storage answers."""
    objects = f"/storage/v1/b/{cloud.config.bucket}/o"
    cloud.answers[f"storage POST /upload{objects}"] = {"generation": "7", "metageneration": "1"}
    path = f"{objects}/{quote(f'{at.name}/not-modified', safe='')}"
    cloud.answers.setdefault(
        f"storage GET {path}",
        lambda query: (
            Answer(304)
            if query.get("ifGenerationNotMatch") == "7" and conditional
            else {"generation": "7"}
        ),
    )
    names = ["order-b", "order-c"] if ordered else ["order-c", "order-b"]
    cloud.answers.setdefault(
        f"storage GET {objects}", {"items": [{"name": f"{at.name}/{name}"} for name in names]}
    )


@pytest.mark.parametrize("name", CLOUD_ONLY)
def test_it_holds_where_all_is_as_assumed(cloud: Cloud, name: str) -> None:
    result = probe(name).result(place(cloud))
    assert result.verdict is Verdict.HOLDS, result.seen
    assert result.seen


def of(cloud: Cloud, key: str = "poll_shard") -> dict[str, object]:
    config: dict[str, object] = cloud.functions[key]["serviceConfig"]
    return config


def push(cloud: Cloud) -> dict[str, object]:
    config: dict[str, object] = cloud.subscription("poll_shard")["pushConfig"]
    return config


def dead(cloud: Cloud) -> str:
    return f"/v1/{cloud.parent}/topics/{cloud.topics['poll_shard']}-dead"


OTHERWISE: Mapping[str, Mapping[str, Change]] = {
    "firestore-database": {
        "datastore": lambda it: it.database.update(type="DATASTORE_MODE"),
        "none": lambda it: it.answers.pop(
            f"firestore-admin GET /v1/{it.parent}/databases/(default)"
        ),
    },
    "firestore-indexes": {
        "building": lambda it: it.indexes[0].update(state="CREATING"),
        "missing": lambda it: it.indexes.clear(),
        "other": lambda it: it.indexes[0].update(
            fields=[{"fieldPath": "Direcao", "order": "ASCENDING"}]
        ),
        "of one collection alone": lambda it: it.indexes[-1].update(queryScope="COLLECTION"),
        "missing in the audit": lambda it: it.audit_indexes.clear(),
        "building in the audit": lambda it: it.audit_indexes[0].update(state="CREATING"),
        "no audit": lambda it: it.answers.pop(
            f"firestore-admin GET /v1/{it.parent}/databases/smartlink-audit"
            "/collectionGroups/-/indexes"
        ),
        "of one field": lambda it: it.fields.pop(),
        "of one field, over all tenants": lambda it: it.fields[-1]["indexConfig"]["indexes"].pop(),
    },
    "firestore-exemptions": {
        "missing": lambda it: it.fields.pop(0),
        "indexed": lambda it: it.fields[0].update(
            indexConfig={"indexes": [{"order": "ASCENDING"}]}
        ),
        "reverting": lambda it: it.fields[0].update(indexConfig={"reverting": True}),
    },
    "firestore-ttl": {
        "creating": lambda it: [
            field["ttlConfig"].update(state="CREATING")
            for field in it.fields
            if "ttlConfig" in field
        ],
        "missing": lambda it: it.fields.clear(),
    },
    "firestore-audit": {
        "may delete": lambda it: it.rights.append("datastore.entities.delete"),
        "no database": lambda it: it.answers.pop(
            f"firestore-admin GET /v1/{it.parent}/databases/smartlink-audit"
        ),
    },
    "pubsub-push-identity": {
        "no token": lambda it: push(it).pop("oidcToken"),
        "other endpoint": lambda it: push(it).update(pushEndpoint="https://elsewhere"),
        "another caller too": lambda it: it.invokers("poll_shard", "allUsers"),
        "not deployed": lambda it: it.functions["poll_shard"]["buildConfig"].update(entryPoint="x"),
    },
    "pubsub-pusher-tokens": {
        "no grant": lambda it: it.iam(
            "iam",
            f"/v1/{it.parent}/serviceAccounts/{it.account('push-poll_shard')}",
            "roles/iam.serviceAccountOpenIdTokenCreator",
            "user:somebody@example.com",
            method="POST",
        ),
    },
    "pubsub-retention": {
        "default expiry": lambda it: it.subscription("poll_shard").pop("expirationPolicy"),
        "an expiry": lambda it: it.subscription("poll_shard").update(
            expirationPolicy={"ttl": "2678400s"}
        ),
        "another retention": lambda it: it.subscription("poll_shard").update(
            messageRetentionDuration="604800s"
        ),
    },
    "pubsub-dead-letter-grants": {
        "no publisher": lambda it: it.iam("pubsub", dead(it), "roles/pubsub.publisher"),
        "no subscriber": lambda it: it.iam(
            "pubsub",
            f"/v1/{it.parent}/subscriptions/{it.topics['poll_shard']}",
            "roles/pubsub.viewer",
            AGENT,
        ),
        "no topic": lambda it: it.subscription("poll_shard").pop("deadLetterPolicy"),
    },
    "scheduler-identity": {
        "no token": lambda it: it.job["httpTarget"].pop("oidcToken"),
        "other function": lambda it: it.job["httpTarget"].update(uri=it.url("publish")),
        "not an invoker": lambda it: it.invokers("poll", "serviceAccount:other"),
    },
    "scheduler-deadline": {"default": lambda it: it.job.update(attemptDeadline="180s")},
    "scheduler-last-attempt": {
        "paused": lambda it: it.job.update(state="PAUSED"),
        "old": lambda it: it.job.update(lastAttemptTime="2026-01-01T00:00:00Z"),
        "never": lambda it: it.job.pop("lastAttemptTime"),
        "failed": lambda it: it.job.update(status={"code": 7}),
    },
    "storage-not-modified": {"unconditional": lambda it: it.answers.update(conditions_ignored=1)},
    "storage-list-order": {"unordered": lambda it: it.answers.update(order_ignored=1)},
    "storage-lifecycle": {
        "none": lambda it: it.rules.clear(),
        "by age": lambda it: it.rules.append(
            {"action": {"type": "Delete"}, "condition": {"age": 9}}
        ),
        "other days": lambda it: of(it, "poll").update(
            environmentVariables={"SMARTLINK_HISTORY_DAYS": "30"}
        ),
    },
    "run-ingress": {
        "answers": lambda it: it.knocks.update({(it.url("poll"), False): 200}),
        "all open": lambda it: [
            of(it, key).update(ingressSettings="ALLOW_ALL") for key in it.functions
        ],
    },
    "run-anonymous": {"lets in": lambda it: it.knocks.update({(it.url("publish"), False): 400})},
    "run-publisher-token": {"other": lambda it: it.knocks.update({(it.url("publish"), True): 404})},
    "run-settings": {
        "time-out": lambda it: of(it).update(timeoutSeconds=300),
        "memory": lambda it: of(it).update(availableMemory="256Mi"),
        "instances": lambda it: of(it, "poll").update(maxInstanceCount=2),
    },
    "run-active": {
        "failed": lambda it: it.functions["publish"].update(state="FAILED"),
        "traffic": lambda it: of(it).update(allTrafficOnLatestRevision=False),
    },
    "logging-fields": {
        "no line": lambda it: it.lines.clear(),
        "text": lambda it: it.line.pop("jsonPayload"),
        "no field": lambda it: it.line["jsonPayload"].pop("shardsLost"),
        "severity": lambda it: it.line.update(severity="DEFAULT"),
        "resource": lambda it: it.line["resource"].update(type="cloud_function"),
    },
    "logging-bucket": {
        "elsewhere": lambda it: it.sink.update(destination="storage.googleapis.com/b"),
        "disabled": lambda it: it.exclusion.update(disabled=True),
    },
    "logging-metrics": {
        "missing": lambda it: it.metrics.pop(),
        "not counted": lambda it: it.series.clear(),
    },
    "monitoring-alerts": {
        "missing": lambda it: it.policies.pop(),
        "disabled": lambda it: it.policies[0].update(enabled=False),
    },
    "monitoring-dashboard": {
        "missing": lambda it: it.boards.clear(),
        "empty": lambda it: it.boards[0].update(mosaicLayout={}),
    },
}
CASES = [
    pytest.param(name, change, id=f"{name}: {how}")
    for name, changes in OTHERWISE.items()
    for how, change in changes.items()
]


def test_each_of_them_is_tried_on_a_project_that_is_otherwise() -> None:
    assert sorted(OTHERWISE) == sorted(CLOUD_ONLY)


@pytest.mark.parametrize(("name", "change"), CASES)
def test_it_does_not_hold_where_something_is_otherwise(
    cloud: Cloud, name: str, change: Change
) -> None:
    change(cloud)
    found = place_of(cloud.config, cloud.scripted(), local=False)
    conditional = not cloud.answers.pop("conditions_ignored", 0)
    ordered = not cloud.answers.pop("order_ignored", 0)
    answer_objects(cloud, found, conditional=conditional, ordered=ordered)
    result = probe(name).result(found)
    assert result.verdict is Verdict.FAILS, result.seen
    assert result.seen


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        (
            "run-ingress",
            lambda it: it.knocks.update({(it.url("poll"), False): 403}),
            "inside the project's network",
        ),
        (
            "run-anonymous",
            lambda it: of(it, "publish").update(ingressSettings="ALLOW_INTERNAL_ONLY"),
            "nobody outside can ask it",
        ),
        (
            "run-publisher-token",
            lambda it: it.knocks.update({(it.url("publish"), True): 403}),
            "not among publish.invokers",
        ),
        (
            "run-publisher-token",
            lambda it: setattr(it, "token", UnansweredError("a person's account")),
            "a person's account",
        ),
    ],
)
def test_what_this_machine_cannot_ask_is_not_known(
    cloud: Cloud, name: str, change: Change, words: str
) -> None:
    """That is no failure, and the reason is said."""
    change(cloud)
    result = probe(name).result(place(cloud))
    assert result.verdict is Verdict.UNKNOWN
    assert words in result.seen


class Deaf(Scripted):
    """A Google that gives each call the same status."""

    def __init__(self, status: int) -> None:
        super().__init__({})
        self.status = status

    def call(self, service: str, *_: object, **__: object) -> Answer:
        return Answer(self.status, {"error": {"status": "SOME", "message": f"No {service}."}})

    def knock(self, *_: object) -> int:
        message = "no route"
        raise UnansweredError(message)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
@pytest.mark.parametrize("name", PROBES)
def test_a_missing_right_or_an_outage_tells_nothing_about_google(name: str, status: int) -> None:
    """No probe takes a refusal of the whole call for an answer to its question."""
    deaf = place_of(settings("accept-deaf"), Deaf(status), local=False)
    result = probe(name).result(deaf)
    assert result.verdict is Verdict.UNKNOWN, result.seen
    assert str(status) in result.seen


@pytest.mark.parametrize("name", PROBES)
def test_answers_of_another_form_are_no_confirmation(name: str) -> None:
    """Where Google's JSON lacks what it documents, nothing holds."""

    class Empty(Deaf):
        def call(self, *_: object, **__: object) -> Answer:
            return Answer(200, {})

    found = place_of(settings("accept-empty"), Empty(200), local=False)
    assert probe(name).result(found).verdict is Verdict.FAILS
