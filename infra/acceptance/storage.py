"""Probes of Cloud Storage, on objects of the run in the contents' bucket."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from infra.acceptance.calls import Answer
from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe

_SERVICE = "storage"
_NOT_MODIFIED, _PRECONDITION_FAILED = 304, 412
_IGNORED = "the emulator of Cloud Storage ignores the condition"


def _objects(place: Place) -> str:
    return f"/storage/v1/b/{place.settings.bucket}/o"


def _path(place: Place, name: str) -> str:
    return f"{_objects(place)}/{quote(f'{place.name}/{name}', safe='')}"


def _upload(place: Place, name: str, **query: str) -> Answer:
    place.delete_later(_SERVICE, _path(place, name))
    path = f"/upload{_objects(place)}"
    full = f"{place.name}/{name}"
    return place.call(_SERVICE, "POST", path, b"probe", uploadType="media", name=full, **query)


def _make(place: Place, name: str) -> Any:  # noqa: ANN401  (JSON)
    """Make an object of the run; return its metadata."""
    return _upload(place, name, ifGenerationMatch="0").needed("write an object")


def _read(place: Place, name: str) -> Any:  # noqa: ANN401  (JSON)
    """Read an object's metadata; None if there is none."""
    answer = place.call(_SERVICE, "GET", _path(place, name))
    return None if answer.missing else answer.needed("read an object")


@probe(
    "storage-not-modified",
    assumes="A read with ifGenerationNotMatch answers 304 while the object has that generation.",
    relied="The configuration is asked for at each poll, and downloaded only when it changed "
    "(adapters/google/storage.py: ConfigObject).",
    expected="304 for the present generation, 200 for another",
    cloud_only=_IGNORED,
)
def not_modified(place: Place) -> str:
    """Read an object of the run under its generation, and under another."""
    made = _make(place, "not-modified")
    path = _path(place, "not-modified")
    same = place.call(_SERVICE, "GET", path, ifGenerationNotMatch=str(made["generation"]))
    other = place.call(_SERVICE, "GET", path, ifGenerationNotMatch="1")
    seen = f"{same.told('a read').status}, {other.told('a read').status}"
    need(seen, holds=same.status == _NOT_MODIFIED and other.ok)
    return seen


@probe(
    "storage-create",
    assumes="An upload with ifGenerationMatch=0 is refused with 412 if the object exists.",
    relied="A content is written once, and never under a message that ends meanwhile "
    "(adapters/google/storage.py: put).",
    expected="412, and the same generation",
)
def create(place: Place) -> str:
    """Write an object of the run twice."""
    made = _make(place, "create")
    answer = _upload(place, "create", ifGenerationMatch="0").told("a second write")
    kept = _read(place, "create")["generation"] == made["generation"]
    seen = f"{answer.status}, {'the same' if kept else 'another'} generation"
    need(seen, holds=answer.status == _PRECONDITION_FAILED and kept)
    return seen


@probe(
    "storage-metageneration",
    assumes="Each change of an object's metadata raises its metageneration, and a change or a "
    "delete under another one is refused with 412.",
    relied="A content that was put again is not withdrawn, nor expired "
    "(adapters/google/storage.py: withdraw, expire_unchanged).",
    expected="1, then 2; 412 for a change and for a delete under the old one",
)
def metageneration(place: Place) -> str:
    """Change the metadata of an object of the run, then act on the old metageneration."""
    before = str(_make(place, "meta")["metageneration"])
    path = _path(place, "meta")
    change = {"metadata": {"probe": "1"}}
    answer = place.call(_SERVICE, "PATCH", path, change, ifMetagenerationMatch=before)
    after = str(answer.needed("change an object's metadata")["metageneration"])
    stale = place.call(_SERVICE, "PATCH", path, change, ifMetagenerationMatch=before)
    gone = place.call(_SERVICE, "DELETE", path, ifMetagenerationMatch=before)
    refused = [stale.told("a change").status, gone.told("a delete").status]
    there = _read(place, "meta") is not None
    seen = f"{before}, then {after}; {refused[0]} and {refused[1]}, {'there' if there else 'gone'}"
    need(seen, holds=seen == "1, then 2; 412 and 412, there")
    return seen


@probe(
    "storage-custom-time",
    assumes="An object's custom time can be neither moved back nor removed.",
    relied="Once a message has ended its content goes, whatever a late call does; a content that "
    "is needed again is written anew (adapters/google/storage.py: _put).",
    expected="both are refused, and the custom time is as it was",
)
def custom_time(place: Place) -> str:
    """Set the custom time of an object of the run, then move it back and remove it."""
    _make(place, "custom-time")
    path = _path(place, "custom-time")
    now = datetime.now(UTC).replace(microsecond=0)
    forward = place.call(_SERVICE, "PATCH", path, {"customTime": now.isoformat()})
    forward.needed("set a custom time")
    kept = _read(place, "custom-time")["customTime"]
    back = {"customTime": (now - timedelta(days=1)).isoformat()}
    answers = [place.call(_SERVICE, "PATCH", path, it) for it in (back, {"customTime": None})]
    statuses = [answer.told("a change of the custom time").status for answer in answers]
    same = _read(place, "custom-time").get("customTime") == kept
    seen = f"{statuses[0]} and {statuses[1]}, {'unchanged' if same else 'changed'}"
    # Whatever Google answers to a removal, what counts is that the time stays.
    need(seen, holds=not answers[0].ok and same)
    return seen


@probe(
    "storage-list-order",
    assumes="A list comes in the order of the names, and startOffset is its first name.",
    relied="The daily look for contents that nothing refers to goes on where it stopped "
    "(adapters/google/storage.py: lasting).",
    expected="the names from the offset on, in their order",
    cloud_only="the emulator of Cloud Storage lists in any order",
)
def list_order(place: Place) -> str:
    """List objects of the run from the second one on."""
    for name in ("order-c", "order-a", "order-b"):
        _make(place, name)
    start = f"{place.name}/order-b"
    query = {"startOffset": start, "prefix": f"{place.name}/order-"}
    answer = place.calls.call(_SERVICE, "GET", _objects(place), query=query)
    names = [it["name"].rpartition("/")[2] for it in answer.needed("list objects")["items"]]
    seen = ", ".join(names)
    need(seen, holds=names == ["order-b", "order-c"])
    return seen


@probe(
    "storage-lifecycle",
    assumes="A lifecycle rule on daysSinceCustomTime deletes an object so many days after its "
    "custom time, and never one without.",
    relied="Contents of ended messages go with the history; those of dead messages stay "
    "(terraform/storage.tf).",
    expected="one rule, on daysSinceCustomTime alone, as many days as the history is kept",
    cloud_only="the emulator of Cloud Storage has no lifecycle",
)
def lifecycle(place: Place) -> str:
    """Read the rules of the contents' bucket."""
    path = f"/storage/v1/b/{place.settings.bucket}"
    body = place.call(_SERVICE, "GET", path).needed("read the bucket")
    rules = body.get("lifecycle", {}).get("rule", [])
    seen = "; ".join(f"{it['action']['type']} {it['condition']}" for it in rules) or "no rule"
    environment = place.function("poll")["serviceConfig"].get("environmentVariables", {})
    days = int(environment.get("SMARTLINK_HISTORY_DAYS", place.settings.history_days))
    wanted = [{"action": {"type": "Delete"}, "condition": {"daysSinceCustomTime": days}}]
    need(f"{seen}, for a history of {days} days", holds=rules == wanted)
    return seen


PROBES = (not_modified, create, metageneration, custom_time, list_order, lifecycle)
