"""The odd payloads: the sample in its own envelope, with one thing odd in it at a time."""

import json

from smartlink.consumer import Payload
from smartlink.domain.payload import parse_payload
from smartlink.testing import cloud_event, totvs
from smartlink.testing.odd_payloads import VALUES, odd_payloads


class Model(Payload):
    name: str
    nick: str = ""


def made(sample: object, model: type[Payload] | None = Model) -> dict[str, str]:
    return dict(odd_payloads(json.dumps(sample), model))


def test_every_field_is_made_odd() -> None:
    """Those of the sample, however deep, and those that only the model has; also missing."""
    texts = made({"name": "Ana", "tags": [{"a": 1}]})
    for path in ("name", "tags", "tags.0", "tags.0.a", "nick"):
        assert {f"{path} = {kind}" for kind in VALUES} | {f"{path} missing"} <= texts.keys()
    assert json.loads(texts["name missing"]) == {"tags": [{"a": 1}]}
    assert json.loads(texts["tags.0 missing"]) == {"name": "Ana", "tags": []}
    assert json.loads(texts["tags.0.a = null"]) == {"name": "Ana", "tags": [{"a": None}]}
    assert json.loads(texts["names in upper case"]) == {"NAME": "Ana", "TAGS": [{"a": 1}]}


def test_the_envelope_stays() -> None:
    """Of either style, in its own casing."""
    ours = made(totvs({"name": "Ana"}, tenantId="t-1"))["name = null"]
    assert json.loads(ours) == {"header": {"tenantId": "t-1"}, "content": {"name": None}}
    event = cloud_event({"name": "Ana"})
    assert json.loads(made(event)["name missing"]) == {**event, "data": {}}
    upper = made({"HEADER": {}, "CONTENT": {"name": "Ana"}})["name = true"]
    assert json.loads(upper) == {"HEADER": {}, "CONTENT": {"name": True}}


def test_what_is_no_object_gets_the_general_ones() -> None:
    """Empty, cut off, deep, of odd characters: also for a consumer of opaque texts."""
    texts = dict(odd_payloads("opaque", None))
    assert {"an empty text", "no JSON", "NaN", "nested too deeply"} <= texts.keys()
    assert texts["a byte order mark"] == "\ufeffopaque"
    assert parse_payload(made([1], None)["0 = a number"]).body == [7]


def test_their_number_is_bounded() -> None:
    """A sample with a hundred fields takes no longer than one with forty."""
    assert len(made({f"field-{number}": number for number in range(100)})) < 1_000
