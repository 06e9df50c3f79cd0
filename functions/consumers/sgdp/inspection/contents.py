"""How a column looks personal by its content: check digits, e-mails, phones, births, names.

`smartlink.types` knows the check digits of CPF and CNPJ, `validate-docbr` those of the others,
`phonenumbers` Brazil's telephone numbers.
Presidio's recognisers were weighed and left: of Brazilian documents they know none, and they need
spaCy with a model of the language.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import phonenumbers
from validate_docbr import CNS, PIS, TituloEleitoral

from consumers.sgdp.identifiers import CPF_DIGITS
from consumers.sgdp.inspection.names import Kind
from smartlink.types import check_digits

_PIS, _CNS, _VOTER = PIS(), CNS(), TituloEleitoral()
_EMAIL = re.compile(r"[^\s@;,<>()]+@[^\s@;,<>()]+\.[a-z]{2,}", re.IGNORECASE)
_CPF_WITHIN = re.compile(r"(?<![\d./-])\d{3}\.?\d{3}\.?\d{3}[-/.]?\d{2}(?![\d/-])")
_PHONE_MARKS = re.compile(r"[\s().+/-]*(?:\d[\s().+/-]*){10,13}")
_DATE = re.compile(
    r"(\d{4})-?(\d{2})-?(\d{2})(?:[ T]00:00(?::00(?:\.0+)?)?)?|(\d{2})/(\d{2})/(\d{4})"
)
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019.-][^\W\d_]+)*\.?", re.UNICODE)
_PARTICLES = frozenset(("da", "de", "do", "das", "dos", "e", "di", "del", "von", "van"))

# The commonest first names of Brazil's census, without accents: most people have one of these.
_FIRST_NAMES = frozenset((Path(__file__).parent / "first_names.txt").read_text().split())


@dataclass(frozen=True, slots=True)
class Seen:
    """What a sample of a column looks like."""

    kind: Kind
    share: float  # of its values
    within: bool = False  # in the middle of longer texts


def looks_by_content(values: Sequence[str], today: date, *, of_date: bool) -> Seen | None:
    """Tells what the values look like; None if they look like nothing personal.

    `values` are texts without blanks around them, none of them empty.
    """
    if not values:
        return None
    if of_date or _share(values, _is_date) >= _MOST:
        return _births(values, today)
    for kind, (test, least) in _TESTS.items():
        share = _share(values, test)
        if share >= least and _varied(values, test):
            return Seen(kind, share)
    within = [(kind, _share(values, test)) for kind, test in _WITHIN.items()]
    found = [(kind, share) for kind, share in within if share >= _ANY_WITHIN]
    return Seen(found[0][0], found[0][1], within=True) if found else None


def is_cpf_written(value: str) -> bool:
    """Tells whether a text is a CPF, punctuated in any way."""
    digits = _digits(value, ".-/ ")
    return len(digits) == CPF_DIGITS and _is_checked(digits, 11)


def _is_cpf_number(value: str) -> bool:
    """Tells whether a text is a CPF, which may have lost one or two leading zeros."""
    digits = _digits(value, ".-/ ")
    few = CPF_DIGITS - 2
    return few <= len(digits) <= CPF_DIGITS and _is_checked(digits.zfill(CPF_DIGITS), 11)


def _is_cnpj(value: str) -> bool:
    text = re.sub(r"[./\-\s]", "", value).upper()
    return re.fullmatch(r"[0-9A-Z]{12}[0-9]{2}", text) is not None and _is_checked(text, 9)


def _is_checked(signs: str, most: int) -> bool:
    """Tells whether a CPF's or CNPJ's last two digits are right; one repeated is nobody's."""
    return len(set(signs)) > 1 and signs[-2:] == check_digits(signs[:-2], most)


def _is_pis(value: str) -> bool:
    digits = _digits(value, ".- ")
    return len(digits) == 11 and len(set(digits)) > 1 and _PIS.validate(digits)  # noqa: PLR2004


def _is_document(value: str) -> bool:
    digits = _digits(value, " .-/")
    if len(set(digits)) < 3:  # noqa: PLR2004  (zeros and the like are no document)
        return False
    if len(digits) == 15:  # noqa: PLR2004
        return _CNS.validate(digits)
    return len(digits) == 12 and _VOTER.validate(digits)  # noqa: PLR2004


def _is_email(value: str) -> bool:
    return _EMAIL.fullmatch(value) is not None


@lru_cache(maxsize=10_000)
def _is_phone(value: str) -> bool:
    if _PHONE_MARKS.fullmatch(value) is None or (value.isdigit() and len(value) not in (10, 11)):
        return False
    try:
        number = phonenumbers.parse(value, "BR")
    except phonenumbers.NumberParseException:
        return False
    return phonenumbers.is_valid_number(number)


def _is_name(value: str) -> bool:
    """Tells whether a text is two words or more, of letters only, as names are written."""
    words = value.split()
    return 2 <= len(words) <= 8 and all(  # noqa: PLR2004
        _WORD.fullmatch(word) and (word[0].isupper() or word.startswith("d'"))
        for word in words
        if word.lower() not in _PARTICLES
    )


def _is_known_name(value: str) -> bool:
    words = value.split()
    return _is_name(value) and _fold(words[0]) in _FIRST_NAMES


def _names_within(value: str) -> bool:
    words = re.findall(r"[^\W\d_]+", value)
    return any(
        word[0].isupper() and _fold(word) in _FIRST_NAMES and after[0].isupper()
        for word, after in pairwise(words)
    )


def _cpf_within(value: str) -> bool:
    return any(is_cpf_written(found) for found in _CPF_WITHIN.findall(value))


def _phone_within(value: str) -> bool:
    matcher = phonenumbers.PhoneNumberMatcher(value, "BR", leniency=phonenumbers.Leniency.VALID)
    return any("(" in it.raw_string or "+" in it.raw_string for it in matcher)


def _births(values: Sequence[str], today: date) -> Seen | None:
    """Tells whether most dates fit people of 14 to 100 years, and span a generation."""
    dates = [found for value in values if (found := _date(value))]
    if len(dates) < _FEW or len(dates) < _MOST * len(values):
        return None
    oldest, youngest = today - timedelta(days=36_525), today - timedelta(days=14 * 365)
    grown = sum(oldest <= it <= youngest for it in dates) / len(dates)
    ordered = sorted(dates)
    span = ordered[len(dates) * 9 // 10] - ordered[len(dates) // 10]
    wide = span >= timedelta(days=18 * 365) and ordered[-1] <= today
    median = ordered[len(dates) // 2]
    old = median <= today - timedelta(days=25 * 365)
    return Seen(Kind.BIRTH, grown) if grown >= _MOST and wide and old else None


def _is_date(value: str) -> bool:
    return _date(value) is not None


def _date(value: str) -> date | None:
    """Reads a date without a time: ISO 8601, Protheus' YYYYMMDD, or Brazil's DD/MM/YYYY."""
    match = _DATE.fullmatch(value)
    if match is None:
        return None
    parts = match.group(1, 2, 3) if match[1] else match.group(6, 5, 4)
    year, month, day = (int(part) for part in parts)
    try:
        return date(year, month, day) if 1890 <= year <= 2100 else None  # noqa: PLR2004
    except ValueError:
        return None


def _share(values: Sequence[str], test: Callable[[str], bool]) -> float:
    return sum(map(test, values)) / len(values)


def _varied(values: Sequence[str], test: Callable[[str], bool]) -> bool:
    """Tells whether more than one value fits: a default value is nobody's."""
    counts = Counter(value for value in values if test(value))
    return len(counts) > 1 or len(values) == 1


def _digits(value: str, marks: str) -> str:
    bare = "".join(char for char in value if char not in marks)
    return bare if bare.isascii() and bare.isdigit() else ""


def _fold(word: str) -> str:
    return word.lower().translate(_ACCENTS)


_ACCENTS = str.maketrans("áàâãäéèêëíìîïóòôõöúùûüçñ", "aaaaaeeeeiiiiooooouuuucn")
_FEW = 5
_MOST = 0.8
_SOME = 0.3
_ANY_WITHIN = 0.02
# The order decides where a number could be two: one in a hundred CPFs is also a valid PIS.
_TESTS: Mapping[Kind, tuple[Callable[[str], bool], float]] = {
    Kind.EMAIL: (_is_email, _SOME),
    Kind.CPF: (_is_cpf_number, 0.1),  # companies' numbers may share the column
    Kind.CNPJ: (_is_cnpj, _SOME),
    Kind.PIS: (_is_pis, 0.5),  # one check digit: one number in eleven is valid by chance
    Kind.DOCUMENT: (_is_document, 0.5),
    Kind.PHONE: (_is_phone, 0.6),  # of ten digits by chance, one number in three
    Kind.NAME: (_is_known_name, _SOME),
}
_WITHIN: Mapping[Kind, Callable[[str], bool]] = {
    Kind.CPF: _cpf_within,
    Kind.EMAIL: lambda value: _EMAIL.search(value) is not None,
    Kind.PHONE: _phone_within,
    Kind.NAME: _names_within,
}
