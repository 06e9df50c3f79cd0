"""A simulator on a free port, reset for each test."""

from collections.abc import Callable, Iterator

import pytest

from infra.simulator.options import SimulatorOptions
from infra.simulator.running import RunningSimulator, running_simulator

from .client import Client, Clock


@pytest.fixture(scope="session")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def server(clock: Clock) -> Iterator[RunningSimulator]:
    with running_simulator(SimulatorOptions(token_seconds=600), clock=clock) as running:
        yield running


@pytest.fixture
def simulator(server: RunningSimulator) -> RunningSimulator:
    server.reset()
    server.add_tenant("acme", "acme-client", "s3cret")
    server.add_tenant("globex", "globex-client", "s3cret", "globex-guid")
    return server


@pytest.fixture
def client_of(simulator: RunningSimulator) -> Iterator[Callable[[str], Client]]:
    """Make logged-in clients, each with its own HTTP session."""
    made: list[Client] = []

    def make(tenant: str) -> Client:
        made.append(Client(simulator, tenant).login())
        return made[-1]

    yield make
    for client in made:
        client.http.close()


@pytest.fixture
def acme(client_of: Callable[[str], Client]) -> Client:
    """Log in a client whose tenant has subscribed TPD's data command."""
    client = client_of("acme")
    client.setup("SGDPDataCommand")
    return client
