"""The local stack with proxies in between, and functions that may be killed."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from infra.local.addresses import Addresses
from infra.local.checkout import ROOT
from infra.local.emulators import QUICK_START, firestore_program, pubsub_program, storage_program
from infra.local.firestore_view import FirestoreView
from infra.local.functions import (
    consumer,
    function_environment,
    function_names,
    function_programs,
)
from infra.local.ports import HOST, allocate
from infra.local.program import Program, answers, says_json
from infra.local.provision import create_buckets, create_secrets, create_topics, register_tenants
from infra.local.rest import Json, Rest
from infra.local.sdk import find_toolkit
from infra.local.supervisor import Supervisor, supervised
from infra.local.tenants import LocalTenant
from smartlink.domain.catalog import Catalog
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.proxy import Proxy, proxies
from tests.support.addresses import addresses as local_addresses
from tests.support.bundle import copy_bundle

PROJECT = "smartlink-chaos"
SERVICES = ("simulator", "firestore", "pubsub", "storage", "secret-manager")
BEHIND_PROXY = ("simulator", "firestore", "pubsub")
_PATIENCE_SECONDS = 30
# Two processes to be killed one by one. A single thread would be nearer to the concurrency of 1
# in the cloud, but then gunicorn closes each connection, and the emulator waits seconds for that.
_INSTANCES = {"WORKERS": "2", "THREADS": "2"}
_ONE = {"WORKERS": "1", "THREADS": "1"}  # Cloud Scheduler never runs two polls at once


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What a stack is started with."""

    catalog: Catalog
    tenants: tuple[LocalTenant, ...]
    config: Json
    consumer: Path  # deployed as the module of this name in `consumers`
    module: str
    environment: Mapping[str, str]
    main: Path | None = None  # deployed instead of the checkout's main.py
    proxied: bool = True
    quick: bool = True  # the emulators compile less: warm sooner, slower then
    seed: int = 0


@dataclass(frozen=True)
class Stack:
    """A stack that is up. What the harness itself calls, it calls past the proxies."""

    addresses: Addresses
    wanted: Wanted
    services: Supervisor
    functions: Fleet
    proxies: Mapping[str, Proxy]  # by service, and by function for what Pub/Sub pushes to it
    logs: Path

    def poll(self) -> Json:
        """Call poll once, as Cloud Scheduler does."""
        report: Json = Rest(_PATIENCE_SECONDS).call("POST", self.addresses.functions["poll"], {})
        return report

    def simulator(self, verb: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call the simulator's own API."""
        return self._rest.call(verb, f"{self.addresses.simulator}/simulator{path}", body)

    @cached_property
    def _rest(self) -> Rest:
        return Rest(_PATIENCE_SECONDS)

    @cached_property
    def firestore(self) -> FirestoreView:
        """The database, to look at from outside."""
        return FirestoreView(self._rest, self.addresses.firestore, PROJECT)


def tenant(name: str) -> LocalTenant:
    """Make a tenant with credentials of its own."""
    entry = {"tenant": name, "clientId": f"{name}-client", "clientSecret": f"{name}-secret"}
    return LocalTenant.model_validate(entry)


@contextmanager
def running(wanted: Wanted, folder: Path) -> Iterator[Stack]:
    """Bring everything up in the folder; on the way out stop all of it."""
    logs = folder / "logs"
    names = function_names(wanted.catalog)
    consumers = list(map(consumer, wanted.catalog.commands))
    behind = (*BEHIND_PROXY, "poll_shard", *consumers) if wanted.proxied else ()
    fronts = [f"{name} proxy" for name in behind]
    ports = allocate([*SERVICES, *names, *fronts], {})
    routes = {
        front.removesuffix(" proxy"): (ports[front], ports[front.removesuffix(" proxy")])
        for front in fronts
    }
    addresses = local_addresses(PROJECT, ports, names)
    through = {name: front for name, (front, _) in routes.items()}
    seen = local_addresses(PROJECT, {**ports, **through}, names)
    with proxies(routes, wanted.seed) as made, supervised(logs) as supervisor:
        services = supervisor.start(*_services(ports, wanted))
        with fleet(_functions(wanted, ports, seen, folder), logs) as functions:
            supervisor.wait_ready(services)
            stack = Stack(addresses, wanted, supervisor, functions, made, logs)
            _provision(stack, seen, folder)
            functions.wait_ready()
            yield stack


def _services(ports: Mapping[str, int], wanted: Wanted) -> list[Program]:
    toolkit = find_toolkit()
    jvm = QUICK_START if wanted.quick else ()

    def python(name: str, module: str, *options: str) -> Program:
        port = ports[name]
        command = (sys.executable, "-m", module, "--port", str(port), *options)
        ready = says_json("baseUrl") if name == "simulator" else answers(port)
        return Program(name, command, port, ready, folder=ROOT)

    return [
        firestore_program(toolkit, ports["firestore"], jvm),
        pubsub_program(toolkit, ports["pubsub"], jvm),
        python("simulator", "infra.simulator", "--host", HOST),
        storage_program(ports["storage"]),
        python("secret-manager", "infra.local.secret_manager"),
    ]


def _functions(
    wanted: Wanted, ports: Mapping[str, int], seen: Addresses, folder: Path
) -> list[Program]:
    source = copy_bundle(folder / "functions")
    shutil.copy(wanted.consumer, source / "consumers" / f"{wanted.module}.py")
    if wanted.main is not None:
        shutil.copy(wanted.main, source / "main.py")
    environment = {**function_environment(seen, wanted.catalog), **wanted.environment}
    programs = function_programs(wanted.catalog, ports, environment, source / "main.py")
    return [
        replace(
            program,
            environment={
                **program.environment,
                **(_ONE if program.name == "poll" else _INSTANCES),
            },
        )
        for program in programs
        if program.name != "publish"
    ]


def _provision(stack: Stack, seen: Addresses, folder: Path) -> None:
    rest, addresses, wanted = Rest(), stack.addresses, stack.wanted
    register_tenants(rest, str(addresses.simulator), wanted.tenants)
    create_buckets(rest, addresses, wanted.config)
    create_secrets(rest, addresses, wanted.tenants, folder)
    create_topics(rest, replace(addresses, functions=seen.functions), wanted.catalog)
