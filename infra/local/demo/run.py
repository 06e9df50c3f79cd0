"""`make demo`: starts a relay, runs the demo's story on it, and shows the result."""

import json
import secrets
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from infra.local.console import local_console
from infra.local.demo.choice import choose_world
from infra.local.demo.narrator import narrated
from infra.local.demo.report import show
from infra.local.demo.result import Result
from infra.local.demo.story import Story
from infra.local.demo.world import World
from infra.local.erp import ErpDatabase
from infra.local.errors import LocalStackError, SettingError
from infra.local.rest import Json
from infra.local.settings import BASE_URL, LocalSettings
from infra.local.stack import Plan
from infra.local.tenants import LocalTenant
from infra.local.tick import MinuteTick

TICK_SECONDS = 1.0
TIME_LIMIT_SECONDS = 120.0
WATCH_SECONDS = 0.5
FAILED = 1

# RM's formula with a short clock: 0.2 min * 0.02 * 5 attempts * attempt = 1.2 s, 2.4 s, 3.6 s …
CONFIG: Json = {
    "TotvsAppGlobalConfig": {
        "IntegrationSmartLinkInfo": {
            "QtdeTentativasExec": 5,
            "FatorTempoExecucao": 0.02,
            "MinutesInterval": 0.2,
        }
    }
}


@dataclass(frozen=True)
class Options:
    """The demo's arguments."""

    as_json: bool = False
    keep: bool = False
    seconds: float = TIME_LIMIT_SECONDS


def demo(settings: LocalSettings, options: Options) -> int:
    """Run the demo; return the exit code."""
    console = Console(stderr=options.as_json)
    try:
        result = _run(settings, options, console)
    except LocalStackError as error:
        if options.as_json:
            _print_json({"ok": False, "error": str(error)})
        raise
    return 0 if result.ok else FAILED


def _run(settings: LocalSettings, options: Options, console: Console) -> Result:
    if settings.broker is not None:
        message = (
            f"The demo plays TPD, which only its own simulator lets it do, and {BASE_URL} names "
            f"another broker. Unset it for the demo, or use that broker with make local."
        )
        raise SettingError(message)
    settings = replace(settings, folder=settings.folder / "demo")
    tenants = _tenants()
    plan = Plan(project=f"smartlink-demo-{secrets.token_hex(3)}", tenants=tenants, config=CONFIG)
    world, first_line = choose_world(settings, plan)
    console.print(first_line, soft_wrap=True, highlight=False)
    with ExitStack() as stack:
        with narrated(console) as narrator:
            running = stack.enter_context(world)
            narrator.say("The relay and the simulator are up")
            databases = _databases(tenants, settings.folder)
            interval = timedelta(seconds=settings.tick_seconds or TICK_SECONDS)
            stack.enter_context(MinuteTick(running.tick, interval, report=narrator.say))
            result = Story(running, databases, narrator, options.seconds).run()
        result.look = _look(settings.folder, databases, keep=options.keep)
        if options.as_json:
            _print_json(result.json())
        else:
            show(result, console)
        if options.keep:
            _watch(running, console, settings.folder)
    return result


def _tenants() -> tuple[LocalTenant, ...]:
    return tuple(
        LocalTenant.model_validate(
            {"tenant": name, "clientId": f"{name}-client", "clientSecret": secrets.token_hex(16)}
        )
        for name in ("acme", "globex")
    )


def _databases(tenants: tuple[LocalTenant, ...], folder: Path) -> dict[str, ErpDatabase]:
    return {
        tenant.tenant: ErpDatabase(tenant, folder, seed) for seed, tenant in enumerate(tenants, 1)
    }


def _look(folder: Path, databases: Mapping[str, ErpDatabase], *, keep: bool) -> list[str]:
    shown = [_short(erp.path) for erp in databases.values()]
    if keep:
        running = f"What runs where: {_short(folder / 'stack.json')}; it runs until Ctrl-C"
    else:
        running = "A stack that stays: make local, or this one with make demo ARGS=--keep"
    return [
        f"Logs of each process: {_short(folder / 'logs')}",
        f"ERP databases (SQLite): {', '.join(shown)}",
        running,
    ]


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _watch(world: World, console: Console, folder: Path) -> None:
    console.print("\nThe relay stays up until Ctrl-C.")
    with suppress(KeyboardInterrupt), ExitStack() as opened:
        if (folder / "stack.json").is_file():  # the twins in this process have no console
            address = opened.enter_context(local_console(folder))
            console.print(address, soft_wrap=True, highlight=False)
        while True:
            world.check()
            time.sleep(WATCH_SECONDS)


def _print_json(document: Json) -> None:
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()
