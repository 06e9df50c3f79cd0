"""The rules for documents and lists: what is masked, what is kept, what is no document."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import JSON, Column, String
from sqlalchemy.types import TypeEngine

from consumers.sgdp.model import Attribute
from consumers.sgdp.personal_data import PersonalColumn
from consumers.sgdp.redaction import Redaction
from consumers.sgdp.rules import masked, stable_text

SALT, NOBODY = b"a salt", Redaction()
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


def item(mask: dict[str, Any], column_type: TypeEngine[Any] | None = None) -> Attribute:
    spec = PersonalColumn.model_validate({"description": "d", "purposes": ["p"], "mask": mask})
    kind = column_type or JSON()
    length = getattr(kind, "length", None)
    return Attribute("v", Column("v", kind), dict, length, spec, ())


def of(value: object, paths: dict[str, Any], others: str = "keep") -> object:
    return masked(item({"rule": "json", "paths": paths, "others": others}), value, SALT, NOBODY)


NULL, REMOVE, HASH = {"rule": "null"}, {"rule": "remove"}, {"rule": "hash"}


@pytest.mark.parametrize(
    ("value", "paths", "left"),
    [
        ({"a": 1, "b": 2}, {"/a": NULL}, {"a": None, "b": 2}),
        ({"a": 1, "b": 2}, {"/a": REMOVE}, {"b": 2}),
        ({"a": {"x": 1, "y": 2}}, {"/a/x": NULL}, {"a": {"x": None, "y": 2}}),
        ([{"x": 1}, {"x": 2, "y": 3}], {"/*/x": NULL}, [{"x": None}, {"x": None, "y": 3}]),
        ([1, 2, 3], {"/1": REMOVE}, [1, 3]),
        ({"a/b": 1, "c~d": 2}, {"/a~1b": NULL, "/c~0d": NULL}, {"a/b": None, "c~d": None}),
        ({"a": "Ana"}, {"/a/name": NULL}, {"a": None}),  # another shape than was expected
        ({"a": [{"name": "Ana"}]}, {"/a/name": NULL}, {"a": [{"name": "Ana"}]}),
        ({"a": 1, "b": 2}, {"/*": NULL, "/a": REMOVE}, {"b": None}),
        ({"a": 1}, {"/b": NULL}, {"a": 1}),
        ({"a": 1}, {"/a": REMOVE}, {}),
    ],
)
def test_paths(value: object, paths: dict[str, Any], left: object) -> None:
    """A path leads to members and items; the most exact one decides."""
    assert of(value, paths) == left


def test_others_are_removed() -> None:
    """With `remove` nothing is left that no path names."""
    value = {"name": "Ana", "plan": "gold", "more": {"x": "Ana"}, "list": [{"n": 1, "m": 2}]}
    left = of(value, {"/plan": {"rule": "constant", "value": "x"}, "/list/*/n": NULL}, "remove")
    assert left == {"plan": "x", "list": [{"n": None}]}


def test_drawn_parts() -> None:
    """A pseudonym replaces every text and number beneath the path, and keeps the shape."""
    left = of({"a": ["Ana", 7, {"b": "Ana"}, None, True]}, {"/a": HASH})
    assert isinstance(left, dict)
    first, number, inner, none, true = left["a"]
    assert first == inner["b"] != "Ana"
    assert number != 7
    assert (none, true) == (None, True)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ('{"name": "Ana", "n": 1}', '{"name": null, "n": 1}'),
        ('{"n":1}', '{"n":1}'),  # what is not masked stays as it was written
        ("Ana", "{}"),
        ('{"name": "Ana"', "{}"),
        ('"Ana"', "{}"),
    ],
)
def test_documents_in_texts(text: str, left: str) -> None:
    """A text that is no document cannot be masked by path, so nothing of it is kept."""
    spec = {"rule": "json", "paths": {"/name": NULL}, "others": "keep"}
    assert masked(item(spec, String()), text, SALT, NOBODY) == left


def test_a_document_that_no_longer_fits() -> None:
    """A pseudonym may be longer than the column: then nothing is kept."""
    spec = {"rule": "json", "paths": {"/name": HASH}, "others": "keep"}
    assert masked(item(spec, String(20)), '{"name": "Ana"}', SALT, NOBODY) == "{}"
    assert json.loads(str(masked(item(spec, String(90)), '{"name": "Ana"}', SALT, NOBODY)))


@given(values, st.sampled_from(["keep", "remove"]))
def test_any_document(value: object, others: str) -> None:
    """No document breaks a rule, and what the path names is never left."""
    marked = {"name": "Ana", "more": value, "list": [{"name": "Ana"}, value]}
    left = of(marked, {"/name": REMOVE, "/list/0/name": NULL}, others)
    assert isinstance(left, dict)
    assert "name" not in left
    assert left["list"][0] == {"name": None}
    assert left.get("more", value) == value or others == "remove"


def test_the_order_of_members() -> None:
    """A database that orders a document's members anew gives the same text for it."""
    assert stable_text({"b": 1, "a": 2}) == stable_text({"a": 2, "b": 1})
