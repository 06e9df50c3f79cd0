"""Google's answers to the checks of `make deploy`."""

from collections.abc import Mapping
from typing import Any

from infra.deploy.agents import AGENTS
from infra.deploy.cloud import Answer, Cloud
from infra.deploy.preflight import PERMISSIONS

NUMBER = "123456789012"
_DISABLED = {"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}


class FakeCloud:
    """All is well, but for what a test says: a part of a URL, and the answer to it."""

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers
        self.asked: list[str] = []
        self.policy: dict[str, Any] = {
            "etag": "1",
            "bindings": [{"role": it.role, "members": [it.member(NUMBER)]} for it in AGENTS],
        }
        self.changes: list[str] = []
        """The verbs of what was changed, in order."""
        self.refusals: list[Answer] = []
        """What the next writes of the policy are answered."""

    def get(self, url: str) -> Answer:
        """Answer for a project, a service, a quota or a bucket."""
        self.asked.append(url)
        if "consumerQuotaMetrics" in url:
            return self._answers.get("quota", Answer(403, {}))
        kind = next(
            part for part in ("operations", "services", "projects", "b") if f"/{part}/" in url
        )
        found = {"state": "ACTIVE", "name": f"projects/{NUMBER}"}
        return self._answers.get(kind, Answer(200, found))

    def post(self, url: str, document: Mapping[str, Any]) -> Answer:
        """Answer which permissions are held, read and write the policy, make agents."""
        self.asked.append(url)
        verb = url.rpartition(":")[2]
        if verb == "testIamPermissions":
            held = {"permissions": document["permissions"]}
            return self._answers.get("permissions", Answer(200, held))
        if verb == "getIamPolicy":
            return Answer(200, self.policy)
        if verb == "setIamPolicy":
            if self.refusals:
                return self.refusals.pop(0)
            self.policy = {**document["policy"], "etag": "2"}
        self.changes.append(verb)
        return self._answers.get(verb, Answer(200, {"name": "operations/1", "done": True}))


DISABLED = Answer(403, _DISABLED)
SOME = Answer(200, {"permissions": list(PERMISSIONS[1:])})

_: type[Cloud] = FakeCloud
