"""RM's own forms of data, read exactly or refused."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from pydantic import TypeAdapter, ValidationError

from smartlink.consumer import Context, Payload, Reply, consumer
from smartlink.testing import deliver
from smartlink.types import Cnpj, Cpf, Guid, RmBool, RmDate, RmDateTime, RmDecimal

GUID = UUID("0f8fad5b-d9cb-469f-a165-70867728950e")
FORMS: list[tuple[Any, Any, Any]] = [
    (RmDecimal, "1.234,56", Decimal("1234.56")),
    (RmDecimal, "-1.234.567,5", Decimal("-1234567.5")),
    (RmDecimal, "1.234.567", Decimal(1234567)),
    (RmDecimal, "1.234", Decimal("1.234")),
    (RmDecimal, "1234,5", Decimal("1234.5")),
    (RmDecimal, "R$ 10,50", Decimal("10.50")),
    (RmDecimal, " 1234.560 ", Decimal("1234.560")),
    (RmDecimal, 10.1, Decimal("10.1")),
    (RmDecimal, 12345678901234567, Decimal(12345678901234567)),
    (RmDate, "2026-11-27", date(2026, 11, 27)),
    (RmDate, "27/11/2026", date(2026, 11, 27)),
    (RmDate, "27/11/2026 10:20:30", date(2026, 11, 27)),
    (RmDate, "2026-11-27T10:00:00", date(2026, 11, 27)),
    (RmDate, "/Date(1795737600000)/", date(2026, 11, 27)),
    (RmDate, "/Date(1795737600000-0300)/", date(2026, 11, 26)),
    (RmDate, 46353, date(2026, 11, 27)),
    (RmDateTime, r"\/Date(1700000000000)\/", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
    (RmDateTime, "27/11/2026 10:20", datetime(2026, 11, 27, 10, 20)),  # noqa: DTZ001
    (RmDateTime, 46353.5, datetime(2026, 11, 27, 12)),  # noqa: DTZ001
    (RmDateTime, -1.25, datetime(1899, 12, 29, 6)),  # noqa: DTZ001
    *((RmBool, value, True) for value in (True, 1, -1, "1", "T", "s", "Sim", "VERDADEIRO")),
    *((RmBool, value, False) for value in (False, 0, "0", "F", "N", "Não", "nao", "Falso")),
    (Guid, "{0F8FAD5B-D9CB-469F-A165-70867728950E}", GUID),
    (Guid, "(0f8fad5b-d9cb-469f-a165-70867728950e)", GUID),
    (Guid, "0f8fad5bd9cb469fa16570867728950e", GUID),
    (Cpf, "529.982.247-25", "52998224725"),
    (Cpf, "00000000191", "00000000191"),
    (Cpf, 191, "00000000191"),
    (Cnpj, "11.222.333/0001-81", "11222333000181"),
    (Cnpj, "12.abc.345/01de-35", "12ABC34501DE35"),
    (Cnpj, 191, "00000000000191"),
]


@pytest.mark.parametrize(("kind", "written", "value"), FORMS)
def test_each_form_is_read_exactly(kind: Any, written: object, value: object) -> None:  # noqa: ANN401
    read = TypeAdapter(kind).validate_python(written)
    assert read == value
    assert str(read) == str(value)


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        *((RmDecimal, it) for it in ("", "NaN", "Infinity", "1,2,3", "1.23,4.5", "1e9999", True)),
        *((RmDate, it) for it in ("31/02/2026", "2026-13-01", "/Date(99999999999999999)/", 9e9)),
        *((RmDateTime, it) for it in ("amanhã", float("nan"), float("inf"), True)),
        *((RmBool, it) for it in ("x", "", 2, 0.5, None)),
        *((Guid, it) for it in ("", "0f8fad5b")),
        *((Cpf, it) for it in ("52998224724", "11111111111", "529982247255", "", 1.5, True)),
        *((Cnpj, it) for it in ("12ABC34501DE36", "0" * 14, "12ABC34501DEA5", "")),
    ],
)
def test_everything_else_is_refused(kind: Any, written: object) -> None:  # noqa: ANN401
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(written)


class Invoice(Payload):
    total: RmDecimal
    customer: Cpf | Cnpj


@consumer("InvoiceCommand")
def invoice(payload: Invoice, context: Context) -> Reply:  # noqa: ARG001
    return Reply("InvoiceResponse", {"total": payload.total, "by": payload.customer})


def test_digits_survive_from_the_payload_to_the_reply() -> None:
    for written in ("12345678901234567.89", "10.10", '"1.234,50"'):
        sent = deliver(invoice, f'{{"total": {written}, "customer": "12.ABC.345/01DE-35"}}')
        number = written.strip('"').replace(".234,", "234.")
        assert sent.done().replies[0].text == f'{{"total":{number},"by":"12ABC34501DE35"}}'
