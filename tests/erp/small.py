"""Small ERPs that a test builds of statements, on each database."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import create_engine

from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import RetryableError
from tests.support.tpd import SALT, Tpd

CPF = "01234567890"
NULL = {"rule": "null"}


def column(**more: object) -> dict[str, Any]:
    return {"description": "d", "purposes": ["q"], **more}


def table(columns: Mapping[str, object], *key: str, **more: object) -> dict[str, Any]:
    entry = {"class": "c", "group": "g", "description": "d", "columns": columns}
    return {**entry, "key": list(key or ("id",)), **more}


KEPT_CPF = column(identifier="CPF", keep="law")


def erp_of(erp: Tpd, tables: Mapping[str, dict[str, Any]], *statements: str) -> Tpd:
    """Run the statements, and give the tenant a map of these tables, each a class of its own."""
    engine = create_engine(erp.url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
    purpose = {"classification": "CONTRACT_EXECUTION", "justification": "x"}
    named = {name: {**entry, "class": name} for name, entry in tables.items()}
    data_map = {"purposes": {"q": purpose}, "tables": named}
    return replace(erp, secret={"databaseUrl": erp.url, "map": data_map, "salt": SALT})


def refusal(erp: Tpd) -> str:
    """The error of the map with which a request fails."""
    with pytest.raises(RetryableError) as caught:
        erp.run(data, {"requestID": "r", "identifiers": {"CPF": CPF}})
    said = str(caught.value)
    assert said.startswith("the secret smartlink-erp-acme cannot be used ("), said
    return said.partition("(")[2]


def rows(erp: Tpd, query: str) -> Sequence[tuple[Any, ...]]:
    with erp.engine.begin() as connection:
        return [tuple(row) for row in connection.exec_driver_sql(query)]


def masked(erp: Tpd, request: str = "r1", **identifiers: object) -> list[str]:
    """Mask a person; answers the log."""
    erp.run(mask, {"requestID": request, "identifiers": identifiers or {"CPF": CPF}}, request)
    return erp.lines


def found(erp: Tpd, **identifiers: object) -> dict[str, int]:
    """Count the rows that a data request answers with, by class."""
    content = erp.run(data, {"requestID": "d", "identifiers": identifiers or {"CPF": CPF}})
    groups = content["response"].values()
    return {name: len(them) for group in groups for name, them in group["models"].items()}
