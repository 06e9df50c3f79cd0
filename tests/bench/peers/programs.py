"""The peers' processes, from their own environment of packages."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from infra.local.addresses import Addresses
from infra.local.checkout import ROOT
from infra.local.errors import MissingPartError
from infra.local.ports import HOST
from infra.local.program import Program, listens
from tests.bench.peers.settings import CONCURRENCY

BIN = ROOT / ".venv" / "bench" / "bin"
PEERS = ("celery", "procrastinate")
PORTS = ("postgres", "redis", *(f"{peer}-poller" for peer in PEERS))
WORKERS = os.cpu_count() or 1
"""Celery's default. Ours has one process for consumers: this favours the peers."""


def require_packages() -> None:
    """Raise MissingPartError if the peers' environment was not installed."""
    if not (BIN / "celery").exists() or not (BIN / "procrastinate").exists():
        fix = "`make bench` installs them."
        raise MissingPartError("Celery and Procrastinate", looked=f"in {BIN}", fix=fix)


def peer_programs(
    addresses: Addresses, ports: Mapping[str, int], folder: Path, retry_minutes: float
) -> list[Program]:
    """List the pollers and workers, and Celery's beat.

    Beat's schedule is a file in the folder: it replaces whatever stands at that path.
    """
    sweep_seconds = 5 if retry_minutes else 1
    programs = []
    for peer in PEERS:
        environment = _environment(peer, addresses, ports) | {
            "BENCH_RETRY_MINUTES": str(retry_minutes),
            "BENCH_SWEEP_SECONDS": str(sweep_seconds),
            "PROCRASTINATE_WORKER_FETCH_JOB_POLLING_INTERVAL": str(sweep_seconds),
        }
        for name, command in _commands(peer, ports[f"{peer}-poller"], folder).items():
            port = ports.get(name, 0)
            ready = listens(port) if port else _at_once
            programs.append(Program(name, command, port, ready, environment, ROOT))
    return programs


def _commands(peer: str, port: int, folder: Path) -> Mapping[str, tuple[str, ...]]:
    python = str(BIN / "python")
    module = f"tests.bench.peers.{peer}_peer"
    poller: dict[str, tuple[str, ...]] = {
        f"{peer}-poller": (python, "-m", "tests.bench.peers.poller", peer, str(port))
    }
    if peer == "celery":
        celery = (str(BIN / "celery"), "-A", module)
        # What only several workers need of each other is off (Workers guide).
        alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
        return poller | {
            "celery-worker": (*celery, "worker", f"--concurrency={WORKERS}", *alone),
            "celery-beat": (*celery, "beat", "--schedule", str(folder / "celery-beat")),
        }
    procrastinate = (str(BIN / "procrastinate"), f"--app={module}.app")
    # How-to, Execute multiple jobs at the same time: several workers, and concurrency in each.
    worker = (*procrastinate, "worker", f"--concurrency={CONCURRENCY}")
    return poller | {f"procrastinate-worker-{number}": worker for number in range(WORKERS)}


def procrastinate_schema(programs: Sequence[Program]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Build the command that makes Procrastinate's tables, and its environment."""
    worker = next(it for it in programs if it.name == "procrastinate-worker-0")
    return (*worker.command[:2], "schema", "--apply"), {**os.environ, **worker.environment}


def peer_addresses(ports: Mapping[str, int]) -> dict[str, str]:
    """Where to call what: `celery-poll`, `celery-send` and so on."""
    return {
        f"{peer}-{call}": f"http://{HOST}:{ports[f'{peer}-poller']}/{call}"
        for peer in PEERS
        for call in ("poll", "send")
    }


def processes(peer: str) -> tuple[str, ...]:
    """Name what counts as the application."""
    return tuple(_commands(peer, 0, Path()))


def _environment(peer: str, addresses: Addresses, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "BENCH_DATABASE": f"postgresql://postgres@{HOST}:{ports['postgres']}/{peer}",
        "BENCH_REDIS": f"redis://{HOST}:{ports['redis']}/0",
        "BENCH_CLIENT_ID": f"{peer}-client",
        "BENCH_CLIENT_SECRET": f"{peer}-secret",
        "SMARTLINK_BASE_URL": addresses.base_url,
        "SMARTLINK_RAC_TOKEN_URL": addresses.rac_token_url,
    }


def _at_once(_log: Path) -> bool:
    """A worker listens on no port; what is enqueued waits for it."""
    return True
