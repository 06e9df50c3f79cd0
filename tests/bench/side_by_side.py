"""What the relay and its peers stand on where they are compared on tenants: one set of servers."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from infra.local.ports import allocate
from infra.local.supervisor import supervised
from tests.bench.peers.programs import PORTS, peer_addresses, require_packages
from tests.bench.peers.running import Peers
from tests.bench.peers.servers import find_servers
from tests.bench.services import Services, services


@contextmanager
def side_by_side(tenants: Sequence[str], *, quick: bool) -> Iterator[tuple[Services, Peers]]:
    """Bring up emulators, simulator and the peers' databases, with these tenants."""
    servers = find_servers()
    require_packages()
    with (
        TemporaryDirectory(prefix="bench-") as name,
        servers.cluster() as cluster,
        services(quick=quick) as emulated,
        supervised(Path(name) / "logs") as supervisor,
    ):
        ports = allocate(PORTS, {})
        peers = Peers(servers, cluster, Path(name), ports)
        started = supervisor.start(*peers.programs())
        supervisor.wait_ready(started)
        calls = {**emulated.addresses.functions, **peer_addresses(ports)}
        addresses = replace(emulated.addresses, functions=calls)
        running = replace(emulated, addresses=addresses, servers=(*emulated.servers, *started))
        running.add_tenants(tenants)
        yield running, peers
