"""Looks at the platform for `health`: at Google Cloud by its REST APIs, or at the emulators."""

import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any
from urllib.parse import urlencode, urlsplit

import requests
from google.auth import default
from google.auth.exceptions import GoogleAuthError
from google.auth.transport.requests import AuthorizedSession, Request

from smartlink.adapters.google.indexes import INDEXED_FIELDS, declared_indexes, index_states
from smartlink.i18n import _
from smartlink.operations.ports import (
    DeclaredIndex,
    FiringAlert,
    Identity,
    NotSignedInError,
    Platform,
    PlatformError,
)
from smartlink.ports import Refused, Unavailable
from smartlink.settings import Settings

_SCOPES = (
    "https://www.googleapis.com/auth/cloud-platform",
    "https://www.googleapis.com/auth/userinfo.email",
)
_TOKEN_INFO = "https://oauth2.googleapis.com/tokeninfo"  # noqa: S105  (an address)
_SECONDS = 10
_CLOUD_SECONDS = 30
_PREFIX = "smartlink-"  # of the functions' names
_ALERTS = "Smart Link: "  # begins the names of our alert policies
_ALERT_PAGES = 10


@dataclass
class GooglePlatform:
    """Google Cloud, with application default credentials."""

    settings: Settings
    declared: Mapping[str, Any]  # what `infra/firestore.json` declares; empty: it is not known
    _session: AuthorizedSession | None = None

    def sign_in(self) -> None:
        try:
            credentials, _ = default(scopes=_SCOPES)
        except GoogleAuthError as error:
            message = "find Google Cloud credentials"
            raise Refused(message) from error
        self._session = AuthorizedSession(credentials)

    def identity(self) -> Identity | None:
        """Google itself says whose the access token is."""
        if self._session is None:
            self.sign_in()
        assert self._session is not None  # noqa: S101  (signed in)
        credentials = self._session.credentials
        try:
            if not credentials.valid:
                credentials.refresh(Request())
            answer = requests.post(
                _TOKEN_INFO, data={"access_token": credentials.token}, timeout=_CLOUD_SECONDS
            )
        except GoogleAuthError as error:
            message = "sign in to Google Cloud"
            raise Refused(message) from error
        except requests.RequestException as error:
            message = f"{urlsplit(_TOKEN_INFO).hostname} ({type(error).__name__})"
            raise Unavailable(message) from None
        return _named(_body(answer, _TOKEN_INFO))

    def disabled_apis(self, names: Sequence[str]) -> list[str] | None:
        project = self.settings.project
        url = f"https://serviceusage.googleapis.com/v1/projects/{project}/services:batchGet"
        query = "&".join(
            f"names=projects/{project}/services/{name}.googleapis.com" for name in names
        )
        services = self._get(f"{url}?{query}").get("services", ())
        return [it["name"] for it in services if it.get("state") != "ENABLED"]

    def indexes(self) -> Sequence[DeclaredIndex] | None:
        if not self.declared:
            return ()
        settings = self.settings
        parts = {
            settings.firestore_database: self.declared,
            settings.audit_database: self.declared["audit"],
        }
        return [it for name, part in parts.items() for it in self._indexes(name, part)]

    def _indexes(self, database: str, part: Mapping[str, Any]) -> Iterator[DeclaredIndex]:
        groups = (
            f"https://firestore.googleapis.com/v1/projects/{self.settings.project}/databases/"
            f"{database}/collectionGroups/-"
        )
        states = index_states(
            self._listed(f"{groups}/indexes", "indexes"),
            self._listed(f"{groups}/fields", "fields", INDEXED_FIELDS),
        )
        for index in declared_indexes(part):
            yield DeclaredIndex(f"{database}: {index}", states.get(index, ""))

    def need_topic(self, topic: str) -> None:
        self._get(f"{self._pubsub}/topics/{topic}")

    def need_subscription(self, subscription: str) -> None:
        self._get(f"{self._pubsub}/subscriptions/{subscription}")

    @property
    def _pubsub(self) -> str:
        return f"https://pubsub.googleapis.com/v1/projects/{self.settings.project}"

    def functions(self) -> Mapping[str, bool]:
        return {name: it.get("state") == "ACTIVE" for name, it in self._functions().items()}

    def publish_status(self) -> int | None:
        publish = self._functions().get(f"{_PREFIX}publish", {})
        url = publish.get("serviceConfig", {}).get("uri")
        if not url:
            return None
        try:
            return requests.get(url, timeout=_SECONDS, allow_redirects=False).status_code
        except requests.RequestException as error:
            message = f"{urlsplit(url).hostname} ({type(error).__name__})"
            raise Unavailable(message) from None

    def variables(self) -> Mapping[str, str] | None:
        poll = self._functions().get(f"{_PREFIX}poll", {})
        found: Mapping[str, str] = poll.get("serviceConfig", {}).get("environmentVariables", {})
        return found

    def _functions(self) -> Mapping[str, Any]:
        project = self.settings.project
        url = f"https://cloudfunctions.googleapis.com/v2/projects/{project}/locations/-/functions"
        named = {it["name"].rpartition("/")[2]: it for it in self._listed(url, "functions")}
        return {name: it for name, it in named.items() if name.startswith(_PREFIX)}

    def alerts(self) -> Sequence[FiringAlert] | None:
        url = f"https://monitoring.googleapis.com/v3/projects/{self.settings.project}/alerts"
        firing: list[FiringAlert] = []
        token = ""
        for _page in range(_ALERT_PAGES):
            answer = self._get(f"{url}?{urlencode({'pageSize': 1_000, 'pageToken': token})}")
            for it in answer.get("alerts", ()):
                name = it.get("policy", {}).get("displayName", "")
                if it.get("state") == "OPEN" and name.startswith(_ALERTS):
                    firing.append(FiringAlert(name.removeprefix(_ALERTS), it.get("openTime", "")))
            token = answer.get("nextPageToken", "")
            if not token:
                return firing
        message = _(
            "more than {most} alerts are kept: an older one may fire", most=_ALERT_PAGES * 1_000
        )
        raise PlatformError(message)

    def broker_time(self) -> datetime | None:
        return _time_of(self.settings.smart_link_url)

    def _listed(self, url: str, items: str, condition: str = "") -> Iterator[Mapping[str, Any]]:
        """Every page of a list."""
        query = {"filter": condition} if condition else {}
        while True:
            page = self._get(f"{url}?{urlencode(query)}" if query else url)
            yield from page.get(items, ())
            if not page.get("nextPageToken"):
                return
            query["pageToken"] = page["nextPageToken"]

    def _get(self, url: str) -> Mapping[str, Any]:
        if self._session is None:
            raise NotSignedInError(_("there are no credentials"))
        try:
            answer = self._session.request("GET", url, timeout=_CLOUD_SECONDS)
        except GoogleAuthError as error:
            message = "sign in to Google Cloud"
            raise Refused(message) from error
        except requests.RequestException as error:
            message = f"{url.split('/')[2]} ({type(error).__name__})"
            raise Unavailable(message) from None
        return _body(answer, url.partition("?")[0])


@dataclass
class EmulatedPlatform:
    """A local stack: the emulators, and the functions that listen on this machine."""

    settings: Settings
    addresses: Mapping[str, str]  # the functions' URLs

    def sign_in(self) -> None:
        """The emulators need no credentials."""

    def identity(self) -> Identity | None:
        return None

    def disabled_apis(self, names: Sequence[str]) -> list[str] | None:  # noqa: ARG002  (the port's)
        return None

    def indexes(self) -> Sequence[DeclaredIndex] | None:
        return None

    def need_topic(self, topic: str) -> None:
        self._need(f"{self._pubsub}/topics/{topic}")

    def need_subscription(self, subscription: str) -> None:
        self._need(f"{self._pubsub}/subscriptions/{subscription}")

    @cached_property
    def _pubsub(self) -> str:
        return f"http://{self.settings.pubsub_emulator}/v1/projects/{self.settings.project}"

    def functions(self) -> Mapping[str, bool]:
        for name, url in self.addresses.items():
            parts = urlsplit(url)
            try:
                address = (parts.hostname or "", parts.port or 80)
                socket.create_connection(address, _SECONDS).close()
            except OSError:
                message = _("{name} does not listen at {url}", name=name, url=url)
                raise PlatformError(message) from None
        return dict.fromkeys(self.addresses, True)

    def publish_status(self) -> int | None:
        return None

    def variables(self) -> Mapping[str, str] | None:
        return None

    def alerts(self) -> Sequence[FiringAlert] | None:
        return None

    def broker_time(self) -> datetime | None:
        return _time_of(self.settings.smart_link_url)

    @staticmethod
    def _need(url: str) -> None:
        try:
            answer = requests.get(url, timeout=_SECONDS)
        except requests.RequestException as error:
            kind = type(error).__name__
            message = _("{url} does not answer ({kind})", url=url, kind=kind)
            raise PlatformError(message) from None
        _body(answer, url)


def _body(answer: requests.Response, url: str) -> Mapping[str, Any]:
    if not answer.ok:
        message = _("{url} answers {status}", url=url, status=answer.status_code)
        raise PlatformError(message)
    try:
        body: Mapping[str, Any] = answer.json()
    except ValueError:
        message = _("{url} does not answer with JSON", url=url)
        raise PlatformError(message) from None
    return body


def _named(told: Mapping[str, Any]) -> Identity:
    """The e-mail address that Google has verified; of a service account its id may be all."""
    email = told.get("email")
    if email and str(told.get("email_verified")).lower() == "true":
        return Identity(str(email), verified=True)
    account = told.get("sub") or told.get("azp")
    if not email and account:
        return Identity(f"account {account}", verified=True)
    message = (
        "Google does not say whose these credentials are: gcloud auth application-default login"
    )
    raise Refused(message)


def _time_of(url: str) -> datetime | None:
    try:
        date = requests.head(url, timeout=_SECONDS).headers.get("Date")
    except requests.RequestException as error:
        kind = type(error).__name__
        message = _("the broker at {url} does not answer ({kind})", url=url, kind=kind)
        raise PlatformError(message) from None
    return parsedate_to_datetime(date) if date else None


_checked: tuple[type[Platform], ...] = (GooglePlatform, EmulatedPlatform)
