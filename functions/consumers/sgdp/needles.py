"""Tells whether a person's values stand in a cell, however the cell writes them.

Both sides are compared by their letters and digits alone, without accents and casing: `JOÃO
D'ÁVILA` stands in `joao davila`, and the CPF `012.345.678-90` in `{"doc": "01234567890"}`.
"""

import html
import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass, field

from consumers.sgdp.identifiers import CPF_DIGITS
from consumers.sgdp.plain_values import readable

OVERLAP = 1_024
"""Characters that two pieces of one long cell share, so that a value on their border is found."""

_SHORT = 5  # letters and digits; what has fewer stands in many longer words by chance
_LEAST_LETTERS = 3
_CNPJ_DIGITS = 14
_LEAST_BARE = 6  # digits of a document that was held as a number and has lost its zeros
_JSON_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")
_HEXADECIMAL = re.compile(r"\\+x((?:[0-9a-fA-F]{2})+)")  # bytes within an array or a record
_NOT_COMPARED = re.compile(r"[\W_]+")


@dataclass(frozen=True, slots=True)
class Needles:
    """What is looked for."""

    anywhere: frozenset[str] = field(repr=False)
    whole: re.Pattern[str] | None = field(repr=False)  # short ones, as words

    @classmethod
    def of(cls, values: Collection[str]) -> "Needles":
        """Prepare the values. Raises ValueError if one has neither letter nor digit."""
        bare = {_bare(_folded(value)) for value in values}
        if "" in bare or not bare:
            message = "a value to look for needs at least one letter or digit"
            raise ValueError(message)
        numbers = {it.lstrip("0") for it in bare if _is_document(it)}
        bare |= {it for it in numbers if len(it) >= _LEAST_BARE}
        short = sorted(re.escape(it) for it in bare if len(it) < _SHORT)
        whole = re.compile(rf"(?<![^\W_])(?:{'|'.join(short)})(?![^\W_])") if short else None
        return cls(frozenset(it for it in bare if len(it) >= _SHORT), whole)

    def stand_in(self, cell: object) -> bool:
        """Tell whether one of them stands in what a database returned."""
        if isinstance(cell, bytes | bytearray | memoryview):
            return any(self._in_text(text) for text in _texts(bytes(cell)))
        return cell is not None and self._in_text(readable(str(cell)))

    def _in_text(self, text: str) -> bool:
        folded = _folded(_plain(text))
        bare = _bare(folded)
        if any(needle in bare for needle in self.anywhere):
            return True
        return self.whole is not None and self.whole.search(folded) is not None


def telling(value: str) -> bool:
    """Tell whether a value is long enough to be looked for: a sex or a year stands everywhere."""
    bare = _bare(_folded(value))
    return len(bare) >= (_SHORT if bare.isdigit() else _LEAST_LETTERS)


def _is_document(bare: str) -> bool:
    return bare.isdigit() and len(bare) in (CPF_DIGITS, _CNPJ_DIGITS)


def _plain(text: str) -> str:
    r"""Undo what JSON (`\u00e3`), XML (`&#227;`) and bytes within an array (`\x41`) write."""
    if "\\" in text:
        text = _HEXADECIMAL.sub(lambda it: f" {' '.join(_texts(bytes.fromhex(it[1])))} ", text)
        text = _JSON_ESCAPE.sub(lambda it: chr(int(it[1], 16)), text)
    return html.unescape(text) if "&" in text else text


def _texts(cell: bytes) -> set[str]:
    """Read bytes as UTF-8, and as Latin-1 or UTF-16, in which a Latin letter is itself and a
    zero."""
    return {cell.decode("utf-8", "replace"), cell.replace(b"\0", b"").decode("latin-1")}


def _folded(text: str) -> str:
    if text.isascii():
        return text.lower()
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(char for char in parts if not unicodedata.combining(char))


def _bare(folded: str) -> str:
    return _NOT_COMPARED.sub("", folded)
