"""Compares what two schemas allow for one value."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

_LOWER = (("minLength",), ("minItems",), ("minProperties",), ("minimum", "exclusiveMinimum"))
_UPPER = (("maxLength",), ("maxItems",), ("maxProperties",), ("maximum", "exclusiveMaximum"))
_BOUNDS = {word for words in (*_LOWER, *_UPPER) for word in words}
_STRUCTURE = {"type", "enum", "const", "properties", "required", "additionalProperties"}
_STRUCTURE |= {"items", "prefixItems", "anyOf", "oneOf", "$ref", "$defs"}
_WORDS_ONLY = {"title", "description", "default", "examples", "deprecated", "readOnly"}
_WORDS_ONLY |= {"writeOnly", "discriminator", "$schema", "$id", "$comment"}
_KNOWN = _BOUNDS | _STRUCTURE | _WORDS_ONLY


@dataclass(frozen=True, slots=True)
class Break:
    """Something in older messages that newer code refuses or overlooks."""

    path: str  # people[].name; empty: the whole body
    problem: str
    fix: str

    def __str__(self) -> str:
        """Write it as one line for the author."""
        return f"{self.path or 'the body'} {self.problem}: {self.fix}"


def narrowed_type(old: Schema, new: Schema, path: str) -> Break | None:
    """Find a changed type. An integer is a number too."""
    before, now = old.get("type"), new.get("type")
    if now in (None, before) or (before, now) == ("integer", "number"):
        return None
    kept = f"let it take both, the older ({before or 'anything'}) and the newer ({now})"
    return Break(path, f"was {before or 'anything'} and is {now} now", kept)


def _allowed(schema: Schema) -> Sequence[object] | None:
    if "const" in schema:
        return [schema["const"]]
    values: Sequence[object] | None = schema.get("enum")
    return values


def narrowed_values(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    """Find the values of a list (enum, const) that are no longer accepted."""
    before, now = _allowed(old), _allowed(new)
    if now is None:
        return
    if before is None:
        listed = ", ".join(map(repr, now))
        yield Break(path, f"takes only {listed} now", "take other values too, as before")
        return
    for value in before:
        if value not in now:
            yield Break(path, f"no longer takes the value {value!r}", "keep it in the list")


def narrowed_bounds(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    """Find narrower limits of lengths, of numbers of items, and of numbers."""
    for group, sign, done in ((_LOWER, 1, "raised"), (_UPPER, -1, "lowered")):
        for words in group:
            before, now = _bound(old, words, sign), _bound(new, words, sign)
            nothing = words[0] in ("minLength", "minItems", "minProperties") and now == (0, 0)
            if now is None or nothing or (before is not None and now <= before):
                continue
            word = next(it for it in reversed(words) if it in new)
            was = (
                f"{done} from {next(old[it] for it in words if it in old)} to"
                if before
                else "set to"
            )
            fix = "keep the older limit" if before else "set no such limit"
            yield Break(path, f"has {word} {was} {new[word]}", fix)


def narrowed_digits(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    """Find narrower limits of a decimal's digits: of all, before the point, and after the point."""
    before, now = _digits(old), _digits(new)
    for word, limit in now.items():
        was = before[word]
        if limit is not None and (was is None or limit < was):
            from_to = f"lowered from {was} to" if was is not None else "set to"
            fix = "keep the older limit" if was is not None else "set no such limit"
            yield Break(path, f"has {word} {from_to} {limit}", fix)


def _digits(schema: Schema) -> dict[str, int | None]:
    most, places = schema.get("x-maxDigits"), schema.get("x-decimalPlaces")
    whole = most if most is None or places is None else most - places
    return {"max_digits": most, "whole digits": whole, "decimal_places": places}


def _bound(schema: Schema, words: Sequence[str], sign: int) -> tuple[float, int] | None:
    """Return the bound so that a tighter one is greater; 1 means that the limit is excluded."""
    found = [(sign * schema[word], number) for number, word in enumerate(words) if word in schema]
    return max(found, default=None)


def narrowed_others(old: Schema, new: Schema, path: str) -> Iterator[Break]:
    """Find changes of pattern, format, multipleOf and every word that this comparison does not
    know."""
    for word, value in new.items():
        if word in _KNOWN or word.startswith("x-") or value == old.get(word) or value is False:
            continue
        was = f"changed from {old[word]!r} to" if word in old else "set to"
        yield Break(path, f"has {word} {was} {value!r}", "take what was taken before")
