"""Probes of Secret Manager, on a secret of the run that the relay does not take for a tenant's."""

import base64
from typing import Any

import google_crc32c

from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe

_SERVICE = "secretmanager"
_LABEL = "smartlink_accept"
_SOON = 30  # seconds that a list may lag behind


def _secrets(place: Place) -> str:
    return f"/v1/projects/{place.settings.project}/secrets"


def _make(place: Place, kind: str) -> str:
    """Make a secret of the run with a first version; return its path."""
    name = f"{place.name}-{kind}"
    path = f"{_secrets(place)}/{name}"
    replication: dict[str, Any] = {"automatic": {}}
    if not place.local:  # an organisation may forbid automatic replication
        replication = {"userManaged": {"replicas": [{"location": place.region}]}}
    secret = {"replication": replication, "labels": {_LABEL: f"{place.run}-{kind}"}}
    place.delete_later(_SERVICE, path)
    answer = place.call(_SERVICE, "POST", _secrets(place), secret, secretId=name)
    answer.needed("make a secret")
    _add(place, path, b"first")
    return path


def _add(place: Place, path: str, data: bytes) -> None:
    payload = {
        "data": base64.b64encode(data).decode(),
        "dataCrc32c": str(google_crc32c.value(data)),
    }
    answer = place.call(_SERVICE, "POST", f"{path}:addVersion", {"payload": payload})
    answer.needed("add a version")


def _listed(place: Place, term: str) -> list[Any]:
    return place.listed(_SERVICE, _secrets(place), "secrets", filter=term, pageSize="1000")


def _etag(place: Place, kind: str) -> str:
    """Read the secret's etag as the list shows it, which may lag behind."""
    end = place.clock() + _SOON
    while True:
        found = _listed(place, f"labels.{_LABEL}={place.run}-{kind}")
        if found:
            return str(found[0]["etag"])
        need(f"the list does not show the secret within {_SOON} s", holds=place.clock() < end)
        place.wait(1)


@probe(
    "secrets-etag-version",
    assumes="A new version alone does not change the secret's etag.",
    relied="`tenants rotate` touches the secret, or the relay would read the new version only "
    "after an hour (adapters/google/secret_manager_operator.py: touch).",
    expected="the secret and the list show the same etag before and after",
)
def etag_version(place: Place) -> str:
    """Add a version to a secret of the run."""
    path = _make(place, "version")
    before = {_etag(place, "version"), _own_etag(place, path)}
    _add(place, path, b"second")
    after = {_etag(place, "version"), _own_etag(place, path)}
    need("another etag after a new version", holds=before == after and len(after) == 1)
    return "the same etag"


def _own_etag(place: Place, path: str) -> str:
    """Read the secret's etag from the secret itself, which never lags behind."""
    return str(place.call(_SERVICE, "GET", path).needed("read a secret")["etag"])


@probe(
    "secrets-etag-touch",
    assumes="A change of an annotation changes the secret's etag, as the list shows it.",
    relied="The relay reads a payload again when the etag is another one "
    "(services/polling/identity.py, adapters/google/secret_manager.py: entries).",
    expected="the list shows another etag within half a minute",
)
def etag_touch(place: Place) -> str:
    """Annotate a secret of the run."""
    path = _make(place, "touch")
    before = _etag(place, "touch")
    change = {"annotations": {"smartlink-changed": place.run}}
    answer = place.call(_SERVICE, "PATCH", path, change, updateMask="annotations")
    answer.needed("annotate a secret")
    end = place.clock() + _SOON
    while _etag(place, "touch") == before:
        need(f"the same etag for {_SOON} s", holds=place.clock() < end)
        place.wait(1)
    return "another etag"


@probe(
    "secrets-filter",
    assumes="A list filtered by labels.KEY=VALUE holds the secrets with exactly that label, and no "
    "others.",
    relied="Who the tenants are (adapters/google/secret_manager.py: labels.smartlink=tenant).",
    expected="the run's secret under its own label; under smartlink=tenant only such secrets",
)
def label_filter(place: Place) -> str:
    """List by the label of the run, and by that of tenants."""
    path = _make(place, "label")
    _etag(place, "label")
    name = path.rpartition("/")[2]
    labelled = _listed(place, f"labels.{_LABEL}={place.run}-label")
    own = [it["name"].rpartition("/")[2] for it in labelled]
    need(f"under its own label: {own}", holds=own == [name])
    other = _listed(place, f"labels.{_LABEL}={place.run}-other")
    need(f"under another value: {len(other)} secrets", holds=not other)
    tenants = _listed(place, "labels.smartlink=tenant")
    odd = [it["name"] for it in tenants if it.get("labels", {}).get("smartlink") != "tenant"]
    need(f"without the label: {odd}", holds=not odd)
    return f"its own alone; {len(tenants)} tenants"


@probe(
    "secrets-latest",
    assumes="The version `latest` is the newest one at once, with the checksum of its payload.",
    relied="Credentials that were rotated are those that are read "
    "(adapters/google/secret_manager.py: _access).",
    expected="the second version's payload and checksum",
)
def latest(place: Place) -> str:
    """Add a version to a secret of the run and read `latest`."""
    path = _make(place, "latest")
    _add(place, path, b"second")
    answer = place.call(_SERVICE, "GET", f"{path}/versions/latest:access")
    body = answer.needed("read the latest version")
    data = base64.b64decode(body["payload"]["data"])
    sum_ = int(body["payload"].get("dataCrc32c", -1))
    number = str(body["name"]).rpartition("/")[2]
    seen = f"version {number}, {'the' if sum_ == google_crc32c.value(data) else 'no'} checksum"
    need(seen, holds=data == b"second" and seen == "version 2, the checksum")
    return seen


PROBES = (etag_version, etag_touch, label_filter, latest)
