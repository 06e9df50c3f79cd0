"""What `doctor` says of the function `publish`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from smartlink.operations.health import checks
from tests.unit.operations.desk import Desk, Ground


@dataclass
class Cloud(Ground):
    """A cloud whose `publish` answers a call without an identity so."""

    status: int | None = None

    def disabled_apis(self, names: Sequence[str]) -> list[str]:
        assert names
        return []

    def missing_indexes(self) -> tuple[int, int]:
        return 0, 1

    def need_topic(self, topic: str) -> None:
        assert topic

    def need_subscription(self, subscription: str) -> None:
        assert subscription

    def functions(self) -> Mapping[str, bool]:
        return {"smartlink-publish": True}

    def publish_status(self) -> int | None:
        return self.status


@pytest.mark.parametrize(
    ("status", "holds", "said"),
    [
        (403, True, "wants an identity token"),
        (401, True, "wants an identity token"),
        (404, True, "callers outside the project's VPC networks get 404"),
        (None, True, "not looked at"),
        (200, False, "answered 200 to a call without an identity"),
        (500, False, "answered 500"),
    ],
)
def test_from_where_publish_answers(status: int | None, said: str, *, holds: bool) -> None:
    desk = replace(Desk(), platform=Cloud(status=status))
    found = next(it for it in checks(cast("Any", desk)) if it.name == "publish")
    assert found.holds is holds
    assert said in found.text
