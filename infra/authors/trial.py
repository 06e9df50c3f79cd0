"""`make try`: sends one message through the relay's services, in this process, to one consumer.

The simulator offers the message as the cloud app would. A poll stores, acks and dispatches it, the
consumer runs, and the relay settles the message. A last poll sends the replies. Nothing is left
behind, unless the trial keeps what `once` remembers.
"""

import json
import math
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from infra.authors.errors import AuthorError
from infra.authors.kept_effects import KeptEffects
from infra.authors.loaded import loaded_consumer
from infra.local.addresses import CONFIG_FILE
from infra.local.demo.in_process import InProcessRelay
from infra.local.demo.in_process_world import InProcessWorld, logs_in
from infra.local.firestore_view import HISTORY, LIVE, LOGS
from infra.local.provision import DEFAULT_CONFIG
from infra.local.tenants import LocalTenant
from infra.simulator.running import RunningSimulator, running_simulator
from smartlink.adapters.in_memory import InMemorySecrets
from smartlink.adapters.threads import ThreadRunner
from smartlink.consumer import Consumer
from smartlink.domain.catalog import Catalog, parse_catalog
from smartlink.domain.message import Stored
from smartlink.ports import Ran, Run
from smartlink.services.consuming.consume import Timeouts
from smartlink.settings import load_settings

TENANT = "acme"
LOOK_SECONDS = 0.02
SECONDS_AROUND = 15.0  # what the relay may take besides the consumer
_NO_TIMEOUT = timedelta(days=30)
_ON_ITS_WAY = ("Pendente", "Executando")
Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """The message to try, and its surroundings."""

    command: str
    content: bytes
    catalog: Path
    folder: Path  # of the logs and a new sample ERP database
    erp: bytes | None = (
        None  # the secret of the tenant's ERP; default: sample people, if it needs one
    )
    secrets: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    """The payloads of the secrets that the catalogue's entry declares, by name."""
    keep: bool = False
    """Whether the next run knows what `once` remembers, and this one has no time-out."""

    @property
    def remembered(self) -> Path:
        """The file with what `once` remembers of this command."""
        return self.folder / f"{self.command}.once.json"


class _PatientRunner(ThreadRunner):
    """Runs messages without a time-out, so that a debugger may stop them."""

    def run(
        self, stored: Sequence[Stored], execute: Run, timeout: timedelta
    ) -> Iterator[list[Ran]]:
        """See Runner."""
        return super().run(stored, execute, max(timeout, _NO_TIMEOUT))


@dataclass(frozen=True, slots=True)
class Tried:
    """The result: documents as Firestore would hold them, and replies as the broker got them."""

    message: Json
    seconds: float
    logs: tuple[Json, ...]
    replies: tuple[Json, ...]
    stored: tuple[tuple[str, Json], ...]  # (collection, document) after the settlement

    @property
    def done(self) -> bool:
        """Whether the message was executed."""
        return bool(self.message.get("Situacao") == "Concluida")


def attempt(trial: Trial) -> Tried:
    """Run the message once. Raises AuthorError, or NotReadyError if it runs past its time-out."""
    with _relay(trial) as (world, simulator, catalog, consumer):
        world.tick()  # sets the tenant's queue up: a message offered before is lost
        message = {"type": trial.command, "content": _text(trial.content, consumer)}
        simulator.offer(TENANT, [message], routed=True)
        began = time.monotonic()
        world.tick()
        most = catalog.commands[trial.command].timeout + SECONDS_AROUND
        found = _settled(world, math.inf if trial.keep else most)
        seconds = time.monotonic() - began
        stored = [(it, found) for it in (LIVE, HISTORY) for found in world.documents(TENANT, it)]
        world.tick()  # sends the replies
        return Tried(
            found,
            seconds,
            tuple(world.documents(TENANT, LOGS)),
            tuple(simulator.sent(TENANT)),
            tuple(stored),
        )


@contextmanager
def _relay(
    trial: Trial,
) -> Iterator[tuple[InProcessWorld, RunningSimulator, Catalog, Consumer]]:
    text = _one_command(trial)
    catalog = parse_catalog(text)
    consumer = loaded_consumer(trial.command, catalog.commands[trial.command].module)
    secret = secrets.token_hex(16)
    tenant = LocalTenant.model_validate(
        {"tenant": TENANT, "clientId": f"{TENANT}-client", "clientSecret": secret}
    )
    log = trial.folder / "relay.log"
    with logs_in(log), running_simulator() as simulator:
        simulator.add_tenant(TENANT, tenant.client_id, secret)
        variables = {
            "GOOGLE_CLOUD_PROJECT": "smartlink-try",
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": f"gs://in-memory/{CONFIG_FILE}",
            "SMARTLINK_CATALOG": text,
            "SMARTLINK_BASE_URL": simulator.url,
            "SMARTLINK_RAC_TOKEN_URL": simulator.rac_token_url,
        }
        erp = _erp(trial, tenant, needed=catalog.commands[trial.command].erp)
        own = InMemorySecrets({TENANT: json.dumps(tenant.secret()).encode()}, erp)
        for name, payload in _declared(trial, catalog).items():
            own.put_own(TENANT, name, payload)
        config = json.dumps(DEFAULT_CONFIG).encode()
        relay = InProcessRelay(
            load_settings(variables),
            own,
            config,
            [TENANT],
            effects=_kept(trial, catalog) if trial.keep else None,
            runner=_PatientRunner() if trial.keep else None,
        )
        with relay.running():
            yield InProcessWorld(relay, simulator.url, log), simulator, catalog, consumer


def _text(content: bytes, consumer: Consumer) -> str:
    """Return the content as the relay gets it. Raises AuthorError for bytes that nobody reads."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        if consumer.encoding is None:
            message = (
                "The content is not UTF-8, as every content is unless the consumer says otherwise: "
                'convert it, or write @consumer("…", encoding="windows-1252").'
            )
            raise AuthorError(message) from error
        return content.decode("utf-8", "surrogateescape")


def _declared(trial: Trial, catalog: Catalog) -> Mapping[str, bytes]:
    """Return the given secrets. Raises AuthorError for one that the catalogue does not declare."""
    declared = catalog.commands[trial.command].secrets
    if others := trial.secrets.keys() - {*declared}:
        message = (
            f"--secret {min(others)}: the entry of {trial.command} in {trial.catalog} does not "
            f'declare it (it declares {", ".join(declared) or "none"}): add "secrets": '
            f'["{min(others)}"] to it.'
        )
        raise AuthorError(message)
    return trial.secrets


def _kept(trial: Trial, catalog: Catalog) -> KeptEffects:
    return KeptEffects(trial.remembered, TENANT, Timeouts.of(catalog, trial.command).lease)


def _one_command(trial: Trial) -> str:
    """Return the catalogue with only this command, so that no other consumer is loaded."""
    try:
        document = json.loads(trial.catalog.read_bytes())
        commands = parse_catalog(json.dumps(document)).commands
    except (OSError, ValueError) as error:
        message = f"{trial.catalog}: {error}."
        raise AuthorError(message) from error
    if trial.command not in commands:
        message = (
            f"COMMAND={trial.command} is not in {trial.catalog}: it has {', '.join(commands)}. "
            f"A new one: make consumer COMMAND={trial.command}"
        )
        raise AuthorError(message)
    entry = dict(document["commands"][trial.command])
    if trial.keep:  # else `context.time_left` would run out, and with it its calls
        entry["timeoutSeconds"] = parse_catalog(json.dumps(document)).longest
    return json.dumps({**document, "commands": {trial.command: entry}})


def _erp(trial: Trial, tenant: LocalTenant, *, needed: bool) -> dict[str, bytes]:
    if trial.erp is not None:
        return {TENANT: trial.erp}
    if not needed:
        return {}
    # It imports a database's driver and other consumers' modules, which most commands do not need.
    from infra.local.erp import ErpDatabase  # noqa: PLC0415

    ErpDatabase(tenant, trial.folder, 1)
    return {TENANT: json.dumps(tenant.erp_secret(trial.folder)).encode()}


def _settled(world: InProcessWorld, seconds: float) -> Json:
    """Wait until the message is neither dispatched nor executing. Raises NotReadyError."""
    deadline = time.monotonic() + seconds
    while True:
        world.check()
        found = world.documents(TENANT, HISTORY) or [
            document
            for document in world.documents(TENANT, LIVE)
            if document.get("Direcao") == "Downstream"
        ]
        if found and (found[0]["Situacao"] not in _ON_ITS_WAY or time.monotonic() > deadline):
            return found[0]
        if time.monotonic() > deadline:
            message = f"The message did not get through the relay within {seconds:.0f} s."
            raise AuthorError(message)
        time.sleep(LOOK_SECONDS)
