"""A deployed project as Google's REST APIs show it, all of it as assumed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from infra.acceptance.firestore_admin import AUDITOR
from infra.acceptance.observability import ALERTS, METRICS
from smartlink.settings import Settings
from tests.acceptance.place import INDEXES, Scripted

REGION = "southamerica-east1"
AGENT = "serviceAccount:service-42@gcp-sa-pubsub.iam.gserviceaccount.com"


def composites(groups: str, declared: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A database's composite indexes, as the Admin API lists them."""
    return [
        {
            "name": f"{groups}/{it['collectionGroup']}/indexes/1",
            "queryScope": it["queryScope"],
            "state": "READY",
            "fields": [*it["fields"], {"fieldPath": "__name__", "order": "ASCENDING"}],
        }
        for it in declared["indexes"]
    ]


def single(field: str, index: Mapping[str, Any]) -> dict[str, Any]:
    """An index of one field, as the Admin API lists it."""
    fields = [{"fieldPath": field, "order": index["order"]}]
    return {"queryScope": index["queryScope"], "fields": fields, "state": "READY"}


class Cloud:
    """The answers of one project, to be changed by a test; `scripted` gives them to a probe."""

    def __init__(self, config: Settings) -> None:
        self.config = config
        self.parent = f"projects/{config.project}"
        self.at = f"{self.parent}/locations/{REGION}"
        self.answers: dict[str, Any] = {}
        self.knocks: dict[tuple[str, bool], int] = {}
        self.token: str | Exception = "token"
        catalog, shared = config.catalog, config.catalog.functions
        self.topics = {
            **{name: str(it.topic) for name, it in catalog.pushed.items()},
            **{f"consume-{name}": it.topic for name, it in catalog.commands.items()},
        }
        self.functions = {
            "poll": self._function("poll", shared.poll.timeout, shared.poll.memory, 1),
            **{
                name: self._function(name, it.timeout, it.memory, 3)
                for name, it in catalog.pushed.items()
            },
            "publish": self._function("publish", 60, 512, 3),
            **{
                f"consume-{name}": self._function(
                    "consume", shared.consume.timeout, it.memory, 4, name
                )
                for name, it in catalog.commands.items()
            },
        }
        self.functions["publish"]["serviceConfig"]["ingressSettings"] = "ALLOW_ALL"
        self._calls()
        self._firestore()
        self._storage()
        self._logging()

    def scripted(self) -> Scripted:
        return Scripted(self.answers, self.knocks, self.token)

    def url(self, key: str) -> str:
        return str(self.functions[key]["serviceConfig"]["uri"])

    def iam(self, service: str, path: str, role: str, *members: str, method: str = "GET") -> None:
        bindings = [{"role": role, "members": list(members)}]
        self.answers[f"{service} {method} {path}:getIamPolicy"] = {"bindings": bindings}

    def invokers(self, key: str, *members: str) -> None:
        name = self.functions[key]["name"].rpartition("/")[2]
        self.iam("run", f"/v2/{self.at}/services/{name}", "roles/run.invoker", *members)

    def subscription(self, key: str) -> Any:  # noqa: ANN401  (JSON)
        path = f"/v1/{self.parent}/subscriptions/{self.topics[key]}"
        return self.answers[f"pubsub GET {path}"]

    def account(self, name: str) -> str:
        return f"{name}@{self.config.project}.iam.gserviceaccount.com"

    def _function(
        self, target: str, timeout: int, memory: int, most: int, command: str = ""
    ) -> Any:  # noqa: ANN401  (JSON)
        name = f"smartlink-{(command or target).lower().replace('_', '-')}"
        environment = {"SMARTLINK_COMMAND": command} if command else {}
        return {
            "name": f"{self.at}/functions/{name}",
            "state": "ACTIVE",
            "buildConfig": {"entryPoint": target},
            "serviceConfig": {
                "uri": f"https://{name}-x.a.run.app",
                "timeoutSeconds": timeout,
                "availableMemory": f"{memory}Mi",
                "maxInstanceCount": most,
                "ingressSettings": "ALLOW_INTERNAL_ONLY",
                "allTrafficOnLatestRevision": True,
                "environmentVariables": {"SMARTLINK_HISTORY_DAYS": "90", **environment},
            },
        }

    def _calls(self) -> None:
        project = self.parent
        functions = list(self.functions.values())
        path = f"/v2/{project}/locations/-/functions"
        # Two pages: a probe must read both.
        self.answers[f"cloudfunctions GET {path}"] = lambda query: (
            {"functions": functions[2:]}
            if query.get("pageToken")
            else {"functions": functions[:2], "nextPageToken": "2"}
        )
        self.answers[f"cloudresourcemanager GET /v3/{project}"] = {"name": "projects/42"}
        for key, topic in self.topics.items():
            pusher, dead = self.account(f"push-{key.lower()}"), f"{project}/topics/{topic}-dead"
            self.answers[f"pubsub GET /v1/{project}/subscriptions/{topic}"] = {
                "pushConfig": {
                    "pushEndpoint": self.url(key),
                    "oidcToken": {"serviceAccountEmail": pusher, "audience": self.url(key)},
                },
                "ackDeadlineSeconds": 570,
                "expirationPolicy": {},
                "messageRetentionDuration": "600s" if key == "poll_shard" else "86400s",
                "deadLetterPolicy": {"deadLetterTopic": dead},
            }
            self.invokers(key, f"serviceAccount:{pusher}")
            role = "roles/iam.serviceAccountOpenIdTokenCreator"
            self.iam("iam", f"/v1/{project}/serviceAccounts/{pusher}", role, AGENT, method="POST")
            self.iam("pubsub", f"/v1/{dead}", "roles/pubsub.publisher", AGENT)
            subscription = f"/v1/{project}/subscriptions/{topic}"
            self.iam("pubsub", subscription, "roles/pubsub.subscriber", AGENT)
        caller = self.account("schedule")
        self.invokers("poll", f"serviceAccount:{caller}")
        self.job: dict[str, Any] = {
            "state": "ENABLED",
            "attemptDeadline": f"{self.config.catalog.functions.poll.timeout + 30}s",
            "lastAttemptTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S}.123456789Z",
            "status": {},
            "httpTarget": {
                "uri": f"{self.url('poll')}/",
                "oidcToken": {"serviceAccountEmail": caller, "audience": self.url("poll")},
            },
        }
        self.answers[f"cloudscheduler GET /v1/{self.at}/jobs/smartlink-poll"] = self.job
        self.knocks = {(self.url(key), False): 404 for key in self.functions}
        self.knocks[self.url("publish"), False] = 403
        self.knocks[self.url("publish"), True] = 400

    def _firestore(self) -> None:
        database = f"{self.parent}/databases/{self.config.firestore_database}"
        self.database = {"type": "FIRESTORE_NATIVE", "locationId": REGION}
        self.answers[f"firestore-admin GET /v1/{database}"] = self.database
        audit = f"firestore-admin GET /v1/{self.parent}/databases/smartlink-audit"
        self.answers[audit] = {"type": "FIRESTORE_NATIVE"}
        self.rights = list(AUDITOR)
        role = f"iam GET /v1/{self.parent}/roles/smartlinkAuditor"
        self.answers[role] = {"includedPermissions": self.rights}
        groups = f"{database}/collectionGroups"
        self.indexes = composites(groups, INDEXES)
        self.answers[f"firestore-admin GET /v1/{groups}/-/indexes"] = {"indexes": self.indexes}
        self.fields: list[Any] = [
            {
                "name": f"{groups}/{it['collectionGroup']}/fields/{it['fieldPath']}",
                "indexConfig": {
                    "indexes": [single(it["fieldPath"], index) for index in it["indexes"]]
                },
                **({"ttlConfig": {"state": "ACTIVE"}} if it.get("ttl") else {}),
            }
            for it in INDEXES["fieldOverrides"]
        ]
        self.answers[f"firestore-admin GET /v1/{groups}/-/fields"] = self._overridden
        groups = f"{self.parent}/databases/smartlink-audit/collectionGroups"
        self.audit_indexes = composites(groups, INDEXES["audit"])
        self.answers[f"firestore-admin GET /v1/{groups}/-/indexes"] = {
            "indexes": self.audit_indexes
        }
        self.answers[f"firestore-admin GET /v1/{groups}/-/fields"] = {}

    def _overridden(self, query: Mapping[str, str]) -> Any:  # noqa: ANN401  (JSON)
        expired = query["filter"] == "ttlConfig:*"
        return {"fields": [it for it in self.fields if not expired or "ttlConfig" in it]}

    def _storage(self) -> None:
        rule = {"action": {"type": "Delete"}, "condition": {"daysSinceCustomTime": 90}}
        self.rules = [rule]
        path = f"/storage/v1/b/{self.config.bucket}"
        self.answers[f"storage GET {path}"] = {"lifecycle": {"rule": self.rules}}

    def _logging(self) -> None:
        project = self.parent
        self.line: dict[str, Any] = {
            "severity": "INFO",
            "resource": {
                "type": "cloud_run_revision",
                "labels": {"service_name": "smartlink-poll"},
            },
            "jsonPayload": {"action": "poll_done", "seconds": 1, "shardsLost": 0, "tenants": 2},
        }
        self.lines = [self.line]
        self.answers["logging POST /v2/entries:list"] = {"entries": self.lines}
        bucket = f"logging.googleapis.com/{self.at}/buckets/smartlink"
        self.sink: dict[str, Any] = {"name": "smartlink", "destination": bucket}
        self.exclusion: dict[str, Any] = {"name": "smartlink-has-its-own-bucket"}
        self.answers[f"logging GET /v2/{project}/sinks/smartlink"] = self.sink
        path = f"/v2/{project}/exclusions/smartlink-has-its-own-bucket"
        self.answers[f"logging GET {path}"] = self.exclusion
        self.metrics = [{"name": f"smartlink/{name}"} for name in METRICS]
        self.answers[f"logging GET /v2/{project}/metrics"] = {"metrics": self.metrics}
        self.series = [{"points": [{"value": {"int64Value": "3"}}]}]
        self.answers[f"monitoring GET /v3/{project}/timeSeries"] = {"timeSeries": self.series}
        self.policies = [{"displayName": f"Smart Link: {it}", "enabled": True} for it in ALERTS]
        policies = {"alertPolicies": self.policies}
        self.answers[f"monitoring GET /v3/{project}/alertPolicies"] = policies
        self.boards: list[Any] = [
            {"displayName": "Smart Link (development)", "mosaicLayout": {"tiles": [{}]}}
        ]
        self.answers[f"monitoring GET /v1/{project}/dashboards"] = {"dashboards": self.boards}
