"""What `doctor` looks at, beside the tenants: each check says what is so, or how to mend it."""

import json
import socket
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import requests

from infra.cli.errors import CliError
from infra.cli.schedule import checked, lasting
from infra.cli.words import explained
from infra.cli.world import World
from infra.deploy.cloud import GoogleCloud
from infra.deploy.errors import DeployError
from infra.local.checkout import CATALOG
from smartlink.ports import PortError

Check = tuple[str, bool, str]
_DEPLOY = "make deploy"
_APIS = ("cloudfunctions", "cloudscheduler", "firestore", "pubsub", "run", "secretmanager")
_SKEW = timedelta(seconds=60)
_SECONDS = 10


class Examination:
    """The checks of one place."""

    def __init__(self, world: World) -> None:
        """Look at this place."""
        self._world = world
        self._local = world.target.local
        self._cloud: GoogleCloud | None = None

    def checks(self) -> Iterator[Check]:
        """Every check, the cheapest and most telling first."""
        parts: tuple[tuple[str, Callable[[], str]], ...] = (
            ("credentials", self._credentials),
            ("APIs", self._apis),
            ("Firestore", self._firestore),
            ("indexes", self._indexes),
            ("topics", lambda: self._pubsub("topics")),
            ("subscriptions", lambda: self._pubsub("subscriptions")),
            ("functions", self._functions),
            ("configuration", self._config),
            ("clock", self._clock),
            ("secrets", self._secrets),
        )
        for name, part in parts:
            try:
                yield name, True, part()
            except (CliError, DeployError) as error:
                yield name, False, " ".join(str(error).split())
            except PortError as error:
                yield name, False, str(explained(error, self._world.target))

    def _credentials(self) -> str:
        if self._local:
            return "the emulators need none"
        self._cloud = GoogleCloud()
        return "found"

    def _get(self, url: str, mend: str) -> Mapping[str, Any]:
        if self._local:
            return _plain_get(url, mend)
        if self._cloud is None:
            message = "not looked at without credentials"
            raise CliError(message)
        answer = self._cloud.get(url)
        if answer.status != 200:  # noqa: PLR2004
            message = f"{url.split('?', maxsplit=1)[0]} answers {answer.status}: {mend}"
            raise CliError(message)
        return answer.body

    def _apis(self) -> str:
        if self._local:
            return "the emulators stand for them"
        project = self._world.settings.project
        url = f"https://serviceusage.googleapis.com/v1/projects/{project}/services:batchGet"
        names = "&".join(
            f"names=projects/{project}/services/{name}.googleapis.com" for name in _APIS
        )
        services = self._get(f"{url}?{names}", "grant roles/serviceusage.serviceUsageViewer")
        off = [it["name"] for it in services.get("services", ()) if it.get("state") != "ENABLED"]
        if off:
            message = f"not enabled: {', '.join(off)}: {_DEPLOY}, or gcloud services enable"
            raise CliError(message)
        return "enabled"

    def _firestore(self) -> str:
        return f"answers; {len(self._world.store.known_tenants())} tenants have documents"

    def _indexes(self) -> str:
        declared = json.loads(CATALOG.with_name("firestore.json").read_bytes())["indexes"]
        if self._local:
            return "the emulator needs none"
        config = self._world.settings
        url = (
            f"https://firestore.googleapis.com/v1/projects/{config.project}/databases/"
            f"{config.firestore_database}/collectionGroups/-/indexes"
        )
        found = self._get(url, "grant roles/datastore.viewer").get("indexes", ())
        ready = {_fields(it) for it in found if it.get("state") == "READY"}
        missing = [it for it in declared if _fields(it) not in ready]
        if missing:
            message = f"{len(missing)} of {len(declared)} are not ready: {_DEPLOY}, then wait"
            raise CliError(message)
        return f"{len(declared)} ready"

    def _pubsub(self, kind: str) -> str:
        config = self._world.settings
        emulator = config.pubsub_emulator
        base = f"http://{emulator}" if emulator else "https://pubsub.googleapis.com"
        topics = [command.topic for command in config.catalog.commands.values()]
        topics.append(str(config.catalog.functions.poll_shard.topic))
        mend = "restart the local stack" if self._local else _DEPLOY
        for topic in topics:
            self._get(f"{base}/v1/projects/{config.project}/{kind}/{topic}", mend)
        return f"{len(topics)} there"

    def _functions(self) -> str:
        if self._local:
            return self._local_functions()
        project = self._world.settings.project
        url = f"https://cloudfunctions.googleapis.com/v2/projects/{project}/locations/-/functions"
        found = self._get(url, "grant roles/cloudfunctions.viewer").get("functions", ())
        own = {
            it["name"].rpartition("/")[2]: it.get("state")
            for it in found
            if it["name"].rpartition("/")[2].startswith("smartlink-")
        }
        wanted = 3 + len(self._world.settings.catalog.commands)  # poll, poll_shard, publish
        broken = [name for name, state in own.items() if state != "ACTIVE"]
        if broken or len(own) < wanted:
            message = f"{len(own)} of {wanted} deployed, not active: {broken or 'none'}: {_DEPLOY}"
            raise CliError(message)
        return f"{len(own)} active"

    def _local_functions(self) -> str:
        for name, url in self._world.target.functions.items():
            parts = urlsplit(url)
            try:
                address = (parts.hostname or "", parts.port or 80)
                socket.create_connection(address, _SECONDS).close()
            except OSError:
                message = f"{name} does not listen at {url}: restart the local stack"
                raise CliError(message) from None
        return f"{len(self._world.target.functions)} listen"

    def _config(self) -> str:
        settings = self._world.settings
        current = self._world.config.current()
        if current is None:
            message = f"{settings.config_uri} is missing: smartlink config push FILE --yes"
            raise CliError(message)
        policy = checked(current.data, current.generation, settings)
        return f"{policy.attempts} attempts over {lasting(policy.horizon)}"

    def _clock(self) -> str:
        """Tokens and leases compare clocks: the broker's stands in each of its answers."""
        host = self._world.settings.smart_link_url
        try:
            date = requests.head(host, timeout=_SECONDS).headers.get("Date")
        except requests.RequestException as error:
            message = f"{host} does not answer ({type(error).__name__}): check the network"
            raise CliError(message) from None
        if not date:
            return "the broker does not tell its time"
        skew = abs(self._world.now() - parsedate_to_datetime(date))
        if skew > _SKEW:
            message = f"{lasting(skew)} off the broker's: set this machine's clock (NTP)"
            raise CliError(message)
        return "right to the minute"

    def _secrets(self) -> str:
        return f"{len(self._world.secrets.entries())} tenants"


def _plain_get(url: str, mend: str) -> Mapping[str, Any]:
    try:
        answer = requests.get(url, timeout=_SECONDS)
    except requests.RequestException as error:
        message = f"{url} does not answer ({type(error).__name__}): {mend}"
        raise CliError(message) from None
    if not answer.ok:
        message = f"{url} answers {answer.status_code}: {mend}"
        raise CliError(message)
    body: Mapping[str, Any] = answer.json()
    return body


def _fields(index: Mapping[str, Any]) -> tuple[str, ...]:
    """An index without what Firestore adds: the collection and the fields, in order."""
    name = index.get("collectionGroup") or index["name"].split("/collectionGroups/")[1]
    fields = (it for it in index["fields"] if it["fieldPath"] != "__name__")
    return (name.split("/")[0], *(f"{it['fieldPath']} {it.get('order')}" for it in fields))
