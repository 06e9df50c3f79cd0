"""What a message takes of the interpreter: calls, parses, memory. A busy machine changes it not.

In a process of its own (in_process.py), on the deployed adapters and the emulators, one thread
after the other: first under cProfile, for the calls, then under tracemalloc, for the memory.
"""

import cProfile
import gc
import pstats
import sys
import sysconfig
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.bench.workload import COMMAND, offers

MESSAGES = 100  # a dispatch of the default size
_WARM = 20
_INLINED = {"<listcomp>", "<dictcomp>", "<setcomp>", "<genexpr>"}  # newer Pythons count them not
_STANDARD = (f"{sysconfig.get_path('stdlib')}/", "<frozen ")
_LIBRARIES = "site-packages"
# What is counted by itself: the name in the baseline, and how a function of the profile is known.
_KNOWN: Mapping[str, Callable[[str, str], bool]] = {
    "JSON parsed": lambda file, name: (
        (file.endswith("json/decoder.py") and name == "raw_decode") or "validate_json" in name
    ),
    "JSON written": lambda file, name: file.endswith("json/encoder.py") and name == "encode",
    "models validated": lambda _, name: "SchemaValidator" in name,
    "hashes": lambda _, name: "openssl_" in name,
    "HTTP requests": lambda file, name: (
        file.endswith("urllib3/connectionpool.py") and name == "urlopen"
    ),
    "log lines": lambda file, name: file.endswith("smartlink/observability.py") and name == "event",
}

Stats = Mapping[tuple[str, int, str], tuple[int, int, float, float, Mapping[Any, Any]]]


def count_work(count: int) -> dict[str, dict[str, float]]:
    """Of each stage, for one message."""
    from tests.bench.in_process import Relay  # noqa: PLC0415  (a process of its own)
    from tests.bench.stages import inline_runner  # noqa: PLC0415
    from tests.support.inline import InlineRunner, InlineTurns  # noqa: PLC0415

    relay = Relay()
    relay.poll = replace(relay.poll, turns=InlineTurns(relay.poll.clock))
    own = Path(sys.modules["smartlink"].__path__[0]).parent
    with inline_runner(InlineRunner()):
        for _ in range(2):
            relay.tick()
        for size in (_WARM, count):  # what is filled once, is
            for _, run in _stages(relay, size):
                run()
        work = {}
        for stage, run in _stages(relay, count):
            work[stage] = _calls(_profiled(run), count, f"{own}/")
        tracemalloc.start()
        before = _blocks()
        for stage, run in _stages(relay, count):
            work[stage]["KiB at most"] = round(_peak(run) / 1024 / count, 2)
        kept = (_blocks() - before) / count
    return work | {"all": {"blocks kept": round(kept, 2)}}


def _stages(relay: Any, count: int) -> Iterator[tuple[str, Callable[[], object]]]:  # noqa: ANN401
    """One after the other: whoever iterates runs each before the next."""
    relay.offer("tenant-0", offers(count, COMMAND))
    yield "receive", relay.tick
    yield "consume", lambda: relay.consume(relay.take())
    yield "send", relay.tick


def _profiled(run: Callable[[], object]) -> Stats:
    profile = cProfile.Profile()
    profile.enable()
    try:
        run()
    finally:
        profile.disable()
    stats: Stats = pstats.Stats(profile).stats  # type: ignore[attr-defined]
    return stats


def _calls(stats: Stats, count: int, own: str) -> dict[str, float]:
    """The calls that our code makes: of its own functions, of libraries, of what is built in. The
    standard library is left out, since it differs from one Python to the next."""
    found: Counter[str] = Counter()
    for (file, _, name), (_, calls, _, _, callers) in stats.items():
        for title, known in _KNOWN.items():
            if known(file, name):
                found[title] += calls
        if name in _INLINED or (file.startswith(_STANDARD) and _LIBRARIES not in file):
            continue
        found["calls"] += sum(
            its[0] for (caller, _, _), its in callers.items() if caller.startswith(own)
        )
    return {title: round(number / count, 2) for title, number in sorted(found.items())}


def _peak(run: Callable[[], object]) -> int:
    """How far memory rises above what is held before."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    run()
    return tracemalloc.get_traced_memory()[1] - before


def _blocks() -> int:
    gc.collect()
    return sys.getallocatedblocks()
