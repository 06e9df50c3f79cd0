"""The peers' processes, from their own environment of packages."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local.addresses import Addresses
from infra.local.checkout import ROOT
from infra.local.errors import MissingPartError
from infra.local.ports import HOST
from infra.local.program import Program, listens

BIN = ROOT / ".venv" / "bench" / "bin"
PEERS = ("celery", "procrastinate")
PORTS = ("postgres", "redis", *(f"{peer}-poller" for peer in PEERS))
WORKERS = os.cpu_count() or 1
"""Celery's default; ours has as many for its consumers."""
CONCURRENCY = 8  # jobs at once in a worker process of Procrastinate, with a broker nearby
WAITING = 30  # … with one far away: what its documentation runs
GREENLETS = 100  # tasks at once in a worker process of Celery's that waits for a broker far away


def require_packages() -> None:
    """Raise MissingPartError if the peers' environment was not installed."""
    if not (BIN / "celery").exists() or not (BIN / "procrastinate").exists():
        fix = "`make bench` installs them."
        raise MissingPartError("Celery and Procrastinate", looked=f"in {BIN}", fix=fix)


@dataclass(frozen=True)
class Work:
    """What a peer's processes are for."""

    tenants: Sequence[str]
    look_seconds: float | None = None
    """How often each tenant is asked, by loops, and replies are sent by themselves; None: a call
    says when to receive and when to send."""
    retry_minutes: float = 3  # RM's MinutesInterval

    @property
    def concurrency(self) -> Mapping[str, int]:
        """Tasks at once in each worker process."""
        if self.look_seconds is None:
            return {"celery": 1, "procrastinate": CONCURRENCY}
        return {"celery": GREENLETS, "procrastinate": WAITING}


def peer_programs(
    peer: str, addresses: Addresses, ports: Mapping[str, int], folder: Path, work: Work
) -> list[Program]:
    """List a peer's poller and workers, and Celery's beat.

    Beat's schedule is a file in the folder: it replaces whatever stands at that path.
    """
    sweep_seconds = 5 if work.retry_minutes else 1
    environment = _environment(peer, addresses, ports) | {
        "BENCH_TENANTS": json.dumps(
            {name: [f"{name}-client", f"{name}-secret"] for name in work.tenants}
        ),
        "BENCH_CONCURRENCY": str(work.concurrency[peer]),
        "BENCH_AT_ONCE": "" if work.look_seconds is None else "1",
        "BENCH_RETRY_MINUTES": str(work.retry_minutes),
        "BENCH_SWEEP_SECONDS": str(sweep_seconds),
        "PROCRASTINATE_WORKER_FETCH_JOB_POLLING_INTERVAL": str(sweep_seconds),
        "PROCRASTINATE_LOG_LEVEL": "warning",  # as Celery's worker by default
    }
    programs = []
    for name, command in _commands(peer, ports[f"{peer}-poller"], folder, work).items():
        port = ports.get(name, 0)
        ready = listens(port) if port else _at_once
        programs.append(Program(name, command, port, ready, environment, ROOT))
    return programs


def _commands(peer: str, port: int, folder: Path, work: Work) -> dict[str, tuple[str, ...]]:
    python = str(BIN / "python")
    module = f"tests.bench.peers.{peer}_peer"
    seconds = str(work.look_seconds or 1)
    poller: dict[str, tuple[str, ...]] = {
        f"{peer}-poller": (python, "-m", "tests.bench.peers.poller", peer, str(port), seconds)
    }
    if peer == "celery":
        return poller | _celery(module, folder, work)
    procrastinate = (str(BIN / "procrastinate"), f"--app={module}.app")
    # How-to, Execute multiple jobs at the same time: several workers, and concurrency in each.
    concurrency = work.concurrency[peer]
    worker = (*procrastinate, "worker", f"--concurrency={concurrency}")
    return poller | {f"procrastinate-worker-{number}": worker for number in range(WORKERS)}


def _celery(module: str, folder: Path, work: Work) -> dict[str, tuple[str, ...]]:
    celery = (str(BIN / "celery"), "-A", module)
    # What only several workers need of each other is off (Workers guide).
    alone = ("--without-gossip", "--without-mingle", "--without-heartbeat")
    beat = (*celery, "beat", "--schedule", str(folder / "celery-beat"))
    if work.look_seconds is None:
        worker = (*celery, "worker", f"--concurrency={WORKERS}", *alone)
        return {"celery-worker": worker, "celery-beat": beat}
    # Concurrency: gevent is designed for IO-bound tasks. Optimizing, Prefetch Limits: short and
    # long tasks go to nodes of their own, the short ones with a large prefetch, the others with 1.
    green = (*celery, "worker", "--pool", "gevent", *alone)
    short = ("-Q", "celery", f"--concurrency={GREENLETS // 5}", "--prefetch-multiplier=64")
    long = ("-Q", "replies", f"--concurrency={GREENLETS}", "--prefetch-multiplier=1")
    nodes = {
        f"celery-{name}-{number}": (*green, *options, "-n", f"{name}{number}@%h")
        for number in range(max(1, WORKERS // 2))
        for name, options in (("messages", short), ("replies", long))
    }
    return {**nodes, "celery-beat": beat}


def procrastinate_schema(programs: Sequence[Program]) -> tuple[tuple[str, ...], dict[str, str]]:
    """Build the command that makes Procrastinate's tables, and its environment."""
    worker = next(it for it in programs if it.name.startswith("procrastinate-worker"))
    return (*worker.command[:2], "schema", "--apply"), {**os.environ, **worker.environment}


def peer_addresses(ports: Mapping[str, int]) -> dict[str, str]:
    """Where to call what: `celery-poll`, `celery-send` and so on."""
    return {
        f"{peer}-{call}": f"http://{HOST}:{ports[f'{peer}-poller']}/{call}"
        for peer in PEERS
        for call in ("poll", "send", "start", "stop")
    }


def processes(peer: str) -> tuple[str, ...]:
    """Name what counts as the application."""
    return tuple(_commands(peer, 0, Path(), Work((peer,))))


def _environment(peer: str, addresses: Addresses, ports: Mapping[str, int]) -> dict[str, str]:
    return {
        "PYTHONPATH": str(ROOT),
        "BENCH_DATABASE": f"postgresql://postgres@{HOST}:{ports['postgres']}/{peer}",
        "BENCH_REDIS": f"redis://{HOST}:{ports['redis']}/0",
        "SMARTLINK_BASE_URL": addresses.base_url,
        "SMARTLINK_RAC_TOKEN_URL": addresses.rac_token_url,
    }


def _at_once(_log: Path) -> bool:
    """A worker listens on no port; what is enqueued waits for it."""
    return True
