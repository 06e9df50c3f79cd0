"""Do the peers keep what they promise? `python -m tests.bench.peers` answers in seconds.

Twenty messages must balance in the bench's ledger, replies too; offered once more they must change
nothing; and one that cannot be run must be tried as often as RM's configuration says, then be dead.
"""

import json
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from infra.local.addresses import Addresses
from infra.local.checkout import ROOT
from infra.local.errors import LocalStackError, NotReadyError
from infra.local.ports import HOST, allocate
from infra.local.program import Program, says_json
from infra.local.provision import register_tenants
from infra.local.rest import Rest
from infra.local.supervisor import supervised
from tests.bench.end_to_end import CELERY, PROCRASTINATE, Contestant
from tests.bench.ledger import Ledger, LedgerError
from tests.bench.peers.job import ATTEMPTS
from tests.bench.peers.programs import PEERS, PORTS, peer_addresses, require_packages
from tests.bench.peers.running import Peers
from tests.bench.peers.servers import find_servers
from tests.bench.stack import Stack, local_tenant
from tests.bench.workload import Offer, offers

_COUNT = 20
_PATIENCE_SECONDS = 60
_LOOK_SECONDS = 0.05


@contextmanager
def small_stack() -> Iterator[tuple[Stack, Peers]]:
    """Bring up the simulator and the peers, with no pause between attempts; no emulators."""
    servers = find_servers()
    require_packages()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as folder,
        servers.cluster() as cluster,
        supervised(Path(folder) / "logs") as supervisor,
    ):
        ports = allocate(["simulator", *PORTS], {})
        peers = Peers(servers, cluster, Path(folder), ports)
        where = ("--port", str(ports["simulator"]), "--host", HOST)
        command = (sys.executable, "-m", "infra.simulator", *where)
        ready = says_json("baseUrl")
        simulator = Program("simulator", command, ports["simulator"], ready, folder=ROOT)
        supervisor.wait_ready(supervisor.start(simulator, *peers.programs()))
        stack = Stack(_addresses(ports), supervisor, Rest(), peers)
        url = str(stack.addresses.simulator)
        register_tenants(stack.rest, url, [local_tenant(name) for name in PEERS])
        peers.start(supervisor, stack.addresses, retry_minutes=0)
        yield stack, peers


def _addresses(ports: dict[str, int]) -> Addresses:
    simulator = f"http://{HOST}:{ports['simulator']}"
    return Addresses(
        project="",
        firestore="",
        pubsub="",
        storage="",
        secret_manager="",
        base_url=simulator,
        rac_token_url=f"{simulator}/totvs.rac/connect/token",
        simulator=simulator,
        functions=peer_addresses(ports),
        config_bucket="",
        contents_bucket="",
    )


def check(stack: Stack, peers: Peers, contestant: Contestant) -> None:
    """Raise LedgerError where the peer breaks a promise."""
    name = contestant.name
    books = peers.books(name)
    ledger = Ledger(books, contestant.places)
    messages = offers(_COUNT)
    ids = [message.id for message in messages]
    _offer(stack, contestant, messages)
    _await(lambda: ledger.ended() == _COUNT, stack, f"{name}: not everything ended")
    ledger.settled(ids)

    _offer(stack, contestant, messages)
    ledger.settled(ids)

    stack.call(str(contestant.send))
    sent = stack.simulator("GET", f"/sent?tenant={name}")
    ledger.answered(ids, [json.loads(reply["content"])["requestID"] for reply in sent])

    broken = Offer(str(uuid.uuid4()), json.dumps({"content": {}}))
    _offer(stack, contestant, [broken])
    _await(lambda: bool(books.dead()), stack, f"{name}: what cannot be run is not dead")
    if books.dead() != {broken.id: ATTEMPTS} or ledger.ended() != _COUNT:
        message = f"{name}: dead are {books.dead()}, ended {ledger.ended()}"
        raise LedgerError(message)


def _offer(stack: Stack, contestant: Contestant, messages: Sequence[Offer]) -> None:
    body = {"tenant": contestant.name, "messages": [asdict(it) for it in messages], "force": True}
    stack.simulator("POST", "/offer", body)
    stack.call(contestant.poll)


def _await(done: Callable[[], bool], stack: Stack, otherwise: str) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not done():
        stack.supervisor.check()
        if time.monotonic() > deadline:
            raise NotReadyError(otherwise)
        time.sleep(_LOOK_SECONDS)


def main() -> int:
    """Check every peer."""
    try:
        with small_stack() as (stack, peers):
            for contestant in (CELERY, PROCRASTINATE):
                start = time.monotonic()
                check(stack, peers, contestant)
                print(f"{contestant.name}: all is well ({time.monotonic() - start:.1f} s)")
    except (LocalStackError, LedgerError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
