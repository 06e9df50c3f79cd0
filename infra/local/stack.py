"""Starts the whole stack on the official emulators, in the quickest order."""

import json
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.addresses import Addresses
from infra.local.checkout import CATALOG, FUNCTIONS, ROOT
from infra.local.child import Child
from infra.local.emulators import (
    FIRESTORE_VARIABLE,
    PUBSUB_VARIABLE,
    QUICK_START,
    firestore_program,
    outside_host,
    pubsub_program,
    storage_program,
)
from infra.local.errors import ProvisioningError, SettingError, TickError
from infra.local.functions import (
    function_environment,
    function_names,
    function_programs,
    function_urls,
    load_catalog,
)
from infra.local.kept import Kept
from infra.local.ports import HOST, allocate
from infra.local.program import Program, answers, said_json, says_json
from infra.local.provision import (
    DEFAULT_CONFIG,
    create_buckets,
    create_secrets,
    create_topics,
    register_tenants,
)
from infra.local.rest import Json, Rest
from infra.local.sdk import find_toolkit
from infra.local.settings import Broker, LocalSettings
from infra.local.signals import ending_signals_held
from infra.local.stack_file import StackFile, sole_stack
from infra.local.supervisor import Supervisor, supervised
from infra.local.tenants import LocalTenant
from smartlink.domain.catalog import Catalog

TICK_MARGIN_SECONDS = 5


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stack runs with."""

    project: str
    tenants: tuple[LocalTenant, ...]
    config: Json = field(default_factory=lambda: DEFAULT_CONFIG)
    environment: Mapping[str, str] = field(default_factory=dict)  # added to each function's
    simulator: Json = field(default_factory=dict)  # the simulator's options
    source: Path = FUNCTIONS / "main.py"
    catalog: Path = CATALOG
    kept: Kept | None = None  # what the stack before left, and this one leaves


@dataclass
class RunningStack:
    """A running stack. `Reload` changes what it runs."""

    addresses: Addresses
    catalog: Catalog
    supervisor: Supervisor
    logs: Path
    plan: Plan
    ports: dict[str, int]
    file: StackFile
    between_ticks: threading.Lock = field(default_factory=threading.Lock)  # held by each tick

    @property
    def leftovers(self) -> tuple[int, ...]:
        """The ids of processes that a killed stack of this folder may have left."""
        return tuple(self.file.leftovers)

    def show(self) -> None:
        """Write the addresses and process ids into `stack.json`."""
        self.file.write(self.addresses.json(self.catalog), self.pids)

    def tick(self) -> None:
        """Call poll once, as Cloud Scheduler does. Raises TickError."""
        deadline = self.catalog.functions.poll.timeout + TICK_MARGIN_SECONDS
        try:
            with self.between_ticks:
                Rest(deadline).call("POST", self.addresses.functions["poll"], {})
        except ProvisioningError as error:
            message = f"The tick failed: {error} See {self.logs / 'poll.log'}."
            raise TickError(message) from error

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each child by its name."""
        return {child.program.name: child.pid for child in self.supervisor.children}


@contextmanager
def running_stack(settings: LocalSettings, plan: Plan) -> Iterator[RunningStack]:
    """Start everything; at the end stop all of it, even if only a part had started."""
    logs = settings.folder / "logs"
    with sole_stack(settings.folder) as file, supervised(logs) as supervisor:
        stack = _Start(settings, plan, supervisor).run(file)
        stack.show()
        try:
            yield stack
        finally:
            if plan.kept is not None:
                _keep(stack, plan.kept)


def _keep(stack: RunningStack, kept: Kept) -> None:
    """Keep the documents once nothing writes any more."""
    if "firestore" not in stack.pids:
        return  # somebody else's emulator keeps its own
    with ending_signals_held():
        stack.supervisor.end(function_names(stack.catalog))
        kept.export(stack.addresses.firestore, stack.addresses.project)


class _Start:
    """One start of a stack. What starts slowly is started first, and waited for last."""

    def __init__(self, settings: LocalSettings, plan: Plan, supervisor: Supervisor) -> None:
        self._settings = settings
        self._plan = plan
        self._supervisor = supervisor
        self._catalog = load_catalog(plan.catalog)
        self._firestore = outside_host(FIRESTORE_VARIABLE)
        self._pubsub = outside_host(PUBSUB_VARIABLE)
        self._ports = self._allocate()

    def run(self, file: StackFile) -> RunningStack:
        services = self._supervisor.start(*self._services())
        by_name = {child.program.name: child for child in services}
        broker = self._settings.broker or self._simulated_broker(by_name["simulator"])
        addresses = self._addresses(broker)
        environment = {**function_environment(addresses, self._catalog), **self._plan.environment}
        functions = self._supervisor.start(
            *function_programs(self._catalog, self._ports, environment, self._plan.source)
        )
        self._provision(addresses, by_name)
        self._supervisor.wait_ready([*services, *functions])
        logs = self._settings.folder / "logs"
        return RunningStack(
            addresses, self._catalog, self._supervisor, logs, self._plan, self._ports, file
        )

    def _allocate(self) -> dict[str, int]:
        names = ["storage", "secret-manager", *function_names(self._catalog)]
        names += [] if self._firestore else ["firestore"]
        names += [] if self._pubsub else ["pubsub"]
        names += [] if self._settings.broker else ["simulator"]
        wanted = dict(self._settings.ports or {})
        if strange := [name for name in wanted if name not in names]:
            message = (
                f"SMARTLINK_LOCAL_PORTS names {strange[0]}, which this stack does not start: "
                f"it starts {', '.join(names)}."
            )
            raise SettingError(message)
        return allocate(names, wanted)

    def _services(self) -> list[Program]:
        programs, kept = [], self._plan.kept
        if not (self._firestore and self._pubsub):
            toolkit = find_toolkit()
            if not self._firestore:
                documents = kept.documents if kept else None
                port = self._ports["firestore"]
                programs.append(firestore_program(toolkit, port, QUICK_START, documents))
            if not self._pubsub:
                programs.append(pubsub_program(toolkit, self._ports["pubsub"], QUICK_START))
        if not self._settings.broker:
            programs.insert(0, self._simulator_program())
        storage = storage_program(self._ports["storage"], kept.storage if kept else None)
        return [*programs, storage, self._secret_manager_program()]

    def _simulator_program(self) -> Program:
        port = self._ports["simulator"]
        command = (sys.executable, "-m", "infra.simulator", "--port", str(port), "--host", HOST)
        options = ("--options", json.dumps(self._plan.simulator))
        return Program("simulator", (*command, *options), port, says_json("baseUrl"), folder=ROOT)

    def _secret_manager_program(self) -> Program:
        port = self._ports["secret-manager"]
        kept = ("--file", str(self._plan.kept.secrets)) if self._plan.kept else ()
        command = (sys.executable, "-m", "infra.local.secret_manager", "--port", str(port), *kept)
        return Program("secret-manager", command, port, answers(port), folder=ROOT)

    def _simulated_broker(self, simulator: Child) -> Broker:
        self._supervisor.wait_ready([simulator])
        said = said_json(simulator.log, "baseUrl") or {}
        return Broker(str(said["baseUrl"]), str(said["racTokenUrl"]))

    def _addresses(self, broker: Broker) -> Addresses:
        ports, project = self._ports, self._plan.project
        return Addresses(
            project=project,
            firestore=self._firestore or f"{HOST}:{ports['firestore']}",
            pubsub=self._pubsub or f"{HOST}:{ports['pubsub']}",
            storage=f"{HOST}:{ports['storage']}",
            secret_manager=f"{HOST}:{ports['secret-manager']}",
            base_url=broker.base_url,
            rac_token_url=broker.rac_token_url,
            simulator=None if self._settings.broker else broker.base_url,
            functions=function_urls(self._catalog, ports),
            config_bucket=f"{project}-config",
            contents_bucket=f"{project}-contents",
        )

    def _provision(self, addresses: Addresses, services: Mapping[str, Child]) -> None:
        rest, tenants = Rest(), self._plan.tenants
        if addresses.simulator:
            register_tenants(rest, addresses.simulator, tenants)
        self._supervisor.wait_ready([services["storage"], services["secret-manager"]])
        create_buckets(rest, addresses, self._plan.config)
        create_secrets(rest, addresses, tenants, self._settings.folder)
        self._supervisor.wait_ready([child for child in (services.get("pubsub"),) if child])
        create_topics(rest, addresses, self._catalog)
