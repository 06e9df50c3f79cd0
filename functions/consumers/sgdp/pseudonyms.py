"""What masking writes instead of a value. Pure: the same salt and value, the same answer.

A value's canonical form is what is hashed, so a CPF with and without punctuation gets one
pseudonym, and columns that hold the same identifier can still be joined.
"""

import base64
import hashlib
import hmac
import re
import string
from collections.abc import Iterator
from datetime import date, datetime
from uuid import UUID

from consumers.sgdp.identifiers import CPF_DIGITS, canonical, is_cpf
from smartlink.types import check_digits

LEAST_HASH = 10  # characters of 5 bits: that two people share a pseudonym is one in a billion
LEAST_DIGITS = 15
"""Of a number that is a pseudonym: as many values as the shortest text has."""

MOST_HASH = 32
FAKE_HOST = "@anonimo.invalid"  # RFC 2606: no mail to it can reach anybody
_DRAWS = 16
_WRITTEN_DATE = re.compile(r"(\d{4,})-(\d\d)-\d\d( [\d:.]+)?([+-][\d:]+)?( BC)?")


def hashed(salt: bytes, kind: str | None, value: str, length: int | None) -> str:
    """A pseudonym of letters and digits, at most `length` characters."""
    text = base64.b32encode(_digest(salt, "hash", kind, value)).decode().lower()
    return text[: min(length or MOST_HASH, MOST_HASH)]


def hashed_number(salt: bytes, kind: str | None, value: str, digits: int) -> int:
    """A pseudonym of that many digits."""
    least = int("1".ljust(digits, "0"))
    return least + int.from_bytes(_digest(salt, "hash", kind, value)) % (9 * least)


def hashed_uuid(salt: bytes, kind: str | None, value: str) -> UUID:
    """A pseudonym that has the form of a random UUID."""
    return UUID(bytes=_digest(salt, "hash", kind, value)[:16], version=4)


def hashed_bytes(salt: bytes, kind: str | None, value: str) -> bytes:
    """A pseudonym of 32 bytes."""
    return _digest(salt, "hash", kind, value)


def drawn_text(salt: bytes, value: str, length: int, draw: int) -> str:
    """Letters and digits, so many of them; another text at each draw."""
    text = base64.b32encode(_digest(salt, f"draw/{draw}", None, value)).decode().lower()
    return text[: min(length, MOST_HASH)]


def drawn_number(salt: bytes, value: str, most: int, draw: int) -> int:
    """A number from 1 to `most`; another one at each draw."""
    return 1 + int.from_bytes(_digest(salt, f"draw/{draw}", None, value)) % most


def truncated(value: date, to: str) -> date:
    """The first instant of the date's year or month."""
    first = value.replace(day=1) if to == "month" else value.replace(month=1, day=1)
    if isinstance(first, datetime):
        return first.replace(hour=0, minute=0, second=0, microsecond=0)
    return first


def truncated_text(value: str, to: str) -> str | None:
    """The same of a date that no Python type holds, as PostgreSQL writes it: before Christ, or
    after the year 9999. Infinity tells nothing and stays; of what is no date nothing is left."""
    if value in ("infinity", "-infinity"):
        return value
    found = _WRITTEN_DATE.fullmatch(value)
    if found is None:
        return None
    year, month, time, zone, era = found.groups(default="")
    midnight = " 00:00:00" if time else ""
    return f"{year}-{month if to == 'month' else '01'}-01{midnight}{zone}{era}"


def faked(salt: bytes, kind: str | None, value: str, length: int | None) -> str:
    """Something of the same shape that is not the value.

    Digits stay digits, letters letters of their case, the rest as it is. A CPF gets right check
    digits; an e-mail address a host that does not exist.
    """
    for draw in range(_DRAWS):
        fake = _drawn(_stream(salt, kind, value, draw), kind, value, length or len(value) + 64)
        fake = fake[:length]
        if canonical(kind, fake) != canonical(kind, value):
            return fake
    return value  # nothing but punctuation


def _drawn(stream: Iterator[int], kind: str | None, value: str, length: int) -> str:
    if kind == "CPF" and is_cpf(canonical(kind, value)):
        base = "".join(str(next(stream) % 10) for _ in range(CPF_DIGITS - 2))
        return _in_shape(value, base + check_digits(base))
    if kind == "EMAIL" and "@" in value:
        room = max(1, length - len(FAKE_HOST))
        return _like(stream, value.partition("@")[0])[:room] + FAKE_HOST
    return _like(stream, value)


def _in_shape(value: str, digits: str) -> str:
    """Put the digits in the places of the value's own; one that lost its zeros gets all of them."""
    if sum(char.isdigit() for char in value) != len(digits):
        return digits
    left = iter(digits)
    return "".join(next(left) if char.isdigit() else char for char in value)


def _like(stream: Iterator[int], value: str) -> str:
    return "".join(_character(stream, char) for char in value)


def _character(stream: Iterator[int], char: str) -> str:
    if char.isdigit():
        return string.digits[next(stream) % 10]
    if char.isalpha():
        letters = string.ascii_uppercase if char.isupper() else string.ascii_lowercase
        return letters[next(stream) % 26]
    return char


def _stream(salt: bytes, kind: str | None, value: str, draw: int) -> Iterator[int]:
    block = 0
    while True:
        yield from _digest(salt, f"fake/{draw}/{block}", kind, value)
        block += 1


def _digest(salt: bytes, use: str, kind: str | None, value: str) -> bytes:
    text = "\0".join((use, kind or "", canonical(kind, value)))
    return hmac.digest(salt, text.encode("utf-8", "surrogatepass"), hashlib.sha256)
