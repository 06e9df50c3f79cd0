"""How TPD names a person, in a form that can be compared."""

import re
from decimal import Decimal

CPF_DIGITS = 11
NUMBERS = {"CPF": CPF_DIGITS, "CNPJ": 14}
"""Identifiers of a known length: who held one as a number has lost its leading zeros."""

_LATIN = (("\u00e0", "\u00f6"), ("\u00f8", "\u00fe"))
LOWER = "".join(
    chr(code) for first, last in (("a", "z"), *_LATIN) for code in range(ord(first), ord(last) + 1)
)
"""The letters whose casing does not tell two identifiers apart: those of Western Europe."""

UPPER = LOWER.upper()

MARKS = (
    ("\x01", "/"),
    (":", "@"),
    ("[", "`"),
    ("{", "\u00bf"),  # the no-break blank and the soft hyphen are in it
    ("\u00d7", "\u00d7"),
    ("\u00f7", "\u00f7"),
    ("\u2000", "\u206f"),  # blanks of all widths, dashes, quotation marks, what is invisible
    ("\u2212", "\u2212"),  # the minus sign
    ("\u3000", "\u3000"),  # the ideographic blank
    ("\ufeff", "\ufeff"),  # the mark with which some files begin
)
"""What a document's number is compared without: blanks and punctuation, as ranges."""

ADDRESS_MARKS = (
    ("\x01", " "),
    ('"', '"'),
    ("(", ")"),
    (",", ","),
    (":", "<"),
    (">", ">"),
    ("\x7f", "\u00a0"),
    ("\u00ad", "\u00ad"),
    ("\u2000", "\u206f"),
    ("\u3000", "\u3000"),
    ("\ufeff", "\ufeff"),
)
"""What an e-mail address is compared without: blanks, and what stands around an address."""

WEAK = ("RG", "EMAIL")
"""Identifiers that prove nobody: an RG is one person's only within a state; families share
e-mails."""


def _class(ranges: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    return re.compile("[" + "".join(f"\\u{ord(a):04x}-\\u{ord(b):04x}" for a, b in ranges) + "]")


_NOT_IN_NUMBERS, _NOT_IN_ADDRESSES = _class(MARKS), _class(ADDRESS_MARKS)
_TO_UPPER, _TO_LOWER = str.maketrans(LOWER, UPPER), str.maketrans(UPPER, LOWER)


def canonical(kind: str | None, text: str) -> str:
    """Bring a value into the form in which two writings of it are equal.

    `comparison.py` says the same in SQL: what is changed here is changed there.
    """
    if kind is None:
        return text.rstrip()  # fixed-length columns are padded
    if kind == "EMAIL":
        return _NOT_IN_ADDRESSES.sub("", text.translate(_TO_LOWER))
    if kind in NUMBERS:
        # A spreadsheet writes a number's text as 1234567890.0.
        text = re.sub(r"^ *([0-9]+)\.0 *$", r"\1", text)
        return plain(text).lstrip("0").zfill(NUMBERS[kind])
    return plain(text)


def plain(text: str) -> str:
    """Strip a document's number of blanks and punctuation, and write its letters in capitals."""
    return _NOT_IN_NUMBERS.sub("", text.translate(_TO_UPPER))


def written(value: object) -> str:
    """Write a stored identifier as a text; of a number that is whole, no decimals."""
    if isinstance(value, float):
        value = Decimal(value)
    if isinstance(value, Decimal) and value.is_finite() and value == value.to_integral_value():
        return format(value.to_integral_value(), "f")
    return str(value)


def is_cpf(text: str) -> bool:
    """Tell whether a canonical text has a CPF's form."""
    return re.fullmatch(rf"[0-9]{{{CPF_DIGITS}}}", text) is not None


def is_somebodys_cpf(text: str) -> bool:
    """Tell whether a canonical text may be a person's CPF: 000.000.000-00 and its like are
    nobody's, nor is a pseudonym."""
    return is_cpf(text) and len(set(text)) > 1


def punctuated_cpf(digits: str) -> str:
    """Write a CPF as people do."""
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"
