"""Finds out whether a payload's schema still accepts every message that an older one accepted.

A change counts as compatible only if that is certain. If a keyword changed that this comparison
does not know, the change counts as breaking. Descriptions, titles, defaults and examples do not
count.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.authors.constraints import (
    Break,
    Schema,
    narrowed_bounds,
    narrowed_digits,
    narrowed_others,
    narrowed_type,
    narrowed_values,
)


def breaks(old: Schema, new: Schema) -> list[Break]:
    """Return all breaking changes, in the order of the fields; none if older messages still fit."""
    return list(dict.fromkeys(_Comparison(old, new).compare(old, new, "")))


@dataclass(frozen=True, slots=True)
class _Alternative:
    """One of the forms that a value may have. `ref` is the definition from which it came."""

    schema: Schema
    ref: str | None


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old = old
        self._new = new
        self._open: set[tuple[str | None, str | None]] = set()  # models may contain themselves

    def compare(self, old: Schema, new: Schema, path: str) -> list[Break]:
        """Check that each old form is still accepted by one of the new forms."""
        found: list[Break] = []
        forms = _alternatives(new, self._new)
        for form in _alternatives(old, self._old):
            tries = [self._pair(form, other, path) for other in forms]
            if all(tries):
                closest: list[Break] = min(tries, key=_distance)
                found += closest
        return found

    def _pair(self, old: _Alternative, new: _Alternative, path: str) -> list[Break]:
        key = (old.ref, new.ref)
        if key in self._open:
            return []
        if old.ref and new.ref:
            self._open.add(key)
        try:
            return list(self._form(old.schema, new.schema, path))
        finally:
            self._open.discard(key)

    def _form(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        if narrowed := narrowed_type(old, new, path):
            yield narrowed
            return
        yield from narrowed_values(old, new, path)
        yield from narrowed_bounds(old, new, path)
        yield from narrowed_digits(old, new, path)
        yield from narrowed_others(old, new, path)
        yield from self._fields(old, new, path)
        yield from self._additional(old, new, path)
        yield from self._items(old, new, path)

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        before, now = old.get("properties", {}), new.get("properties", {})
        found = {alias: name for name, schema in now.items() for alias in _names(name, schema)}
        required = {
            alias for name in old.get("required", ()) for alias in _names(name, before.get(name))
        }
        for name in new.get("required", ()):
            if required.isdisjoint(_names(name, now.get(name))):
                problem = "is required now, and older messages may lack it"
                yield Break(_inside(path, name), problem, "give it a default")
        for name, schema in before.items():
            places = {alias: _inside(path, alias) for alias in _names(name, schema)}
            for alias, place in places.items():
                if alias not in found:
                    problem = "was removed or renamed, so what older messages say there is lost"
                    fix = (
                        "keep this name beside the new one while senders use it "
                        "(Field(validation_alias=AliasChoices(new, old)))"
                    )
                    yield Break(place, problem, fix)
            kept = {found[alias]: place for alias, place in places.items() if alias in found}
            for other, place in kept.items():
                yield from self.compare(schema, now[other], place)

    def _additional(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        before, now = old.get("additionalProperties", True), new.get("additionalProperties", True)
        if now is False and before is not False:
            problem = "refuses unknown fields now (additionalProperties)"
            yield Break(path, problem, 'leave extra="ignore" in the model\'s configuration')
        elif isinstance(now, Mapping) and before is not False:
            earlier = before if isinstance(before, Mapping) else {}
            yield from self.compare(earlier, now, _inside(path, "*"))

    def _items(self, old: Schema, new: Schema, path: str) -> Iterator[Break]:
        before, now = old.get("prefixItems", ()), new.get("prefixItems", ())
        for number in range(max(len(before), len(now))):
            yield from self.compare(_item(old, number), _item(new, number), f"{path}[{number}]")
        if isinstance(new.get("items"), Mapping):
            yield from self.compare(old.get("items") or {}, new["items"], f"{path}[]")


def _distance(found: list[Break]) -> tuple[bool, int]:
    """Tell how far a form is from the old one: another type is farther than any other change."""
    return found[0].problem.startswith("was "), len(found)


def _names(name: str, schema: Schema | None) -> Sequence[str]:
    """Return every name of a field: if a renamed field keeps its old name too, nothing breaks."""
    aliases: Sequence[str] = (schema or {}).get("x-aliases", ())
    return aliases if name in aliases else (name, *aliases)


def _item(schema: Schema, number: int) -> Schema:
    first: Sequence[Schema] = schema.get("prefixItems", ())
    rest = schema.get("items")
    return first[number] if number < len(first) else rest if isinstance(rest, Mapping) else {}


def _alternatives(schema: Schema, root: Schema, ref: str | None = None) -> list[_Alternative]:
    """Follow references and split unions into their forms."""
    if "$ref" in schema:
        ref = str(schema["$ref"])
        target: Any = root
        for part in ref.removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        beside = {word: value for word, value in schema.items() if word != "$ref"}
        return _alternatives({**target, **beside}, root, ref)
    for union in ("anyOf", "oneOf"):
        if union in schema:
            beside = {word: value for word, value in schema.items() if word != union}
            return [
                found
                for member in schema[union]
                for found in _alternatives({**beside, **member}, root)
            ]
    if isinstance(schema.get("type"), list):
        return [_Alternative({**schema, "type": kind}, ref) for kind in schema["type"]]
    return [_Alternative(schema, ref)]


def _inside(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
