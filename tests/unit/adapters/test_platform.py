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

INDEX = {
    "collectionGroup": "GTotvsLinkMessage",
    "queryScope": "COLLECTION",
    "fields": [{"fieldPath": "Direcao", "order": "ASCENDING"}],
}
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
    return GooglePlatform(SETTINGS, [INDEX], cast("Any", Session(**answers)))


def test_only_what_is_ready_counts() -> None:
    name = "projects/p/databases/d/collectionGroups/GTotvsLinkMessage/indexes/1"
    own = [*INDEX["fields"], {"fieldPath": "__name__", "order": "ASCENDING"}]
    group = "COLLECTION_GROUP"  # of the same fields: it serves other queries
    scope = INDEX["queryScope"]
    for its, state, missing in ((scope, "READY", 0), (scope, "CREATING", 1), (group, "READY", 1)):
        found = {"indexes": [{"name": name, "queryScope": its, "fields": own, "state": state}]}
        assert platform(collectionGroups=found).missing_indexes() == (missing, 1)


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
        GooglePlatform(SETTINGS, [INDEX]).functions()


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
    found = GooglePlatform(SETTINGS, [INDEX], cast("Any", session)).identity()
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
