"""CPU of the application for each message, by stage, and where in the libraries it goes.

In a process of its own (in_process.py), on the deployed adapters: the emulators compute elsewhere.
First the stages are timed without a profiler, each by the CPU time of the thread it runs in; what
the process used beyond them is told as the rest (gRPC's own threads, logging, hand-over between
threads). Then both use cases run once more under cProfile, one thread after the other: that makes
Python code dearer than C, so its figures are shares, to find what to look at.
"""

import cProfile
import pstats
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from tests.bench.operations import in_process
from tests.bench.services import services
from tests.bench.workload import COMMAND, offers

MESSAGES, QUICK_MESSAGES = 1_000, 200
ROUNDS = 3
TOP = 12  # of the profile's functions
_WARM = 100

# What each stage's time is taken of: the class or module, and its function.
STAGES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "poll: broker": (
        ("smartlink.adapters.http.smart_link:_Session", "get"),
        ("smartlink.adapters.http.smart_link:_Session", "ack"),
    ),
    "poll: store": (
        ("smartlink.adapters.firestore.store:Firestore", "create"),
        ("smartlink.adapters.firestore.store:Firestore", "history"),
        ("smartlink.adapters.firestore.store:Firestore", "due"),
    ),
    "poll: publish": (("smartlink.services.dispatch:Dispatcher", "publish"),),
    "claim": (("smartlink.services.consuming.consume", "claim_all"),),
    "run": (("smartlink.services.consuming.execute:Execution", "__call__"),),
    "settle": (
        ("smartlink.services.consuming.consume", "settle"),
        ("smartlink.services.consuming.consume", "settle_all"),
    ),
}


# In the process that is looked into.


def time_stages(count: int) -> dict[str, Any]:
    """Microseconds of CPU for each message, by stage; and the profile's shares."""
    from tests.bench.in_process import Relay  # noqa: PLC0415  (a process of its own)
    from tests.support.inline import InlineRunner, InlineTurns  # noqa: PLC0415

    relay = Relay()
    relay.tick()
    _batch(relay, _WARM)
    rounds = [_timed(relay, count) for _ in range(ROUNDS)]
    best = min(rounds, key=lambda it: it["poll"] + it["consume"])

    def settle(data: list[bytes]) -> None:
        relay.consume(data)

    relay.poll = replace(relay.poll, turns=InlineTurns(relay.poll.clock))
    relay.offer("tenant-0", offers(count, COMMAND))
    poll, data = _profiled(lambda: (relay.tick(), relay.take())[1])
    with inline_runner(InlineRunner()):
        consume, _ = _profiled(lambda: settle(data))
    return {
        "messages": count,
        "microseconds": {name: round(its, 1) for name, its in best.items()},
        "profile": {"poll": _shares(poll, count), "consume": _shares(consume, count)},
    }


def _batch(relay: Any, count: int) -> tuple[float, float]:  # noqa: ANN401
    """CPU seconds of the process: poll, consume. The replies are sent untimed."""
    relay.offer("tenant-0", offers(count, COMMAND))
    begin = time.process_time()
    relay.tick()
    polled = time.process_time()
    data = relay.take()
    middle = time.process_time()
    relay.consume(data)
    end = time.process_time()
    relay.tick()
    return polled - begin, end - middle


def _timed(relay: Any, count: int) -> dict[str, float]:  # noqa: ANN401
    with _stopwatches() as spent:
        relay.offer("tenant-0", offers(count, COMMAND))
        begin = time.process_time()
        relay.tick()
        poll = time.process_time() - begin
        data = relay.take()
        middle = time.process_time()
        relay.consume(data)
        consume = time.process_time() - middle
    relay.tick()  # sends the replies
    named = {name: 1e6 * spent[name] / count for name in STAGES}
    polled = sum(its for name, its in named.items() if name.startswith("poll"))
    consumed = sum(its for name, its in named.items() if not name.startswith("poll"))
    return {
        **named,
        "poll: the rest": 1e6 * poll / count - polled,
        "consume: the rest": 1e6 * consume / count - consumed,
        "poll": 1e6 * poll / count,
        "consume": 1e6 * consume / count,
    }


@contextmanager
def _stopwatches() -> Iterator[Counter[str]]:
    """Add up the CPU seconds of the stages' functions while the block runs."""
    import importlib  # noqa: PLC0415

    spent: Counter[str] = Counter()
    lock = threading.Lock()
    replaced: list[tuple[Any, str, Any]] = []

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **options: Any) -> Any:  # noqa: ANN401
            begin = time.thread_time()
            try:
                return function(*args, **options)
            finally:
                used = time.thread_time() - begin
                with lock:
                    spent[name] += used  # type: ignore[assignment]

        return call

    for name, places in STAGES.items():
        for place, function in places:
            module, _, inner = place.partition(":")
            owner: Any = importlib.import_module(module)
            owner = getattr(owner, inner) if inner else owner
            replaced.append((owner, function, getattr(owner, function)))
            setattr(owner, function, timed(name, getattr(owner, function)))
    try:
        yield spent
    finally:
        for owner, function, original in replaced:
            setattr(owner, function, original)


@contextmanager
def inline_runner(runner: Any) -> Iterator[None]:  # noqa: ANN401
    """Have consumers run in the thread that calls them."""
    from smartlink.adapters.threads import ThreadRunner  # noqa: PLC0415

    run = ThreadRunner.run
    ThreadRunner.run = lambda _self, *args: runner.run(*args)  # type: ignore[method-assign]
    try:
        yield
    finally:
        ThreadRunner.run = run  # type: ignore[method-assign]


def _profiled(work: Callable[[], Any]) -> tuple[pstats.Stats, Any]:
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    try:
        result = work()
    finally:
        profile.disable()
    return pstats.Stats(profile), result


def _shares(stats: pstats.Stats, count: int) -> dict[str, Any]:
    """Own time by library, and of the dearest functions, with their callees."""
    rows: Mapping[tuple[str, int, str], tuple[int, int, float, float, Any]] = stats.stats  # type: ignore[attr-defined]
    total = sum(own for _, _, own, _, _ in rows.values()) or 1.0
    libraries: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in rows.items():
        libraries[_library(file, name)] += own  # type: ignore[assignment]
    hot = sorted(
        (
            (its[3], file, line, name)
            for (file, line, name), its in rows.items()
            if "adapters" in file
        ),
        reverse=True,
    )[:TOP]
    return {
        "microseconds": round(1e6 * total / count),
        "libraries": {name: round(own / total, 3) for name, own in libraries.most_common(TOP)},
        "adapters": [
            {"share": round(all_ / total, 3), "function": f"{Path(file).name}:{line} {name}"}
            for all_, file, line, name in hot
        ],
    }


def _library(file: str, name: str) -> str:
    """The library that a function's file belongs to; what is C tells its own name."""
    parts = Path(file).parts
    if "site-packages" in parts:
        inside = parts[parts.index("site-packages") + 1 :]
        deep = 3 if inside[:2] == ("google", "cloud") else 2 if inside[0] == "google" else 1
        return ".".join(inside[:deep]).removesuffix(".py")
    if "smartlink" in parts or "consumers" in parts:
        start = parts.index("smartlink") if "smartlink" in parts else parts.index("consumers")
        return ".".join(parts[start : start + 2]).removesuffix(".py")
    if file == "~":
        return "C: " + ("protobuf" if "upb" in name or "google" in name else "built in")
    return f"python: {Path(file).stem}"


# Outside.


def stages(*, quick: bool) -> dict[str, Any]:
    """Measure on emulators of its own."""
    with services(quick=quick) as running:
        running.add_tenants(["tenant-0"])
        running.simulator("PUT", "/options", {"getBatch": 10})
        found: dict[str, Any] = in_process(running, "stages", QUICK_MESSAGES if quick else MESSAGES)
        return found


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print it for people."""
    shown = Table(box=SIMPLE_HEAD, title="CPU of the application, µs for each message")
    shown.add_column("stage")
    shown.add_column("µs", justify="right")
    for name, its in found["microseconds"].items():
        shown.add_row(name, f"{its:.0f}")
    console.print(shown)
    for use_case, its in found["profile"].items():
        libraries = ", ".join(f"{name} {share:.0%}" for name, share in its["libraries"].items())
        console.print(f"profile of {use_case}, own time: {libraries}", soft_wrap=True)
        for hot in its["adapters"]:
            console.print(f"  {hot['share']:.0%} {hot['function']}", soft_wrap=True)
