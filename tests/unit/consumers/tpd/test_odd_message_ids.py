"""The broker gives the ids of messages: none is the consumers' to refuse."""

from pathlib import Path
from uuid import uuid5

import pytest
from sqlalchemy import create_engine, select, text

from consumers.sgdp.access_log import _NAMESPACE, _entry_id
from consumers.sgdp.database import access_log
from consumers.sgdp_data import answer_with_data
from consumers.sgdp_logs import answer_with_logs
from consumers.sgdp_mask import answer_with_exceptions
from smartlink.consumer import Consumer
from smartlink.domain.outcome import Done
from smartlink.testing import deliver, totvs

MAP = {
    "purposes": {"p": {"classification": "LEGAL_OBLIGATION", "justification": "x"}},
    "tables": {
        "t": {
            "class": "C",
            "group": "g",
            "description": "d",
            "key": ["id"],
            "columns": {
                "cpf": {
                    "description": "CPF",
                    "purposes": ["p"],
                    "identifier": "CPF",
                    "keep": "law",
                }
            },
        }
    },
}
ASKED = totvs({"requestID": "r", "identifiers": {"CPF": "01234567890"}})


@pytest.fixture
def erp(tmp_path: Path) -> dict[str, object]:
    url = f"sqlite:///{tmp_path / 'erp.db'}"
    with create_engine(url).begin() as connection:
        connection.execute(text("CREATE TABLE t (id INTEGER PRIMARY KEY, cpf VARCHAR(14))"))
        connection.execute(text("INSERT INTO t VALUES (1, '01234567890')"))
    return {"databaseUrl": url, "map": MAP}


@pytest.mark.parametrize("message_id", ["\ud800lone", "\udfff", "a\x00b", "x" * 8_000, "ação 😀"])
@pytest.mark.parametrize("consumer", [answer_with_data, answer_with_exceptions, answer_with_logs])
def test_a_message_of_any_id_is_answered(
    consumer: Consumer, message_id: str, erp: dict[str, object]
) -> None:
    """Half of a surrogate pair too, which a JSON escape can bring and UTF-8 cannot carry."""
    assert type(deliver(consumer, ASKED, message_id=message_id, erp=erp).verdict) is Done


def test_an_entry_of_the_access_log_keeps_its_id(erp: dict[str, object]) -> None:
    """It is a UUID of the message's id: a message that is delivered again adds no entry, nor
    does one that an older release had seen."""
    for _ in range(2):
        deliver(answer_with_data, ASKED, message_id="m-1", tenant="acme", erp=erp)
    with create_engine(str(erp["databaseUrl"])).begin() as connection:
        assert len(connection.execute(select(access_log)).all()) == 1
    assert _entry_id("acme/ação") == uuid5(_NAMESPACE, "acme/ação")
