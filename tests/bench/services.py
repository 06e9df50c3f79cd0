"""The emulators and the simulator, and functions that are started for one measurement each.

A fresh process for each figure: what an earlier one left in memory, tokens and connections, is
gone. What stands outside, documents and secrets, stays until it is cleared.
"""

import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from infra.local.addresses import Addresses
from infra.local.checkout import ROOT
from infra.local.child import Child
from infra.local.emulators import QUICK_START, firestore_program, pubsub_program, storage_program
from infra.local.functions import function_environment, function_names, load_catalog
from infra.local.ports import HOST, allocate
from infra.local.program import Program, answers, listens, says_json
from infra.local.provision import (
    DEFAULT_CONFIG,
    create_buckets,
    create_secrets,
    create_topics,
    register_tenants,
)
from infra.local.rest import Json, Rest
from infra.local.sdk import find_toolkit
from infra.local.supervisor import supervised
from infra.local.tenants import LocalTenant
from smartlink.domain.catalog import Catalog, Command
from tests.bench.workload import COMMAND, QUIET, SILENT
from tests.support.addresses import addresses as local_addresses
from tests.support.bundle import copy_bundle

PROJECT = "smartlink-bench-services"
HERE = Path(__file__).parent
_CALL_SECONDS = 600
_SERVICES = ("simulator", "firestore", "pubsub", "storage", "secret-manager")
# What Terraform sets, and one process: `poll` and `consume` serve one call at a time.
_AS_DEPLOYED = {"WORKERS": "1", "THREADS": "4", "SMARTLINK_TENANTS_REFRESH_SECONDS": "300"}


@dataclass(frozen=True)
class Services:
    """Emulators that are up; the addresses name the functions that may be started."""

    addresses: Addresses
    catalog: Catalog
    ports: Mapping[str, int]
    folder: Path
    rest: Rest
    servers: tuple[Child, ...] = ()  # the emulators and the simulator

    def simulator(self, verb: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call the simulator's own API."""
        return self.rest.call(verb, f"{self.addresses.simulator}/simulator{path}", body)

    def add_tenants(self, names: Sequence[str]) -> None:
        """Make tenants known to RAC and to Secret Manager."""
        tenants = [_tenant(name) for name in names]
        register_tenants(self.rest, str(self.addresses.simulator), tenants)
        create_secrets(self.rest, self.addresses, tenants, self.folder)

    def clear(self) -> None:
        """Empty the database."""
        # Documents that are merely deleted slow every later query of the emulator down.
        self.rest.call("POST", f"http://{self.addresses.firestore}/reset")

    def committed(self, collection: str) -> Iterator[tuple[tuple[str, str], float]]:
        """Each document of a collection by tenant and name, and when the database created it."""
        database = f"http://{self.addresses.firestore}/v1/projects/{PROJECT}/databases/(default)"
        query = {
            "structuredQuery": {
                "from": [{"collectionId": collection, "allDescendants": True}],
                "select": {"fields": [{"fieldPath": "__name__"}]},
            }
        }
        for answer in self.rest.call("POST", f"{database}/documents:runQuery", query):
            if found := answer.get("document"):
                tenant, _, document = found["name"].split("/")[-3:]
                yield (tenant, document), datetime.fromisoformat(found["createTime"]).timestamp()

    def program(
        self, name: str, target: str, source: Path | None = None, **environment: str
    ) -> Program:
        """A function's process: the deployed folder's target, or a source's of its own."""
        base = function_environment(self.addresses, self.catalog)
        folder = source or self.folder / "functions"
        command = (sys.executable, "-m", "functions_framework", "--source", "main.py")
        port = self.ports[name]
        options = ("--target", target, "--host", HOST, "--port", str(port))
        own = {**base, **_AS_DEPLOYED, **environment}
        return Program(name, (*command, *options), port, listens(port), own, folder)

    @contextmanager
    def serving(self, *programs: Program) -> Iterator[Mapping[str, Child]]:
        """Run functions while the block runs."""
        with supervised(self.folder / "logs") as supervisor:
            children = supervisor.start(*programs)
            supervisor.wait_ready(children)
            yield {child.program.name: child for child in children}

    def call(self, function: str, body: object = None) -> Json:
        """Call a function by HTTP."""
        answer: Json = self.rest.call("POST", self.addresses.functions[function], body or {})
        return answer


@contextmanager
def services(*, quick: bool = True) -> Iterator[Services]:
    """Bring the emulators up; on the way out stop them."""
    catalog = bench_catalog()
    names = [*function_names(catalog), "console"]
    with (
        TemporaryDirectory(prefix="bench-") as name,
        supervised(Path(name) / "services") as supervisor,
    ):
        folder = Path(name)
        ports = allocate([*_SERVICES, *names], {})
        addresses = local_addresses(PROJECT, ports, names)
        children = supervisor.start(*_programs(ports, QUICK_START if quick else ()))
        deploy(folder / "functions")
        supervisor.wait_ready(children)
        rest = Rest(_CALL_SECONDS)
        create_buckets(rest, addresses, DEFAULT_CONFIG)
        create_topics(rest, addresses, catalog)
        yield Services(addresses, catalog, ports, folder, rest, children)


def bench_catalog() -> Catalog:
    """The deployed catalogue, and the bench's commands beside it."""
    deployed = load_catalog()
    own = {
        name: Command(module="consumers.bench", topic=topic, timeout=60)
        for name, topic in (
            (COMMAND, "bench-command"),
            (QUIET, "bench-quiet-command"),
            (SILENT, "bench-silent-command"),
        )
    }
    return Catalog(functions=deployed.functions, commands={**deployed.commands, **own})


def deploy(folder: Path) -> Path:
    """Copy what is deployed, and add the bench's consumer to it."""
    copy_bundle(folder)
    shutil.copy(HERE / "consumer.py", folder / "consumers" / "bench.py")
    return folder


def _programs(ports: Mapping[str, int], jvm: tuple[str, ...]) -> list[Program]:
    toolkit = find_toolkit()

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


def _tenant(name: str) -> LocalTenant:
    entry = {"tenant": name, "clientId": f"{name}-client", "clientSecret": f"{name}-secret"}
    return LocalTenant.model_validate(entry)
