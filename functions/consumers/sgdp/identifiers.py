"""How TPD names a person, in a form that can be compared."""

import re
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator, Field, RootModel

from consumers.sgdp.personal_data import IDENTIFIER
from smartlink.consumer import FatalError

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

_LENGTH = 254  # characters; an e-mail address has no more
_USUAL = ("CPF", "RG", "EMAIL")
WEAK = ("RG", "EMAIL")
"""Identifiers that prove nobody: an RG is one person's only within a state; families share
e-mails."""


def _class(ranges: tuple[tuple[str, str], ...]) -> re.Pattern[str]:
    return re.compile("[" + "".join(f"\\u{ord(a):04x}-\\u{ord(b):04x}" for a, b in ranges) + "]")


_NOT_IN_NUMBERS, _NOT_IN_ADDRESSES = _class(MARKS), _class(ADDRESS_MARKS)
_TO_UPPER, _TO_LOWER = str.maketrans(LOWER, UPPER), str.maketrans(UPPER, LOWER)


def storable(text: str) -> str:
    """Refuse, as pydantic's validator, what some databases cannot take: NUL, half surrogates."""
    if "\0" in text or re.search("[\ud800-\udfff]", text):
        message = "it has characters that no database can hold"
        raise ValueError(message)
    return text


def _text(value: object) -> object:
    """Numbers as texts, blanks as absent; what else it may be, pydantic refuses."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return storable(value.strip()) or None if isinstance(value, str) else value


def _named(value: object) -> object:
    """Names in capitals; of the unusual ones, what no map can name or hold is ignored."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return value
    cased = {str(name).upper(): item for name, item in value.items()}
    return {name: item for name, item in cased.items() if name in _USUAL or _usable(name, item)}


def _usable(name: str, value: object) -> bool:
    text = isinstance(value, str | int) and len(str(value)) <= _LENGTH
    return text and re.fullmatch(IDENTIFIER, name) is not None


_Text = Annotated[Annotated[str, Field(max_length=_LENGTH)] | None, BeforeValidator(_text)]
_Named = Annotated[dict[str, _Text], Field(max_length=20), BeforeValidator(_named)]


class Identifiers(RootModel[_Named]):
    """By the identifier's name in capitals: CPF, RG, EMAIL, and others that a map knows."""

    root: _Named = Field(default_factory=dict)

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        """Name the identifiers, without what they hold: a root model would show that."""
        yield from ((name, "…") for name in self.root)

    @property
    def empty(self) -> bool:
        """Whether none is given."""
        return not any(self.root.values())

    @property
    def cpf(self) -> str | None:
        """The CPF's digits, if one is given."""
        text = self.root.get("CPF")
        return canonical("CPF", text) if text else None

    def strongest_first(self, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield those that are given and known, comparable: CPF first, RG and e-mail last."""
        kinds = sorted(kind for kind in set(self.root) & set(known) - {"CPF", *WEAK})
        for kind in ("CPF", *kinds, *WEAK):
            value = canonical(kind, self.root.get(kind) or "")
            if kind in known and value.strip("0"):  # of nothing but punctuation nothing is left
                yield kind, value

    def needed(self, known: Collection[str]) -> "Identifiers":
        """Return these, or raise FatalError if nobody can be looked for by them."""
        if self.cpf and not (is_cpf(self.cpf) and self.cpf.strip("0")):
            message = "the request's CPF is none: send it again with one of 11 digits"
            raise FatalError(message)
        if not any(self.strongest_first(known)):
            message = (
                f"the request has no identifier that the ERP's personal data map knows "
                f"({', '.join(sorted(known))}): send it again with one"
            )
            raise FatalError(message)
        return self


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
