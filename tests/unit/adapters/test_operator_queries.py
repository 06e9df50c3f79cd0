"""Every query of an operator has its index: Firestore's own, or one that is declared."""

import json
from collections.abc import Iterator
from datetime import timedelta
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore.operator import (
    FILTERED,
    HISTORY_BY,
    LINES_BY_TYPE,
    PURGES,
    OperatorCalls,
    OperatorFirestore,
)
from smartlink.domain.message import LogType
from smartlink.operations.ports import EndedQuery
from tests.support.samples import NOW

DECLARED = json.loads((Path(__file__).parents[3] / "infra/firestore.json").read_bytes())


def test_what_is_filtered_is_indexed() -> None:
    """Fields that are exempt from indexing cannot be filtered or ordered by."""
    exempt = {
        (it["collectionGroup"], it["fieldPath"])
        for it in DECLARED["fieldOverrides"]
        if not it["indexes"]
    }
    used = {(collection, name) for collection, names in FILTERED.items() for name in names}
    used |= {(shape.collection, shape.range) for shape in PURGES.values()}
    assert not used & exempt


class Asked(OperatorCalls):
    """Keeps the queries that are asked, and finds nothing."""

    def __init__(self) -> None:
        super().__init__("project", emulator="127.0.0.1:9")
        self.queries: list[Any] = []

    def query(self, what: str, parent: str, query: Any) -> list[Any]:  # noqa: ANN401
        assert what
        assert parent.endswith("tenants/acme")
        self.queries.append(query)
        return []


def every(found: Iterator[object]) -> None:
    assert list(found) == []


COMBINED = [
    names for number in range(len(HISTORY_BY) + 1) for names in combinations(HISTORY_BY, number)
]


@pytest.mark.parametrize("names", COMBINED, ids=str)
def test_a_query_of_the_history_uses_the_declared_indexes(names: tuple[str, ...]) -> None:
    """Each filter has its own index with the same order: Firestore merges them."""
    asked = Asked()
    wanted = EndedQuery(dict.fromkeys(names, "x"), NOW, NOW + timedelta(days=1))
    every(OperatorFirestore(asked).scan_ended("acme", wanted))
    check(asked, {HISTORY_BY[name].equal[0] for name in names}, "DataFim", bounds=2)


@pytest.mark.parametrize("least", LogType)
def test_a_query_of_the_lines_uses_the_declared_index(least: LogType) -> None:
    asked = Asked()
    every(OperatorFirestore(asked).newest_lines("acme", None, least))
    equal = set(LINES_BY_TYPE.equal) if least else set()
    check(asked, equal, "LOGDATE", bounds=0)


def check(asked: Asked, equal: set[str], by: str, bounds: int) -> None:
    [query] = asked.queries
    conditions = [it.field_filter for it in query.where.composite_filter.filters]
    operators = types.StructuredQuery.FieldFilter.Operator
    alike = {operators.EQUAL, operators.IN}
    assert {it.field.field_path for it in conditions if it.op in alike} == equal
    assert [it.field.field_path for it in conditions if it.op not in alike] == [by] * bounds
    assert [it.field.field_path for it in query.order_by] == [by, "__name__"]
    descending = types.StructuredQuery.Direction.DESCENDING
    assert {it.direction for it in query.order_by} == {descending}
