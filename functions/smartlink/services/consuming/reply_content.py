"""A reply's content as text; and, where it has none, which part of it and of what type is wrong.

A part is named by its keys, never by its value. A key that looks like a value of somebody's, a
number or a text with blanks, say, is not named either.
"""

import re
from collections.abc import Iterator, Mapping

from pydantic import BaseModel

from smartlink.domain.payload import as_written, write_json

_NAME = re.compile("[A-Za-z_][A-Za-z0-9_-]{0,63}")
_PARTS = 10_000  # objects and lists that are looked through for the one that is wrong


class ContentError(ValueError):
    """The content has no form in JSON; the text goes on from 'its content'."""


def content_text(content: object) -> str:
    """A text as it is, anything else as JSON. Raises ContentError."""
    if isinstance(content, str):
        return content
    try:
        if isinstance(content, BaseModel):
            for_json = content.model_dump(mode="json", by_alias=True)
            return write_json(as_written(for_json, content.model_dump(by_alias=True)))
        if isinstance(content, Mapping):
            content = dict(content)  # one that is no dict is as good
        return write_json(content)
    except (TypeError, ValueError, RecursionError) as error:
        raise ContentError(_problem(content, error)) from None


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
    """The fields that cannot be written; what one of them holds may have a form of its own."""
    for name in type(content).model_fields:
        try:
            write_json(content.model_dump(mode="json", include={name}))
        except (TypeError, ValueError, RecursionError):
            yield name, f"holds a {type(getattr(content, name, None)).__name__}"


def _in_json(value: object, where: str, seen: set[int]) -> Iterator[tuple[str, str]]:
    """The parts that cannot be written, each with the keys that lead to it."""
    if isinstance(value, dict | list | tuple):
        if id(value) in seen or len(seen) > _PARTS:
            return  # it holds itself, or is too large to be looked through
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
            write_json(value)
        except (TypeError, ValueError, RecursionError):
            finite = " that is not finite" if isinstance(value, float) else ""
            yield where, f"is a {type(value).__name__}{finite}"


def _key(key: object) -> str:
    return key if isinstance(key, str) and _NAME.fullmatch(key) else "…"
