"""What masking writes: of the value's shape, the same each time, never the value."""

from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.sgdp.identifiers import canonical, punctuated_cpf
from consumers.sgdp.pseudonyms import faked, hashed, truncated
from smartlink.types import check_digits

SALT = b"a salt"
digits = st.from_regex(r"\A[0-9]{9}\Z").map(lambda base: base + check_digits(base))


@given(digits)
def test_a_fake_cpf_is_valid(cpf: str) -> None:
    """Right check digits, the same in either form, and somebody else's or nobody's."""
    fake = faked(SALT, "CPF", cpf, 11)
    assert fake != cpf
    assert check_digits(fake[:9]) == fake[9:]
    assert faked(SALT, "CPF", punctuated_cpf(cpf), 14) == punctuated_cpf(fake)


@given(st.text(min_size=1, max_size=80), st.sampled_from([None, "RG", "EMAIL", "CPF"]))
def test_any_text(value: str, kind: str | None) -> None:
    """Every text has a pseudonym that fits the column, and the same one each time."""
    length = max(10, len(value))
    for draw in (hashed, faked):
        assert draw(SALT, kind, value, length) == draw(SALT, kind, value, length)
        assert len(draw(SALT, kind, value, length)) <= length
    if any(char.isalnum() for char in canonical(kind, value)) and kind is None:
        assert faked(SALT, kind, value, length) != value or not value.isascii()


def test_a_fake_keeps_the_shape() -> None:
    """Digits for digits, letters for letters of their case, the rest as it is."""
    value = "Rua João XV, 1.234-A"
    fake = faked(SALT, None, value, 200)
    shape = [(it.isdigit(), it.isupper(), it.islower()) for it in value]
    assert [(it.isdigit(), it.isupper(), it.islower()) for it in fake] == shape
    assert fake != value


def test_a_fake_address_reaches_nobody() -> None:
    """No mail server has a host under `.invalid`."""
    assert faked(SALT, "EMAIL", "Ana.Lima@empresa.com.br", 254).endswith("@anonimo.invalid")


def test_one_value_one_pseudonym() -> None:
    """Whatever its punctuation or casing; another salt, value or identifier gives another."""
    same = {hashed(SALT, "CPF", it, 14) for it in ("529.982.247-25", "52998224725")}
    same |= {hashed(SALT, "CPF", "52998224725   ", 14)}
    assert len(same) == 1
    others = {
        hashed(b"another salt", "CPF", "52998224725", 14),
        hashed(SALT, "PIS", "52998224725", 14),
        hashed(SALT, "CPF", "11144477735", 14),
    }
    assert len(same | others) == 4


@pytest.mark.parametrize(
    ("value", "to", "left"),
    [
        (date(1980, 5, 17), "year", date(1980, 1, 1)),
        (date(1980, 5, 17), "month", date(1980, 5, 1)),
        (datetime(1980, 5, 17, 8, 30), "month", datetime(1980, 5, 1)),  # noqa: DTZ001
    ],
)
def test_truncated(value: date, to: str, left: date) -> None:
    """A year or a month is left, at its first instant."""
    assert truncated(value, to) == left
    assert truncated(left, to) == left
