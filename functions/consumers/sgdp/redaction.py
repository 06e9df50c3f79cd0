"""Finds what names a person within a free text, however it is written there."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from consumers.sgdp.identifiers import canonical, written
from consumers.sgdp.model import Attribute
from consumers.sgdp.person import Record

INSTEAD = "***"  # not longer than anything that it replaces, so the text still fits its column

_LEAST_LETTERS = 3  # of a part of a name that is replaced where it stands alone
_LEAST_CHARACTERS = 5  # of a document's number
_LEAST_DIGITS = 7  # of a phone
_PARTICLES = frozenset({"das", "dos", "del", "van", "von", "the"})
_LOCAL, _MOBILE = 8, 9  # digits of a Brazilian phone without its area
_GAP = "[^0-9a-z]{0,3}"  # between two characters of a number
_WORDS = "[\\W_]{1,3}"  # between two parts of a name


@dataclass(frozen=True, slots=True)
class Redaction:
    """The texts that name a person, as patterns."""

    patterns: tuple[re.Pattern[str], ...] = ()

    def apply(self, text: str) -> str:
        """Replace what names the person."""
        for pattern in self.patterns:
            # Folded character by character, so that a place in one is a place in the other.
            folded = "".join(map(_folded, text))
            for found in reversed(list(pattern.finditer(folded))):
                text = text[: found.start()] + INSTEAD + text[found.end() :]
        return text


def redaction(records: Iterable[Record]) -> Redaction:
    """Collect what the person's rows hold of names, identifiers, e-mails and phones."""
    values = [
        (item, written(value))
        for record in records
        for item in record.model.attributes
        if (value := record.row.values[item.column.name]) not in (None, "", item.constant)
    ]
    # Names last: an e-mail address may have the parts of one in it.
    values.sort(key=lambda it: it[0].spec.holds == "name")
    said = dict.fromkeys(it for item, value in values for it in _patterns(item, value))
    return Redaction(tuple(re.compile(it) for it in said))


def _patterns(item: Attribute, value: str) -> Iterator[str]:
    if item.spec.holds == "name":
        yield from _name(value)
    elif item.spec.holds == "phone":
        yield from _phone(value)  # a column of contacts may hold an e-mail in another row
    if item.spec.identifier == "EMAIL":
        address = "".join(map(_folded, canonical("EMAIL", value)))
        if "@" in address:
            yield rf"(?<![\w.+-]){re.escape(address)}(?![\w-]|\.\w)"
    elif item.spec.identifier:
        yield from _document(item.spec.identifier, value)


def _name(value: str) -> Iterator[str]:
    """Match the parts of a name, alone or together; a short part or a particle only together."""
    words = re.findall(r"[^\W\d_]+", _plain(value))
    telling = [it for it in words if len(it) >= _LEAST_LETTERS and it not in _PARTICLES]
    edges = r"(?<![^\W\d_]){}(?![^\W\d_])"
    if telling:
        some, every = _any(telling), _any(words)
        yield edges.format(f"(?:{every}{_WORDS})*{some}(?:{_WORDS}{every})*")
    elif len(words) > 1:
        yield edges.format(_WORDS.join(map(_letters, words)))


def _any(words: Iterable[str]) -> str:
    longest_first = sorted(set(words), key=lambda word: (-len(word), word))
    return f"(?:{'|'.join(map(_letters, longest_first))})"


def _letters(word: str) -> str:
    """Match a word also where its accents are characters of their own."""
    return "".join(f"{re.escape(char)}[\u0300-\u036f]*" for char in word)


def _document(kind: str, value: str) -> Iterator[str]:
    characters = "".join(map(_folded, canonical(kind, value))).lstrip("0")
    if len(characters) >= _LEAST_CHARACTERS:
        spaced = _GAP.join(map(re.escape, characters))
        yield rf"(?<![0-9a-z])(?:0{_GAP})*{spaced}(?![0-9a-z])"


def _phone(value: str) -> Iterator[str]:
    """Match a phone with and without country, area, and the 9 that mobile phones were given."""
    digits = re.sub(r"\D", "", value).lstrip("0")
    if len(digits) > _LOCAL + 3 and digits.startswith("55"):
        digits = digits[2:]
    if len(digits) < _LEAST_DIGITS:
        return
    area, local = "", digits
    if len(digits) in (_LOCAL + 2, _MOBILE + 2):
        area, local = digits[:2], digits[2:]
    if len(local) == _MOBILE and local[0] == "9":
        local = local[1:]
    said = _GAP.join(local)
    if len(local) == _LOCAL:
        said = f"(?:9{_GAP})?{said}"
    if area:
        said = rf"(?:\(?0?{_GAP.join(area)}{_GAP})?{said}"
    yield rf"(?<![0-9])(?:\+?55{_GAP})?{said}(?![0-9])"


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(char for char in decomposed if not unicodedata.combining(char)).lower()


def _folded(char: str) -> str:
    """Return a character without accent and casing: one character for one."""
    return unicodedata.normalize("NFD", char)[0].lower()[0]
