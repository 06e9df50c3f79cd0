"""Old and new payload models: what older messages survive, and what breaks them."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal

import pytest
from pydantic import AliasChoices, BaseModel, ConfigDict, Field, create_model

from infra.authors.compatibility import breaks
from infra.authors.schemas import schema_of

Body = dict[str, Any]
NEEDED = (str, ...)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Red(StrEnum):
    RED = "red"


class Person(BaseModel):
    name: str
    children: list["Person"] = []


class Named(BaseModel):
    name: Annotated[str, Field(max_length=5)]
    children: list["Named"] = []


def schema(fields: Mapping[str, Any], config: ConfigDict | None = None) -> Body:
    model = create_model("Request", __config__=config, **fields)
    return schema_of("AnyCommand", model)


def aliased(*names: str) -> Any:  # noqa: ANN401
    alias = names[0] if len(names) == 1 else AliasChoices(*names)
    return (Annotated[int, Field(validation_alias=alias)], ...)


def limited(kind: Any, **limits: Any) -> Any:  # noqa: ANN401
    return (Annotated[kind, Field(**limits)], ...)


SURVIVES: Mapping[str, tuple[Body, Body]] = {
    "nothing": ({"a": NEEDED}, {"a": NEEDED}),
    "a new optional field": ({"a": NEEDED}, {"a": NEEDED, "b": (str, "")}),
    "a field that may be left out now": ({"a": NEEDED}, {"a": (str, "")}),
    "null is taken too": ({"a": NEEDED}, {"a": (str | None, ...)}),
    "another default": ({"a": (str, "x")}, {"a": (str, "y")}),
    "a description": ({"a": NEEDED}, {"a": limited(str, description="what it is", title="It")}),
    "a wider type": ({"a": (int, ...)}, {"a": (int | str, ...)}),
    "integer to number": ({"a": (int, ...)}, {"a": (float, ...)}),
    "a new value": ({"a": (Literal["x"], ...)}, {"a": (Literal["x", "y"], ...)}),
    "an enum to text": ({"a": (Colour, ...)}, {"a": NEEDED}),
    "a greater maxLength": (
        {"a": limited(str, max_length=5)},
        {"a": limited(str, max_length=6)},
    ),
    "no maxLength": ({"a": limited(str, max_length=5)}, {"a": NEEDED}),
    "a lower minimum": ({"a": limited(int, gt=3)}, {"a": limited(int, ge=3)}),
    "minLength 0": ({"a": NEEDED}, {"a": limited(str, min_length=0)}),
    "no pattern": ({"a": limited(str, pattern="^x$")}, {"a": NEEDED}),
    "anything": ({"a": NEEDED}, {"a": (Any, ...)}),
    "more digits": (
        {"a": limited(Decimal, max_digits=10, decimal_places=2)},
        {"a": limited(Decimal, max_digits=15, decimal_places=4)},
    ),
    "digits without a limit": ({"a": limited(Decimal, max_digits=10)}, {"a": (Decimal, ...)}),
    "a new name beside the old one": ({"a": aliased("valor")}, {"a": aliased("total", "valor")}),
    "a further name": ({"a": aliased("x", "y")}, {"a": aliased("z", "y", "x")}),
    "a model that holds itself": ({"a": (Person, ...)}, {"a": (Person, ...)}),
    "more kinds of item": ({"a": (list[int], ...)}, {"a": (list[int | None], ...)}),
}

BREAKS: Mapping[str, tuple[Body, Body, str]] = {
    "a new required field": ({}, {"b": NEEDED}, "b is required now"),
    "an optional field becomes required": ({"a": (str, "")}, {"a": NEEDED}, "a is required now"),
    "a removed field": ({"a": NEEDED, "b": (str, "")}, {"a": NEEDED}, "b was removed or renamed"),
    "a renamed alias": (
        {"a": (Annotated[str, Field(alias="one")], "")},
        {"a": (Annotated[str, Field(alias="two")], "")},
        "one was removed or renamed",
    ),
    "a removed value": ({"a": (Colour, ...)}, {"a": (Red, ...)}, "a no longer takes the value 'b"),
    "text to an enum": ({"a": NEEDED}, {"a": (Colour, ...)}, "a takes only 'red', 'blue' now"),
    "another type": ({"a": (int, ...)}, {"a": NEEDED}, "a was integer and is string now"),
    "number to integer": ({"a": (float, ...)}, {"a": (int, ...)}, "a was number and is integer"),
    "one type less": ({"a": (int | str, ...)}, {"a": (int, ...)}, "a was string and is integer"),
    "null no more": ({"a": (str | None, None)}, {"a": (str, "")}, "a was null and is string"),
    "anything no more": ({"a": (Any, ...)}, {"a": NEEDED}, "a was anything and is string"),
    "maxLength lowered": (
        {"a": limited(str, max_length=6)},
        {"a": limited(str, max_length=5)},
        "a has maxLength lowered from 6 to 5: keep the older limit",
    ),
    "maxLength set": ({"a": NEEDED}, {"a": limited(str, max_length=5)}, "a has maxLength set to 5"),
    "minLength raised": (
        {"a": limited(str, min_length=1)},
        {"a": limited(str, min_length=2)},
        "a has minLength raised from 1 to 2",
    ),
    "minimum raised": (
        {"a": limited(int, ge=1)},
        {"a": limited(int, ge=2)},
        "a has minimum raised from 1 to 2",
    ),
    "minimum excluded": (
        {"a": limited(int, ge=1)},
        {"a": limited(int, gt=1)},
        "a has exclusiveMinimum raised from 1 to 1",
    ),
    "fewer items": (
        {"a": limited(list[int], max_length=6)},
        {"a": limited(list[int], max_length=5)},
        "a has maxItems lowered",
    ),
    "pattern changed": (
        {"a": limited(str, pattern="^x$")},
        {"a": limited(str, pattern="^y$")},
        "a has pattern changed from '^x$' to '^y$'",
    ),
    "fewer digits": (
        {"a": limited(Decimal, max_digits=15, decimal_places=2)},
        {"a": limited(Decimal, max_digits=10, decimal_places=2)},
        "a has max_digits lowered from 15 to 10",
    ),
    "fewer digits before the point": (
        {"a": limited(Decimal, max_digits=15, decimal_places=2)},
        {"a": limited(Decimal, max_digits=15, decimal_places=4)},
        "a has whole digits lowered from 13 to 11",
    ),
    "fewer digits after the point": (
        {"a": limited(Decimal, decimal_places=4)},
        {"a": limited(Decimal, decimal_places=2)},
        "a has decimal_places lowered from 4 to 2",
    ),
    "a limit of digits": (
        {"a": (Decimal, ...)},
        {"a": limited(Decimal, max_digits=10)},
        "a has max_digits set to 10",
    ),
    "digits of a decimal that may be null": (
        {"a": (Annotated[Decimal, Field(max_digits=9)] | None, None)},
        {"a": (Annotated[Decimal, Field(max_digits=8)] | None, None)},
        "a has max_digits lowered from 9 to 8",
    ),
    "one name less": (
        {"a": aliased("total", "valor")},
        {"a": aliased("total")},
        "valor was removed or renamed",
    ),
    "a field under other names": (
        {"a": aliased("x")},
        {"a": aliased("y", "z")},
        "y is required now",
    ),
    "a format": ({"a": NEEDED}, {"a": (datetime, ...)}, "a has format set to 'date-time'"),
    "multipleOf": ({"a": (int, ...)}, {"a": limited(int, multiple_of=5)}, "a has multipleOf set"),
    "items narrowed": (
        {"a": (list[int | None], ...)},
        {"a": (list[int], ...)},
        "a[] was null and is integer",
    ),
    "a place of a tuple": (
        {"a": (tuple[int, str], ...)},
        {"a": (tuple[int, int], ...)},
        "a[1] was string and is integer",
    ),
    "values of a mapping": (
        {"a": (dict[str, int], ...)},
        {"a": (dict[str, bool], ...)},
        "a.* was integer and is boolean",
    ),
    "deep inside, in a model that holds itself": (
        {"a": (Person, ...)},
        {"a": (Named, ...)},
        "a.name has maxLength set to 5",
    ),
    "in the form of a union that was meant": (
        {"a": (Person | None, None)},
        {"a": (Named | None, None)},
        "a.name has maxLength set to 5",
    ),
}


@pytest.mark.parametrize("change", SURVIVES)
def test_what_older_messages_survive(change: str) -> None:
    """No author is held up by a change that harms nobody."""
    old, new = SURVIVES[change]
    assert breaks(schema(old), schema(new)) == []


@pytest.mark.parametrize("change", BREAKS)
def test_what_breaks_older_messages(change: str) -> None:
    """The first finding names the field, what was done to it, and the fix."""
    old, new, said = BREAKS[change]
    found = breaks(schema(old), schema(new))
    assert found
    assert str(found[0]).startswith(said)
    assert found[0].fix


def test_unknown_fields_refused() -> None:
    """`extra="forbid"` refuses what senders added since; the body has no name of its own."""
    [found] = breaks(schema({"a": NEEDED}), schema({"a": NEEDED}, ConfigDict(extra="forbid")))
    assert str(found).startswith("the body refuses unknown fields now (additionalProperties)")


def test_every_finding_is_told_once() -> None:
    """All of it in one go, so that an author fixes it in one go."""
    old = {"a": (Person, ...), "b": (list[Person], ...)}
    new = {"a": (Named, ...), "b": (list[Named], ...), "c": NEEDED}
    found = breaks(schema(old), schema(new))
    assert [it.path for it in found] == ["c", "a.name", "b[].name"]


@pytest.mark.parametrize("word", ["not", "if", "propertyNames", "contains"])
def test_what_is_not_known_counts_as_breaking(word: str) -> None:
    """A keyword that cannot be compared is not waved through."""
    old = {"type": "object", "properties": {"a": {"type": "string"}}}
    new = {"type": "object", "properties": {"a": {"type": "string", word: {"const": "x"}}}}
    assert [it.path for it in breaks(old, new)] == ["a"]
    assert breaks(new, new) == []
