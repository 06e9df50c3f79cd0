"""Makes odd payloads, such as come when something is wrong: a name and a text for each."""

import copy
import json
from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel

from smartlink.domain.json_bytes import unmarked
from smartlink.domain.payload import PayloadError, Style, parse_payload

_FIELDS = 40  # fields that are made odd, each in turn
_DEEP = 300  # levels, which a JSON parser can still read
_TOO_DEEP = 100_000
_HUGE = 300_000  # characters: too many for a document, so the content goes into the bucket

Path = tuple[str | int, ...]

TEXTS: Mapping[str, str] = {
    "an empty text": "",
    "no JSON": "no JSON",
    "cut-off JSON": '{"a": {"b"',
    "NaN": '{"a": NaN}',
    "null": "null",
    "a number": "7",
    "a JSON text": '"text"',
    "an empty list": "[]",
    "a list of lists": "[[[]]]",
    "an empty object": "{}",
    "nested too deeply": "[" * _TOO_DEEP,
    "NUL characters": "\x00\x00",
    "half of a surrogate pair": "\ud800",
    "TOTVS's style without a body": '{"header": {}, "content": null}',
    "TOTVS's style with a text as body": '{"header": null, "content": "{}"}',
    "CloudEvents without data": '{"specversion": "1.0", "id": "1", "source": "s", "type": "t"}',
}


def _nested(depth: int) -> object:
    value: object = "bottom"
    for _ in range(depth):
        value = {"a": [value]}
    return value


VALUES: Mapping[str, object] = {
    "null": None,
    "an empty text": "",
    "blanks": " \t\n",
    "a number": 7,
    "a negative number": -1,
    "a fraction": 1.5,
    "a number of 40 digits": 10**39,
    "true": True,
    "an empty list": [],
    "a list of null": [None],
    "an empty object": {},
    "an object": {"odd": {"odd": None}},
    "deep nesting": _nested(_DEEP // 2),
    "a huge text": "x" * _HUGE,
    "NUL in a text": "a\x00b",
    "half of a surrogate pair": "a\ud800",
    "combined characters": "e\u0301\u200d\U0001f469\u200d\U0001f680\u202eabc",
    "format characters": "%s %d {0} {name} $1 \\",
    "quotes": "'; DROP TABLE x; --\"",
}


def odd_payloads(sample: str, model: type[BaseModel] | None) -> Iterator[tuple[str, str]]:
    """Yields fixed odd texts, and then the sample in its own envelope with one odd thing in it."""
    yield from TEXTS.items()
    yield "a byte order mark", f"\ufeff{sample}"
    try:
        body = parse_payload(sample).body
    except PayloadError:
        return
    wrapped = _envelope(sample)
    if isinstance(body, dict):
        yield "an unknown field", wrapped({**body, "unknownField": {"a": [1, None]}})
        yield "names in upper case", wrapped({name.upper(): it for name, it in body.items()})
        yield "names in lower case", wrapped({name.lower(): it for name, it in body.items()})
    for path in _paths(body, model):
        name = ".".join(map(str, path))
        yield f"{name} missing", wrapped(_changed(body, path, missing=True))
        for kind, value in VALUES.items():
            yield f"{name} = {kind}", wrapped(_changed(body, path, value))


def _paths(body: object, model: type[BaseModel] | None) -> list[Path]:
    """Returns the paths of the sample's values, and of the model's fields that the sample lacks."""
    found = [path for path in _walk(body) if path]
    if isinstance(body, dict) and model is not None:
        known = {name.lower() for name in body}
        names = (info.alias or name for name, info in model.model_fields.items())
        found += [(name,) for name in names if name.lower() not in known]
    return found[:_FIELDS]


def _walk(value: object, path: Path = ()) -> Iterator[Path]:
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _walk(item, (*path, name))
    elif isinstance(value, list) and value:
        yield from _walk(value[0], (*path, 0))


def _changed(body: object, path: Path, value: object = None, *, missing: bool = False) -> object:
    changed = copy.deepcopy(body)
    at: object = changed
    for step in path[:-1]:
        at = at[step]  # type: ignore[index]
    if not missing:
        at[path[-1]] = value  # type: ignore[index]
    elif isinstance(at, list):
        del at[int(path[-1])]
    elif isinstance(at, dict):
        at.pop(path[-1], None)
    return changed


def _envelope(sample: str) -> Callable[[object], str]:
    """Returns a function that writes a body into the sample's own envelope."""
    style = parse_payload(sample).style
    if style is Style.JSON:
        return json.dumps
    whole = json.loads(unmarked(sample))
    while isinstance(whole, str):  # JSON in a JSON string
        whole = json.loads(unmarked(whole))
    field = "content" if style is Style.TOTVS else "data"
    name = next((it for it in whole if it.lower() == field), field)
    return lambda body: json.dumps({**whole, name: body})
