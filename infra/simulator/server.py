"""Serves the simulator over HTTP."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from infra.simulator.admin_api import AdminApi
from infra.simulator.link_api import LinkApi
from infra.simulator.simulator import Simulator

_MAX_BODY_BYTES: Final = 1 << 30  # a bulk offer of 100,000 messages is one body


def application(simulator: Simulator) -> web.Application:
    """Mount Smart Link and RAC at the root, and the admin API under `/simulator`."""
    app = web.Application(client_max_size=_MAX_BODY_BYTES)
    app.add_routes(LinkApi(simulator).routes())
    app.add_subapp("/simulator", AdminApi(simulator).application())
    return app


@asynccontextmanager
async def listening(simulator: Simulator, host: str, port: int) -> AsyncIterator[str]:
    """Serve until the block ends; yield the base URL with the actual port."""
    runner = web.AppRunner(application(simulator), access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port, backlog=1024).start()
        yield f"http://{host}:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
