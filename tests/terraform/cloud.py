"""Google's answers to the checks of `make deploy`."""

from collections.abc import Mapping
from typing import Any

from infra.deploy.cloud import Answer, Cloud
from infra.deploy.preflight import PERMISSIONS

_DISABLED = {"error": {"details": [{"reason": "SERVICE_DISABLED"}]}}


class FakeCloud:
    """All is well, but for what a test says: a part of a URL, and the answer to it."""

    def __init__(self, **answers: Answer) -> None:
        self._answers = answers
        self.asked: list[str] = []

    def get(self, url: str) -> Answer:
        """Answer for a project, a service or a bucket."""
        self.asked.append(url)
        kind = next(part for part in ("services", "projects", "b") if f"/{part}/" in url)
        return self._answers.get(kind, Answer(200, {"state": "ACTIVE"}))

    def post(self, url: str, document: Mapping[str, Any]) -> Answer:
        """Answer which of the permissions are held."""
        self.asked.append(url)
        held = {"permissions": document["permissions"]}
        return self._answers.get("permissions", Answer(200, held))


DISABLED = Answer(403, _DISABLED)
SOME = Answer(200, {"permissions": list(PERMISSIONS[1:])})

_: type[Cloud] = FakeCloud
