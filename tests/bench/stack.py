"""The local stack, once for all contestants: the same emulators, simulator and machine."""

import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from google.cloud import firestore

from infra.local.addresses import Addresses
from infra.local.checkout import FUNCTIONS, ROOT
from infra.local.emulators import QUICK_START, firestore_program, pubsub_program
from infra.local.functions import function_environment
from infra.local.ports import HOST, allocate
from infra.local.program import Program, answers, listens, says_json
from infra.local.provision import (
    DEFAULT_CONFIG,
    create_buckets,
    create_secrets,
    register_tenants,
)
from infra.local.rest import Json, Rest
from infra.local.sdk import find_toolkit
from infra.local.supervisor import Supervisor, supervised
from infra.local.tenants import LocalTenant
from tests.bench.cpu import tree_seconds
from tests.bench.emulated import environment
from tests.bench.ledger import Books, FirestoreBooks
from tests.bench.peers import programs as peer_programs
from tests.bench.peers.running import Peers
from tests.bench.peers.servers import Servers
from tests.bench.services import deploy
from tests.bench.workload import COMMAND, catalog
from tests.support.addresses import addresses as local_addresses

PROJECT = "smartlink-bench"
HERE = Path(__file__).parent
LIMITS = ("limit", "limit-promising")  # of one source
TENANTS = ("ours", "per-message", *LIMITS, *peer_programs.PEERS)
TOPICS = {
    "bench-command": "consume",
    "per-message": "per-message-consume",
    **{name: f"{name}-consume" for name in LIMITS},
}
_CALL_SECONDS = 600
_ACK_SECONDS = 540


@dataclass(frozen=True)
class Stack:
    """A stack that is up."""

    addresses: Addresses
    supervisor: Supervisor
    rest: Rest
    peers: Peers | None = None

    def call(self, function: str) -> Json:
        """Call a function by HTTP."""
        answer: Json = self.rest.call("POST", self.addresses.functions[function], {})
        return answer

    def simulator(self, verb: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - JSON
        """Call the simulator's own API."""
        return self.rest.call(verb, f"{self.addresses.simulator}/simulator{path}", body)

    @cached_property
    def database(self) -> firestore.Client:
        """The database, to look at from outside."""
        with environment(FIRESTORE_EMULATOR_HOST=self.addresses.firestore):
            return firestore.Client(project=PROJECT)

    def books(self, tenant: str) -> Books:
        """Look at what a contestant has stored."""
        if self.peers and tenant in peer_programs.PEERS:
            return self.peers.books(tenant)
        return FirestoreBooks(self.database, tenant)

    def clear(self) -> None:
        """Empty the databases: a run must not pay for what another one has stored."""
        if self.peers:
            self.peers.clear()
        # Documents that are merely deleted slow every later query of the emulator down.
        self.rest.call("POST", f"http://{self.addresses.firestore}/reset")

    def cpu(self) -> Mapping[str, float]:
        """Read the CPU seconds that each process has used."""
        names = {child.pid: child.program.name for child in self.supervisor.children}
        return {names[pid]: used for pid, used in tree_seconds(list(names)).items()}


@contextmanager
def bench_stack(*, quick: bool, servers: Servers | None = None) -> Iterator[Stack]:
    """Bring everything up, the peers too where there are servers for them; on the way out stop it.

    A quick bench has the emulators compile less: they are warm sooner, but slower then.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        servers.cluster() if servers else nullcontext() as cluster,
        supervised(Path(folder) / "logs") as supervisor,
    ):
        ports = allocate([*_SERVICES, *_FUNCTIONS, *peer_programs.PORTS], {})
        addresses = local_addresses(PROJECT, ports, _FUNCTIONS)
        others = peer_programs.peer_addresses(ports)
        addresses = replace(addresses, functions={**addresses.functions, **others})
        peers = Peers(servers, cluster, Path(folder), ports) if servers and cluster else None
        theirs = peers.programs() if peers else []
        services = supervisor.start(*_services(ports, QUICK_START if quick else ()), *theirs)
        functions = supervisor.start(*_functions(ports, addresses, Path(folder)))
        supervisor.wait_ready([*services, *functions])
        stack = Stack(addresses, supervisor, Rest(_CALL_SECONDS), peers)
        _provision(stack, Path(folder))
        if peers:
            peers.start(supervisor, addresses)
        yield stack


_SERVICES = ("simulator", "firestore", "pubsub", "storage", "secret-manager")
_FUNCTIONS = {  # name: target
    "poll": "poll",
    "consume": "consume",
    "per-message-poll": "poll",
    "per-message-consume": "consume",
    "per-message-deliver": "deliver",
    **{f"{name}-{target}": target for name in LIMITS for target in ("poll", "consume")},
}


def _services(ports: Mapping[str, int], jvm: tuple[str, ...]) -> list[Program]:
    toolkit = find_toolkit()

    def python(name: str, *command: str) -> Program:
        port = ports[name]
        ready = says_json("baseUrl") if name == "simulator" else answers(port)
        return Program(name, (sys.executable, "-m", *command), port, ready, folder=ROOT)

    storage = ("--host", HOST, "--port", str(ports["storage"]), "--in-memory", "--quiet")
    secrets = ("infra.local.secret_manager", "--port", str(ports["secret-manager"]))
    return [
        firestore_program(toolkit, ports["firestore"], jvm),
        pubsub_program(toolkit, ports["pubsub"], jvm),
        python("simulator", "infra.simulator", "--port", str(ports["simulator"]), "--host", HOST),
        python("storage", "gcp_storage_emulator", "start", *storage),
        python("secret-manager", *secrets),
    ]


def _functions(ports: Mapping[str, int], addresses: Addresses, folder: Path) -> list[Program]:
    base = function_environment(addresses, catalog())
    source = deploy(folder / "functions")
    programs = []
    for name, target in _FUNCTIONS.items():
        owner = name.rpartition("-")[0]
        environment = {**base, "SMARTLINK_COMMAND": COMMAND if name == "consume" else ""}
        if target == "consume":  # as many processes as the peers' workers
            environment |= {"WORKERS": str(peer_programs.WORKERS), "THREADS": "4"}
        if owner:
            tenant = local_tenant(owner)
            environment |= {
                "BENCH_TENANT": owner,
                "BENCH_TOPIC": owner,
                "BENCH_CLIENT_ID": tenant.client_id,
                "BENCH_CLIENT_SECRET": tenant.client_secret.get_secret_value(),
            }
        if owner in LIMITS:
            # It fills the relay's own documents, and calls the broker as the peers do.
            environment["PYTHONPATH"] = f"{FUNCTIONS}:{ROOT}"
            environment["BENCH_PROMISES"] = "1" if owner == LIMITS[1] else ""
        command = (sys.executable, "-m", "functions_framework", "--source", "main.py")
        options = ("--target", target, "--host", HOST, "--port", str(ports[name]))
        own = "limit" if owner in LIMITS else owner.replace("-", "_")
        place = HERE / own if owner else source
        ready = listens(ports[name])
        programs.append(Program(name, (*command, *options), ports[name], ready, environment, place))
    return programs


def local_tenant(name: str) -> LocalTenant:
    """Make a tenant of the simulator's; its credentials follow from its name."""
    entry = {"tenant": name, "clientId": f"{name}-client", "clientSecret": f"{name}-secret"}
    return LocalTenant.model_validate(entry)


def _provision(stack: Stack, folder: Path) -> None:
    rest, addresses = stack.rest, stack.addresses
    register_tenants(rest, str(addresses.simulator), [local_tenant(name) for name in TENANTS])
    create_buckets(rest, addresses, DEFAULT_CONFIG)
    create_secrets(rest, addresses, [local_tenant("ours")], folder)
    parent = f"projects/{PROJECT}"
    for topic, function in TOPICS.items():
        url = f"http://{addresses.pubsub}/v1/{parent}"
        rest.call("PUT", f"{url}/topics/{topic}", {})
        subscription = {
            "topic": f"{parent}/topics/{topic}",
            "pushConfig": {"pushEndpoint": addresses.functions[function]},
            "ackDeadlineSeconds": _ACK_SECONDS,
        }
        rest.call("PUT", f"{url}/subscriptions/{topic}", subscription)
