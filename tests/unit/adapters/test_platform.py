"""What `health` asks of Google Cloud, over REST."""

import json
import re
from io import BytesIO
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests

from smartlink.adapters.google.platform import GooglePlatform
from smartlink.operations.ports import FiringAlert, Identity, NotSignedInError, PlatformError
from smartlink.ports import Refused, Unavailable
from smartlink.settings import load_settings
from tests.project.checkout import ROOT
from tests.support.world import catalog

DECLARED = json.loads((ROOT / "infra" / "firestore.json").read_bytes())
OVER_ALL = {
    "collectionGroup": "GTotvsLinkMessageExec",
    "queryScope": "COLLECTION_GROUP",
    "fields": [{"fieldPath": "Comando", "order": "ASCENDING"}],
}
OF_A_FIELD = {"order": "ASCENDING", "queryScope": "COLLECTION_GROUP"}
OF_AUDIT = DECLARED["audit"]["indexes"][0]
SETTINGS = load_settings(
    {
        "GOOGLE_CLOUD_PROJECT": "project",
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_CONFIG_URI": "gs://bucket/totvsAppConfig_v2.json",
        "SMARTLINK_CATALOG": catalog(),
    }
)


class Session:
    """Answers by what the address contains."""

    def __init__(self, **answers: Any) -> None:  # noqa: ANN401  (JSON, a status, an error)
        self.answers = answers

    def request(self, _method: str, url: str, timeout: float) -> requests.Response:
        assert timeout > 0
        answer = next(answer for part, answer in self.answers.items() if part in url)
        if isinstance(answer, Exception):
            raise answer
        response = requests.Response()
        response.status_code = answer if isinstance(answer, int) else 200
        response.raw = BytesIO(json.dumps(answer).encode())
        return response


def platform(**answers: Any) -> GooglePlatform:  # noqa: ANN401
    return GooglePlatform(SETTINGS, DECLARED, cast("Any", Session(**answers)))


def listed(index: dict[str, Any], state: str = "READY", **other: Any) -> dict[str, Any]:  # noqa: ANN401
    """An index as the Admin API lists it."""
    name = f"projects/p/databases/d/collectionGroups/{index['collectionGroup']}/indexes/1"
    fields = [*index["fields"], {"fieldPath": "__name__", "order": "DESCENDING"}]
    return {
        "name": name,
        "queryScope": index["queryScope"],
        "fields": fields,
        "state": state,
        **other,
    }


def seen(messages: list[Any], fields: list[Any], audit: list[Any]) -> dict[str, str]:
    """The states that the platform tells, by name."""
    cloud = GooglePlatform(
        SETTINGS,
        {
            "indexes": [OVER_ALL],
            "fieldOverrides": [
                {"collectionGroup": "GTotvsLinkMessage", "fieldPath": "ID", "indexes": [OF_A_FIELD]}
            ],
            "audit": {"indexes": [OF_AUDIT]},
        },
        cast(
            "Any",
            Session(
                **{
                    "smartlink-audit/collectionGroups/-/indexes": {"indexes": audit},
                    "smartlink-audit/collectionGroups/-/fields": {},
                    "/indexes?pageToken=more": {"indexes": messages},
                    "/indexes": {"nextPageToken": "more"},
                    "/fields": {"fields": fields},
                }
            ),
        ),
    )
    return {it.name: it.state for it in cloud.indexes() or ()}


FIELD_READY = {
    "name": "projects/p/databases/d/collectionGroups/GTotvsLinkMessage/fields/ID",
    "indexConfig": {
        "indexes": [
            {
                "queryScope": "COLLECTION_GROUP",
                "fields": [{"fieldPath": "ID", "order": "ASCENDING"}],
                "state": "READY",
            }
        ]
    },
}
GROUP = "(default): GTotvsLinkMessageExec (Comando ASCENDING, COLLECTION_GROUP)"
FIELD = "(default): GTotvsLinkMessage (ID ASCENDING, COLLECTION_GROUP)"
AUDIT = "smartlink-audit: Auditoria (Tenants CONTAINS, Data DESCENDING)"


def test_indexes_of_both_databases_are_looked_at_on_every_page() -> None:
    every = seen([listed(OVER_ALL)], [FIELD_READY], [listed(OF_AUDIT)])
    assert every == dict.fromkeys((GROUP, FIELD, AUDIT), "READY")


@pytest.mark.parametrize("state", ["CREATING", "NEEDS_REPAIR"])
def test_an_index_that_is_not_ready_says_how_it_stands(state: str) -> None:
    found = seen([listed(OVER_ALL, state)], [FIELD_READY], [listed(OF_AUDIT, state)])
    assert found == {GROUP: state, FIELD: "READY", AUDIT: state}


def test_an_index_that_is_missing_is_named() -> None:
    """One of a single collection serves no query over all tenants, and one of the messages'
    database none of the audit."""
    of_one = listed(OVER_ALL, queryScope="COLLECTION")
    found = seen([of_one, listed(OF_AUDIT)], [], [])
    assert found == dict.fromkeys((GROUP, FIELD, AUDIT), "")


def test_where_no_index_is_declared_none_is_asked_for() -> None:
    assert GooglePlatform(SETTINGS, {}, cast("Any", Session())).indexes() == ()


def test_functions_and_apis_that_are_off() -> None:
    functions = [
        {"name": "projects/p/locations/l/functions/smartlink-poll", "state": "ACTIVE"},
        {"name": "projects/p/locations/l/functions/smartlink-publish", "state": "FAILED"},
        {"name": "projects/p/locations/l/functions/others", "state": "FAILED"},
    ]
    cloud = platform(
        cloudfunctions={"functions": functions},
        batchGet={"services": [{"name": "a", "state": "ENABLED"}, {"name": "b"}]},
    )
    assert cloud.functions() == {"smartlink-poll": True, "smartlink-publish": False}
    assert cloud.disabled_apis(["a", "b"]) == ["b"]


@pytest.mark.parametrize("status", [403, 404])
def test_publish_is_called_without_an_identity(
    status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its own address; where it is not deployed nothing is called."""
    asked: list[str] = []

    def get(url: str, **options: Any) -> requests.Response:  # noqa: ANN401
        assert options == {"timeout": 10, "allow_redirects": False}
        asked.append(url)
        response = requests.Response()
        response.status_code = status
        return response

    monkeypatch.setattr(requests, "get", get)
    name = "projects/p/locations/l/functions/smartlink-publish"
    found = {"name": name, "serviceConfig": {"uri": "https://publish.example.com"}}
    assert platform(cloudfunctions={"functions": [found]}).publish_status() == status
    assert asked == ["https://publish.example.com"]
    assert platform(cloudfunctions={"functions": []}).publish_status() is None
    assert len(asked) == 1


def test_the_variables_of_the_functions() -> None:
    """As they are deployed; none where there is no poll."""
    variables = {"SMARTLINK_BACKUP_DAYS": "28"}
    poll = {
        "name": "projects/p/locations/l/functions/smartlink-poll",
        "serviceConfig": {"environmentVariables": variables},
    }
    assert platform(cloudfunctions={"functions": [poll]}).variables() == variables
    assert platform(cloudfunctions={}).variables() == {}


def alert(policy: str, state: str, at: str = "2026-03-09T12:30:00Z") -> dict[str, Any]:
    return {"state": state, "openTime": at, "policy": {"displayName": policy}}


def test_alerts_that_fire_are_the_relays_open_ones() -> None:
    """On every page; other products' alerts of the project are not told."""
    first = {
        "alerts": [
            alert("Smart Link: too many errors", "OPEN"),
            alert("Smart Link: no successful poll for 5 minutes", "CLOSED"),
            alert("A shop's", "OPEN"),
        ],
        "nextPageToken": "more",
    }
    second = {"alerts": [alert("Smart Link: old", "OPEN", "2026-03-01T00:00:00Z")]}
    cloud = platform(**{"pageToken=more": second, "projects/project/alerts?": first})
    assert cloud.alerts() == [
        FiringAlert("too many errors", "2026-03-09T12:30:00Z"),
        FiringAlert("old", "2026-03-01T00:00:00Z"),
    ]
    assert platform(**{"alerts?": {}}).alerts() == []


def test_our_alert_policies_are_known_by_their_names() -> None:
    text = (ROOT / "terraform" / "monitoring_alerts.tf").read_text(encoding="utf-8")
    policies = text.split('resource "google_monitoring_alert_policy"')[1:]
    names = [re.search(r'\n  display_name += "(.*)"', it) for it in policies]
    assert len(names) > 3
    assert all(it and it[1].startswith("Smart Link: ") for it in names)


def test_alerts_that_could_not_all_be_looked_at_are_told() -> None:
    endless = {"alerts": [], "nextPageToken": "more"}
    with pytest.raises(PlatformError, match="more than 10,000 alerts"):
        platform(**{"alerts?": endless}).alerts()
    with pytest.raises(PlatformError, match=r"alerts answers 403$"):
        platform(**{"alerts?": 403}).alerts()


def test_each_way_to_fail_is_told_apart() -> None:
    with pytest.raises(PlatformError, match=r"v1/projects/project/topics/t answers 404$"):
        platform(topics=404).need_topic("t")
    with pytest.raises(Unavailable, match=r"pubsub.googleapis.com \(ConnectionError\)"):
        platform(subscriptions=requests.ConnectionError("no")).need_subscription("s")
    with pytest.raises(NotSignedInError):
        GooglePlatform(SETTINGS, DECLARED).functions()


def whose(monkeypatch: pytest.MonkeyPatch, told: object, status: int = 200) -> Identity | None:
    """Whom Google names for the token of a session."""
    asked: list[object] = []

    def post(url: str, data: object, timeout: float) -> requests.Response:
        assert (urlsplit(url).hostname, timeout > 0) == ("oauth2.googleapis.com", True)
        asked.append(data)
        answer = requests.Response()
        answer.status_code = status
        answer.raw = BytesIO(json.dumps(told).encode())
        return answer

    class Credentials:
        valid = False
        token = "old"

        def refresh(self, _request: object) -> None:
            self.token = "access-token"

    session = Session()
    session.credentials = Credentials()  # type: ignore[attr-defined]
    monkeypatch.setattr(requests, "post", post)
    found = GooglePlatform(SETTINGS, DECLARED, cast("Any", session)).identity()
    assert asked == [{"access_token": "access-token"}]
    return found


def test_google_says_who_acts(monkeypatch: pytest.MonkeyPatch) -> None:
    """An address that is verified; of a service account the id may be all that is told."""
    ana = {"email": "ana@example.com", "email_verified": "true", "sub": "1"}
    assert whose(monkeypatch, ana) == Identity("ana@example.com", verified=True)
    assert whose(monkeypatch, {"azp": "42"}) == Identity("account 42", verified=True)
    for claim in ({"email": "ana@example.com", "email_verified": "false", "sub": "1"}, {}):
        with pytest.raises(Refused, match="does not say whose"):
            whose(monkeypatch, claim)
    with pytest.raises(PlatformError, match="answers 400"):
        whose(monkeypatch, {"error": "invalid_token"}, 400)
