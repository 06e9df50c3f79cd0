"""Runs the simulator inside a test or a demo, in its own thread, with its admin API as methods."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from infra.simulator.link_api import TOKEN_PATH
from infra.simulator.options import SimulatorOptions
from infra.simulator.rac import Credential
from infra.simulator.server import listening
from infra.simulator.simulator import Clock, Json, Simulator
from infra.simulator.tpd import Ask

T = TypeVar("T")
_PATIENCE_SECONDS = 60


class RunningSimulator:
    """A running simulator. Any thread may call its methods."""

    def __init__(self, url: str, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self.url = url
        self.rac_token_url = url + TOKEN_PATH
        self._simulator = simulator
        self._loop = loop

    def call(self, action: Callable[[Simulator], T]) -> T:
        """Run the action on the server's event loop, between two requests."""

        async def run() -> T:
            return action(self._simulator)

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(_PATIENCE_SECONDS)

    def add_tenant(
        self, tenant: str, client_id: str, client_secret: str, tenant_id: str | None = None
    ) -> None:
        """Register a tenant, or replace its credential.

        Without `tenant_id` the tenant's name is used.
        """
        credential = Credential(tenant, client_id, client_secret, tenant_id or tenant)
        self.call(lambda simulator: simulator.rac.register(credential))

    def remove_tenant(self, tenant: str) -> None:
        """Remove the tenant's credential, tokens and queue."""
        self.call(lambda simulator: simulator.remove_tenant(tenant))

    def revoke(self, tenant: str) -> int:
        """Revoke the tenant's tokens; return how many there were."""
        return self.call(lambda simulator: simulator.revoke(tenant))

    def offer(
        self,
        tenant: str,
        messages: Iterable[Mapping[str, object]],
        *,
        force: bool = False,
        routed: bool = False,
    ) -> Json:
        """Queue raw messages. With `routed`, messages of unsubscribed types are lost.

        Before setup all messages are lost, unless `force`.
        """
        made = list(messages)  # a generator runs on the caller's thread
        return self.call(
            lambda simulator: simulator.offer(tenant, made, force=force, routed=routed)
        )

    def ask(self, *asks: Ask) -> list[str]:
        """Open TPD requests and publish their messages; return the requests' ids."""
        return self.call(lambda simulator: simulator.ask(asks))

    def requests(self, tenant: str | None = None, status: str | None = None) -> list[Json]:
        """List TPD's requests, the oldest first."""
        return self.call(lambda simulator: simulator.requests(tenant, status))

    def unmatched(self) -> list[Json]:
        """List the newest answers that belong to no request, with the reason."""
        return self.call(lambda simulator: list(simulator.tpd.unmatched))

    def sent(self, tenant: str | None = None) -> list[Json]:
        """List what clients sent, the oldest first for each tenant."""
        return self.call(lambda simulator: simulator.sent(tenant))

    def queues(self) -> dict[str, Json]:
        """Describe each tenant's queue as it is now."""
        return self.call(lambda simulator: simulator.queues())

    def stats(self) -> Json:
        """Read the counts."""
        return self.call(lambda simulator: simulator.statistics())

    def configure(self, **changes: object) -> SimulatorOptions:
        """Change the named options; return all options in force."""
        return self.call(lambda simulator: simulator.configure(changes))

    def reset(self) -> None:
        """Reset the simulator, with the options that were given at the start."""
        self.call(lambda simulator: simulator.reset())


@contextmanager
def running_simulator(
    options: SimulatorOptions | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    clock: Clock = time.time,
) -> Iterator[RunningSimulator]:
    """Serve in its own thread until the block ends. `clock` gives seconds since the epoch."""
    simulator = Simulator(options, clock)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="simulator", daemon=True)
    server = listening(simulator, host, port)
    thread.start()
    try:
        url = asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(_PATIENCE_SECONDS)
        try:
            yield RunningSimulator(url, simulator, loop)
        finally:
            asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(
                _PATIENCE_SECONDS
            )
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_SECONDS)
        loop.close()
