"""What a missing index costs, by the time that the first rows took and the table's size."""

from typing import Any, cast

import pytest
from sqlalchemy import Column, MetaData, String, Table

from consumers.sgdp.indexes import NeededIndex
from consumers.sgdp.inspection import indexes
from consumers.sgdp.inspection.findings import Level

TABLE = Table("invoices", MetaData(), Column("cpf", String))


@pytest.mark.parametrize(
    ("rows", "timed", "level", "said"),
    [
        (150_000, (50_000, 0.02), Level.NOTE, "reads 150,000 rows (9 MB)"),
        (150_000, (50_000, 0.04), Level.WARNING, "(9 MB), which takes about 0.1 s"),
        (5_000_000, (50_000, 0.05), Level.FAULT, "which takes about 5.0 s"),
        (10_000, (10_000, 3.0), Level.NOTE, "reads 10,000 rows (9 MB)"),  # few: a busy machine
        (20_000, (0, 0.0), Level.NOTE, "reads 20,000 rows (9 MB)"),  # its statistics are old
    ],
)
def test_its_level_follows_from_what_a_lookup_takes(
    rows: int,
    timed: tuple[int, float],
    level: Level,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(indexes, "_size", lambda *_: (rows, "9 MB"))
    monkeypatch.setattr(indexes, "_timed", lambda *_: timed)
    needed = NeededIndex("invoices", ("cpf",), ("cpf",), "CREATE INDEX …", exists=False)
    monkeypatch.setattr(indexes, "needed_indexes", lambda *_: [needed])
    model = type("Model", (), {"table": TABLE})
    (found,) = indexes.missing_indexes(cast("Any", None), cast("Any", [model]))
    assert found.level is level
    assert found.text.endswith(said)
    assert ("takes" in found.text) == (level is not Level.NOTE)
