"""Writes a reply's content as text, or says which part of the content JSON cannot hold.

The text of the error names the part by its keys, never by its value. It shows "…" for a key that
may be a person's data, such as a number or a text with blanks.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import date, time
from decimal import Decimal
from enum import Enum
from uuid import UUID

from pydantic import BaseModel

from smartlink.domain.payload import Number, as_written, write_json

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PARTS = 10_000  # objects and lists that are searched for the part that is wrong


class ContentError(ValueError):
    """The content cannot be written as JSON. The error's text continues the words 'its content'."""


def content_text(content: object) -> str:
    """Returns a text unchanged and anything else as JSON. Raises ContentError."""
    if isinstance(content, str):
        return content
    try:
        if isinstance(content, BaseModel):
            return write_json(_dumped(content))
        if isinstance(content, Mapping):
            content = dict(content)  # write_json knows only dict
        try:
            return write_json(content)
        except TypeError:  # rare: most contents hold only what JSON knows
            return write_json(_plain(content))
    except (TypeError, ValueError, RecursionError) as error:
        raise ContentError(_problem(content, error)) from None


def _dumped(model: BaseModel) -> object:
    return as_written(model.model_dump(mode="json", by_alias=True), model.model_dump(by_alias=True))


def _plain(value: object) -> object:
    """Returns the value with all Decimals, dates, times, UUIDs and enumerations in a form of JSON.

    A Decimal becomes a number with all its digits. Dates and times become ISO 8601. UUIDs become
    texts, and members of an enumeration their values.
    """
    plain = value
    match value:
        case Mapping():
            plain = {name: _plain(item) for name, item in value.items()}
        case list() | tuple():
            plain = [_plain(item) for item in value]
        case BaseModel():
            plain = _dumped(value)
        case Decimal() if value.is_finite():
            plain = Number(format(value, "f"))
        case date() | time():
            plain = value.isoformat()
        case UUID():
            plain = str(value)
        case Enum():
            plain = _plain(value.value)
    return plain


def _problem(content: object, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    model = isinstance(content, BaseModel)
    wrong = _in_model(content) if model else _in_json(content, "", set())  # type: ignore[arg-type]
    found = next(wrong, None)
    if found is None:
        return f"cannot be written as JSON ({type(error).__name__})"
    where, what = found
    return f"{f'at {where} ' if where else ''}{what}, for which JSON has no form"


def _in_model(content: BaseModel) -> Iterator[tuple[str, str]]:
    """Yields each field of the model that JSON cannot hold, and the type of its value."""
    for name in type(content).model_fields:
        try:
            write_json(content.model_dump(mode="json", include={name}))
        except (TypeError, ValueError, RecursionError):
            yield name, f"holds a {type(getattr(content, name, None)).__name__}"


def _in_json(value: object, where: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """Yields each part that JSON cannot hold: the keys that lead to it, and what is wrong."""
    if isinstance(value, dict | list | tuple):
        if id(value) in seen or len(seen) > _PARTS:
            return  # the value contains itself, or is too large to be searched
        seen.add(id(value))
    if isinstance(value, dict):
        for key, item in value.items():
            if not (key is None or isinstance(key, str | int | float)):
                yield where, f"has a key that is a {type(key).__name__}"
            yield from _in_json(item, f"{where}.{_key(key)}".lstrip("."), seen)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _in_json(item, f"{where}[{index}]", seen)
    else:
        try:
            write_json(_plain(value))
        except (TypeError, ValueError, RecursionError):
            finite = " that is not finite" if isinstance(value, float) else ""
            yield where, f"is a {type(value).__name__}{finite}"


def _key(key: object) -> str:
    return key if isinstance(key, str) and _NAME.fullmatch(key) else "…"
