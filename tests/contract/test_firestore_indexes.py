"""`infra/firestore.json` holds the indexes that the queries need: production refuses without."""

import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import pytest
from google.cloud.firestore_v1 import types

from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.audit import NEWEST as AUDITED
from smartlink.adapters.firestore.effects import COLLECTION, put_effect
from smartlink.adapters.firestore.jobs import NEWEST, put_job
from smartlink.adapters.firestore.operator import (
    FILTERED,
    GROUPED,
    GROUPED_FIELDS,
    OPERATOR_QUERIES,
    PURGES,
)
from smartlink.adapters.firestore.store import (
    QUERIES,
    QueryShape,
    ended_in,
    logged_in,
    up_to,
)
from smartlink.adapters.firestore.values import Raw
from smartlink.domain.hourly import HourFigures
from smartlink.domain.message import Content, Ended, Ending, State
from tests.contract.test_jobs import FULL
from tests.support.samples import BEGUN, LATER, NOW, everything_set, line, owned, pending

T = TypeVar("T")
DECLARED: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "infra/firestore.json").read_text(encoding="utf-8")
)
UNINDEXED = {
    (item["collectionGroup"], item["fieldPath"])
    for item in DECLARED["fieldOverrides"]
    if not item["indexes"]
}
HOSTILE = {"Conteudo", "ConteudoObjeto", "UltimoErro", "Tentativas", "Execucao"}
"""Large, or personal, or a list of either: an index would copy it."""


def stored_names() -> dict[str, set[str]]:
    """Every field that each collection can have."""
    inline = replace(everything_set(text="\ud800"), personal=False)
    far = pending(content=Content("0", 1, object="x"))
    names: dict[str, set[str]] = defaultdict(set)
    for item in (inline, far):
        names[documents.LIVE] |= fields_of(documents.put_live, owned(item))
        ended = Ended(item, Ending.DONE, NOW, LATER)
        names[documents.HISTORY] |= fields_of(documents.put_history, ended)
    ended_effect = replace(BEGUN, ended=LATER, result="{}")
    names[COLLECTION] |= fields_of(put_effect, ended_effect)
    names[documents.JOBS] |= fields_of(put_job, FULL)
    names[documents.HOURS] |= fields_of(documents.put_hour, HourFigures(NOW))
    names[documents.LOGS] |= fields_of(
        documents.put_log, ("id", line(debug="x", became=State.DEAD))
    )
    return names


def fields_of(fill: Callable[[Any, T], None], value: T) -> set[str]:
    document = types.Document.pb()()
    fill(document.fields, value)
    return set(document.fields)


EVERY = (*QUERIES, *OPERATOR_QUERIES)


@pytest.mark.parametrize("shape", EVERY, ids=str)
def test_every_query_has_its_index(shape: QueryShape) -> None:
    """A range alone is served by the field's own index; with equalities it takes a composite."""
    if not shape.equal:
        assert (shape.collection, shape.range) not in UNINDEXED
    else:
        last = "DESCENDING" if shape.descending else "ASCENDING"
        equal = [{"fieldPath": name, "order": "ASCENDING"} for name in shape.equal]
        assert {
            "collectionGroup": shape.collection,
            "queryScope": "COLLECTION_GROUP" if shape.group else "COLLECTION",
            "fields": [*equal, {"fieldPath": shape.range, "order": last}],
        } in DECLARED["indexes"]


@pytest.mark.parametrize(("earliest", "bounds"), [(None, 1), (NOW, 2)])
@pytest.mark.parametrize("shape", QUERIES, ids=str)
def test_a_query_is_what_its_shape_says(
    shape: QueryShape, earliest: datetime | None, bounds: int
) -> None:
    query = up_to(shape, ["x" for _ in shape.equal], NOW, 3, earliest)
    filters = [item.field_filter for item in query.where.composite_filter.filters]
    assert [item.field.field_path for item in filters] == [*shape.equal, *bounds * [shape.range]]
    assert [item.field.field_path for item in query.order_by] == [shape.range]
    assert [(it.collection_id, it.all_descendants) for it in query.from_] == [
        (shape.collection, shape.group)
    ]


def test_what_goes_over_all_tenants_has_its_indexes() -> None:
    """Of the scope COLLECTION_GROUP, which Firestore makes none of by itself; and those that it
    would have made for one collection are declared beside them, or they would be gone."""
    for collection, equal, ranged in GROUPED:
        found = [
            [field["fieldPath"] for field in it["fields"]]
            for it in DECLARED["indexes"]
            if (it["collectionGroup"], it["queryScope"]) == (collection, "COLLECTION_GROUP")
        ]
        assert [*equal, ranged] in found
    overrides = {(it["collectionGroup"], it["fieldPath"]): it for it in DECLARED["fieldOverrides"]}
    for collection, names in GROUPED_FIELDS.items():
        for name in names:
            made = overrides[collection, name]["indexes"]
            kept = {it["order"] for it in made if it["queryScope"] == "COLLECTION"}
            assert "ASCENDING" in kept, "by which an equality finds"
            assert [it for it in made if it["queryScope"] == "COLLECTION_GROUP"]


def test_no_index_over_all_tenants_is_without_a_query() -> None:
    """Each bounds the writes of the whole project, where its last field is a time that rises."""
    wanted = {(collection, (*equal, ranged)) for collection, equal, ranged in GROUPED}
    wanted |= {(it.collection, (*it.equal, it.range)) for it in QUERIES if it.group}
    found = {
        (it["collectionGroup"], tuple(field["fieldPath"] for field in it["fields"]))
        for it in DECLARED["indexes"]
        if it["queryScope"] == "COLLECTION_GROUP"
    }
    assert found == wanted
    assert documents.LOGS not in {collection for collection, _ in found}


@pytest.mark.parametrize("query", [ended_in(NOW), logged_in(NOW, State.DEAD)], ids=str)
def test_what_an_hour_counts_has_its_index(query: Raw) -> None:
    """A count by an equality and a time has the order of the index that the lists use."""
    equal, *bounds = [
        it.field_filter.field.field_path for it in query.where.composite_filter.filters
    ]
    [order] = query.order_by
    assert bounds == 2 * [order.field.field_path]
    assert {
        "collectionGroup": query.from_[0].collection_id,
        "queryScope": "COLLECTION",
        "fields": [
            {"fieldPath": equal, "order": "ASCENDING"},
            {"fieldPath": order.field.field_path, "order": "DESCENDING"},
        ],
    } in DECLARED["indexes"]
    assert order.direction == types.StructuredQuery.Direction.DESCENDING


RANGED = {(shape.collection, shape.range) for shape in (*EVERY, *PURGES.values())}


@pytest.mark.parametrize("collection", [documents.HISTORY, documents.LOGS])
def test_what_is_kept_for_months_has_no_index_without_a_query(collection: str) -> None:
    """Each entry of an index is stored, and paid, as long as its document: about 200 bytes. One in
    descending order serves no equality; what nobody filters by needs none at all."""
    overrides = {
        it["fieldPath"]: [(index["order"], index["queryScope"]) for index in it["indexes"]]
        for it in DECLARED["fieldOverrides"]
        if it["collectionGroup"] == collection
    }
    grouped = GROUPED_FIELDS.get(collection, ())
    for name in stored_names()[collection]:
        wanted = set()
        if name in {*FILTERED[collection], *grouped}:
            wanted.add(("ASCENDING", "COLLECTION"))
        if (collection, name) in RANGED:
            wanted.add(("DESCENDING", "COLLECTION"))
        both = {("ASCENDING", "COLLECTION"), ("DESCENDING", "COLLECTION")}
        made = {it for it in overrides.get(name, both) if it[1] == "COLLECTION"}
        assert made == wanted, name


def test_the_jobs_of_some_tenants_have_their_index() -> None:
    """It serves the query whatever else is said of the fields: `Selecao` itself is exempt."""
    fields = [
        {"fieldPath": NEWEST.tenants, "arrayConfig": "CONTAINS"},
        {"fieldPath": NEWEST.time, "order": "DESCENDING"},
    ]
    wanted = {"collectionGroup": NEWEST.collection, "queryScope": "COLLECTION", "fields": fields}
    assert wanted in DECLARED["indexes"]


def test_the_audit_of_some_tenants_has_its_index() -> None:
    """In its own database, where it is the only one."""
    fields = [
        {"fieldPath": AUDITED.tenants, "arrayConfig": "CONTAINS"},
        {"fieldPath": AUDITED.time, "order": "DESCENDING"},
    ]
    wanted = {"collectionGroup": AUDITED.collection, "queryScope": "COLLECTION", "fields": fields}
    assert DECLARED["audit"] == {"indexes": [wanted]}


def test_no_index_is_without_a_query() -> None:
    needed = {(shape.collection, (*shape.equal, shape.range)) for shape in EVERY}
    needed.add((NEWEST.collection, (NEWEST.tenants, NEWEST.time)))
    needed |= {(collection, (*equal, ranged)) for collection, equal, ranged in GROUPED}
    for index in DECLARED["indexes"]:
        fields = tuple(field["fieldPath"] for field in index["fields"])
        assert (index["collectionGroup"], fields) in needed


def test_exemptions_name_fields_that_exist() -> None:
    """A renamed field would silently be indexed again."""
    names = stored_names()
    for collection, field in UNINDEXED:
        if collection in names:
            assert field in names[collection], (collection, field)


def test_contents_and_errors_are_not_indexed() -> None:
    """Of each collection that has them: the three of messages and their lines."""
    never = HOSTILE | {"LOGMENSAGEM", "DATADEBUG", "DataExpiracao"}
    stored = {(collection, name) for collection, names in stored_names().items() for name in names}
    hidden = {(collection, name) for collection, name in stored if name in never}
    assert hidden <= UNINDEXED
    assert {name for _, name in hidden} == never
    assert {documents.LIVE, documents.HISTORY, documents.LOGS} <= {it for it, _ in hidden}


def test_what_an_operator_filters_by_is_indexed() -> None:
    kept = {
        documents.LIVE: {
            "ID",
            "Comando",
            "Situacao",
            "DataTentativaExec",
            "MotivoMorte",
            "SolicitacaoId",
            "Titular",
        },
        documents.HISTORY: {"ID", "Comando", "Situacao", "DataFim", "SolicitacaoId", "Titular"},
        documents.LOGS: {"IDMENSAGEM", "LOGTYPE", "LOGDATE"},
        documents.JOBS: {"DataCriacao", documents.JOB_DUE, "Situacao"},
    }
    for collection, fields in kept.items():
        assert not {(collection, field) for field in fields} & UNINDEXED
        assert fields <= stored_names()[collection]


def test_what_has_ended_expires_and_the_living_do_not() -> None:
    expiring = {
        (item["collectionGroup"], item["fieldPath"])
        for item in DECLARED["fieldOverrides"]
        if item.get("ttl")
    }
    assert expiring == {
        (documents.HISTORY, "DataExpiracao"),
        (documents.LOGS, "DataExpiracao"),
        (COLLECTION, "DataExpiracao"),
        (documents.JOBS, "DataExpiracao"),
        (documents.HOURS, "DataExpiracao"),
    }
