"""Files of rows: CSV and fixed width, each row is a model, and a wrong one is named."""

from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest

from smartlink.consumer import Context, FatalError, Payload, Reply, consumer
from smartlink.testing import deliver
from smartlink.types import Columns, RmDate, RmDecimal, csv_rows, fixed_width_rows

CANARY = "canary-529"


class Sale(Payload):
    """A row."""

    product: str
    price: RmDecimal
    sold: RmDate | None = None
    note: str = "-"


@pytest.mark.parametrize(
    ("text", "delimiter"),
    [
        ("Product;Price;Sold\nA;1.234,50;31/12/2026\n", None),
        ("PRODUCT,PRICE,SOLD\r\nA,1234.50,2026-12-31\r\n", None),
        ("product\tprice\tsold\nA\t1234.50\t2026-12-31", None),
        ("\ufeffproduct;price;sold\n\n A ; 1.234,50 ;31/12/2026\n;;\n", None),
        ("product|price|sold\nA|1.234,50|31/12/2026", "|"),
        ('product;price;sold;note\n"A";"1.234,50";31/12/2026;', ";"),
    ],
)
def test_csv(text: str, delimiter: str | None) -> None:
    """As people, ERPs and Excel write it; an empty cell is the field's default."""
    [row] = csv_rows(text, Sale, delimiter=delimiter)
    assert row == Sale(product="A", price=Decimal("1234.50"), sold=date(2026, 12, 31))


def test_a_quoted_cell_may_hold_anything() -> None:
    text = 'product;price\n"a ""b""; c\nd";1\n'
    assert csv_rows(text, Sale)[0].product == 'a "b"; c\nd'
    assert csv_rows("product;price\n", Sale) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"product;price\nA;{CANARY}\nB;1\nC;", "line 2: price: .*; line 4: price: missing"),
        (f"product;price\n{CANARY}\n", "line 2 has 1 cells, line 1 names 2"),
        (f'product;price\n"{CANARY};1\n', "line 2 is no CSV"),
        (f"price;Price\n{CANARY};1\n", "line 1 names a column twice"),
        ("", "line 1 names no columns"),
    ],
)
def test_csv_that_does_not_fit_is_fatal_and_quoted_nowhere(text: str, why: str) -> None:
    with pytest.raises(FatalError, match=why) as failed:
        csv_rows(text, Sale)
    assert CANARY not in str(failed.value)


class Entry(Payload):
    """A line of a bank's file."""

    account: Annotated[str, Columns(1, 6)]
    due: Annotated[RmDate, Columns(7, 16)]
    cents: Annotated[int, Columns(17, 24)]
    name: Annotated[str, Columns(25, 34)] = "-"


def test_fixed_width() -> None:
    """Zeros before a number, blanks behind a text, a line that ends early."""
    text = "\ufeff00012331/12/202600001050Ana       \r\n\r\n00045601/01/202700000001\n"
    one, other = fixed_width_rows(text, Entry)
    assert one == Entry(account="000123", due=date(2026, 12, 31), cents=1050, name="Ana")
    assert (other.account, other.cents, other.name) == ("000456", 1, "-")


def test_lines_that_do_not_fit_are_named() -> None:
    """All of them up to twenty, by their numbers in the file."""
    with pytest.raises(FatalError, match=r"line 1: cents: missing; line 3: due: .*cents") as failed:
        fixed_width_rows(f"00012331/12/2026\n\n000456{CANARY}xxxxxxxx", Entry)
    assert CANARY not in str(failed.value)
    with pytest.raises(FatalError) as failed:
        fixed_width_rows("x\n" * 1_000, Entry)
    assert str(failed.value).count("line ") == 20


def test_only_ends_of_lines_end_a_line() -> None:
    """Other separators of Unicode are signs like any other."""
    assert csv_rows("product;price\na\u2028b\x0cc;1\n", Sale)[0].product == "a\u2028b\x0cc"
    [row] = fixed_width_rows("000\u202823" + "31/12/2026" + "00001050\r\n", Entry)
    assert row.account == "000\u202823"


def test_a_field_without_columns_is_the_authors_mistake() -> None:
    with pytest.raises(TypeError, match=r"Sale.product: annotate it with its Columns"):
        fixed_width_rows("x", Sale)
    for first, last in ((0, 3), (4, 3)):
        with pytest.raises(ValueError, match="the first is 1"):
            Columns(first, last)


def test_a_consumer_of_a_windows_1252_file() -> None:
    @consumer("SalesCommand", encoding="windows-1252")
    def sales(text: str, context: Context) -> Reply:  # noqa: ARG001
        return Reply("Sold", {"total": sum(row.price for row in csv_rows(text, Sale))})

    content = "product;price\nMaçã;1,50\nPão;2,25\n".encode("windows-1252")
    assert deliver(sales, content).replied("Sold") == {"total": 3.75}
    deliver(sales, b"product;price\nA;x").is_fatal("line 2: price")
