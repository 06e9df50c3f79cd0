"""`make local`: runs the stack until Ctrl-C."""

import time
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import timedelta

from rich.console import Console

from infra.local.console import local_console
from infra.local.erp import ErpDatabase
from infra.local.kept import Kept
from infra.local.reload import Reload
from infra.local.rest import Json
from infra.local.restarts import Restarts
from infra.local.settings import LocalSettings
from infra.local.stack import Plan, running_stack
from infra.local.table import hints, whereabouts
from infra.local.tenants import load_tenants
from infra.local.tick import MinuteTick

PROJECT = "smartlink-local"
MINUTE_SECONDS = 60.0
WATCH_SECONDS = 0.2


def up(settings: LocalSettings, console: Console) -> None:
    """Start the stack, show it, and watch it until this process is told to end."""
    tenants = load_tenants(settings.tenants)
    seconds = settings.tick_seconds or MINUTE_SECONDS
    starting = console.status("Starting emulators, simulator and functions …")
    kept = Kept(settings.folder / "kept") if settings.keep else None
    plan = Plan(project=PROJECT, tenants=tenants, kept=kept)
    with ExitStack() as opened, starting, running_stack(settings, plan) as stack:
        databases = {
            tenant.tenant: ErpDatabase(tenant, settings.folder, seed, keep=settings.keep)
            for seed, tenant in enumerate(tenants, 1)
            if tenant.erp is None
        }
        starting.stop()
        console.print(whereabouts(stack))
        if stack.leftovers:
            left = " ".join(map(str, stack.leftovers))
            console.print(f"A stack was killed here and may have left processes: kill {left}")

        def report(problem: str) -> None:
            console.print(f"[red]{time.strftime('%H:%M:%S')}[/red] {problem}", soft_wrap=True)

        def say(change: str) -> None:
            console.print(f"{time.strftime('%H:%M:%S')} {change}", soft_wrap=True, markup=False)

        reload, restarts = Reload(stack, say), Restarts(stack, say)

        def look() -> None:
            restarts.look()
            reload.look()
            time.sleep(WATCH_SECONDS)

        with MinuteTick(stack.tick, timedelta(seconds=seconds), report=report) as tick:
            # The first poll sets the tenants' queues up; requests before it are lost.
            while tick.done == 0:
                look()
            example = _example(databases)
            address = opened.enter_context(local_console(settings.folder))
            console.print(address, soft_wrap=True, highlight=False)
            console.print(hints(stack, settings.folder, example), soft_wrap=True, highlight=False)
            names = ", ".join(tenant.tenant for tenant in tenants) or "none"
            console.print(f"Tenants: {names}. A tick every {seconds:g} s. Ctrl-C stops it all.")
            console.print("Changes of functions/ and infra/catalog.json are taken up as you save.")
            while True:
                look()


def _example(databases: Mapping[str, ErpDatabase]) -> Json | None:
    for tenant, erp in databases.items():
        if not erp.people:
            continue
        identifiers = {"CPF": erp.people[0].cpf}
        return {"tenant": tenant, "command": "SGDPDataCommand", "identifiers": identifiers}
    return None
