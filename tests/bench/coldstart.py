"""Cold start: from the start of a process to its first answer, beside a bare function.

The bare function is served by functions-framework too. It runs the same import statements of
third parties (see imports.py), as ours without the garbage collector, and answers a word: it makes
no call to anything. Ours makes the calls that its answer takes: so the ratio is the price of the
relay's own code and of those. The console is asked by nobody whom IAP let pass, and refuses.
"""

import base64
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.local.child import Child
from infra.local.errors import NotReadyError
from infra.local.functions import consumer, function_environment
from infra.local.ports import HOST
from infra.local.program import Program
from smartlink.domain.tenant import TenantEntry
from smartlink.services.polling.shard import Shard
from tests.bench.cpu import group_seconds
from tests.bench.imports import UNCOLLECTED, bare, loaded, third_party
from tests.bench.memory import MIB, group_bytes
from tests.bench.services import Services, services
from tests.bench.workload import QUIET, SILENT

GOAL = 1.25  # times the bare function's time
ROUNDS, QUICK_ROUNDS = 11, 2
WARM, QUICK_WARM = 200, 2  # calls that warm the emulators up: Java's compiler is not the start's
_PATIENCE_SECONDS = 60
_CONSOLE = {"SMARTLINK_IAP_AUDIENCE": "/projects/1/locations/l/services/console"}
_LOOK_SECONDS = 0.002
_EVENT = Path(__file__).parents[1] / "events" / "dispatch.json"
_BARE = "gc.freeze()\ngc.enable()\ndef answer(request):\n    return 'ok'\n"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Start:
    """One start. Seconds from the process's beginning; bytes of the whole process group."""

    listening: float
    answered: float
    again: float  # how long the same call takes once more
    cpu: float  # of all its processes, until the first answer
    bytes: int


@dataclass
class ColdStart:
    """A function's starts beside the bare function's, in alternation; and what both import."""

    name: str
    vendors: tuple[str, ...]
    seconds: tuple[float, float]  # CPU of the imports alone: ours, bare
    memory: tuple[int, int]  # after the imports: ours, bare
    ours: list[Start] = field(default_factory=list)
    bare: list[Start] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Ours in times of the bare one, until the first answer: the median of the rounds'."""
        pairs = zip(self.ours, self.bare, strict=True)
        return median(our.answered / its.answered for our, its in pairs)

    @property
    def cpu_ratio(self) -> float:
        """The same of the CPU used: what a busy machine does not change."""
        return median(it.cpu for it in self.ours) / median(it.cpu for it in self.bare)

    def json(self) -> dict[str, Any]:
        """Write it for programs: milliseconds and MiB."""
        ours, its = self.ours, self.bare
        return {
            "name": self.name,
            "vendors": list(self.vendors),
            "rounds": len(ours),
            "ratio": round(self.ratio, 3),
            "cpuRatio": round(self.cpu_ratio, 3),
            "importRatio": round(self.seconds[0] / self.seconds[1], 3),
            "expected": GOAL,
            "met": self.ratio <= GOAL,
            "milliseconds": {
                "ours": round(1_000 * median(it.answered for it in ours)),
                "bare": round(1_000 * median(it.answered for it in its)),
                "oursListening": round(1_000 * median(it.listening for it in ours)),
                "bareListening": round(1_000 * median(it.listening for it in its)),
                "oursAgain": round(1_000 * median(it.again for it in ours)),
                "bareAgain": round(1_000 * median(it.again for it in its)),
            },
            "importCpuMilliseconds": dict(
                zip(("ours", "bare"), (round(1_000 * it) for it in self.seconds), strict=True)
            ),
            "mebibytes": {
                "ours": round(median(it.bytes for it in ours) / MIB, 1),
                "bare": round(median(it.bytes for it in its) / MIB, 1),
            },
            "importMebibytes": dict(
                zip(("ours", "bare"), (round(it / MIB, 1) for it in self.memory), strict=True)
            ),
        }


def cold_starts(say: Say, *, quick: bool) -> list[ColdStart]:
    """Measure each function."""
    with services(quick=quick) as running:
        running.add_tenants(["acme"])
        return [_measured(it, running, say, quick=quick) for it in _functions(running)]


@dataclass(frozen=True)
class _Function:
    name: str
    use_case: str
    body: Callable[[], object]
    environment: Mapping[str, str] = field(default_factory=dict)
    late: tuple[str, ...] = ()  # vendors that the first call imports

    @property
    def target(self) -> str:
        return self.name if self.use_case != "consume" else "consume"


def _functions(running: Services) -> list[_Function]:
    event = json.loads(_EVENT.read_bytes())
    functions = [
        _Function("poll", "poll", dict, late=("secretmanager", "storage")),
        _Function(
            "poll_shard",
            "poll",
            lambda: _pushed(event, _shard()),
            late=("secretmanager", "storage"),
        ),
        _Function(
            "publish",
            "publish",
            lambda: {"tenant": "acme", "type": "T", "content": "{}"},
            late=("secretmanager",),
        ),
        _Function("operate", "operate", lambda: _pushed(event, b'{"job": "none"}')),
        _Function("console", "console", dict, _CONSOLE),
    ]
    # Of the bench's own commands one is enough.
    for command in sorted(running.catalog.commands.keys() - {QUIET, SILENT}):
        # A message that has ended: it is looked for, but the consumer, and its ERP, do not run.
        dispatch = json.loads(base64.b64decode(event["message"]["data"]))
        for message in dispatch["messages"]:
            message["version"] = "1767225600.000000000"
        data = json.dumps(dispatch | {"command": command}).encode()
        functions.append(
            _Function(
                consumer(command),
                "consume",
                lambda data=data: _pushed(event, data),  # type: ignore[misc]
                {"SMARTLINK_COMMAND": command},
            )
        )
    return functions


def _shard() -> bytes:
    return Shard(datetime.now(UTC), 0, 0, (TenantEntry("acme", ""),)).encode().data


def _pushed(event: Mapping[str, Any], data: bytes) -> dict[str, Any]:
    message = event["message"] | {"data": base64.b64encode(data).decode()}
    return {**event, "message": message}


def _measured(it: _Function, running: Services, say: Say, *, quick: bool) -> ColdStart:
    folder = running.folder / "functions"
    base = function_environment(running.addresses, running.catalog)
    environment = {**base, **it.environment, "PATH": ""}
    ours = loaded(it.use_case, folder, environment)
    statements = third_party(ours.own, it.late)
    pairs = [
        (loaded(it.use_case, folder, environment), bare(statements, folder, environment))
        for _ in range(1 if quick else 3)
    ]
    result = ColdStart(
        it.name,
        tuple(sorted(ours.vendors)),
        (median(our.cpu for our, _ in pairs), median(its.cpu for _, its in pairs)),
        (pairs[0][0].bytes, pairs[0][1].bytes),
    )
    source = running.folder / f"bare-{it.name}"
    source.mkdir()
    (source / "main.py").write_text("\n".join([*UNCOLLECTED, *statements, _BARE]))
    our_program = running.program(it.name, it.target, None, **it.environment)
    its_program = running.program(it.name, "answer", source, **it.environment)
    # The first starts write the byte code.
    _start(our_program, running, it.body(), again=QUICK_WARM if quick else WARM)
    _start(its_program, running, it.body())
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        say(f"cold start of {it.name}: round {number + 1}")
        starts = [(our_program, result.ours), (its_program, result.bare)]
        for program, found in starts[:: -1 if number % 2 else 1]:
            found.append(_start(program, running, it.body()))
    return result


def _start(program: Program, running: Services, body: object, *, again: int = 1) -> Start:
    text = json.dumps(body).encode()
    begin = time.perf_counter()
    child = Child(program, running.folder / "logs")
    try:
        while not child.ready():
            _still_well(child, begin)
            time.sleep(_LOOK_SECONDS)
        listening = time.perf_counter() - begin
        _answer(program, text)
        answered = time.perf_counter() - begin
        cpu = group_seconds(child.pid)
        began = time.perf_counter()
        for _ in range(again):
            _answer(program, text)
        once_more = (time.perf_counter() - began) / again
        return Start(listening, answered, once_more, cpu, group_bytes(child.pid))
    finally:
        child.ask_to_stop()
        child.make_sure(5)


def _answer(program: Program, text: bytes) -> None:
    connection = HTTPConnection(HOST, program.port, timeout=_PATIENCE_SECONDS)
    connection.request("POST", "/", text, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    connection.close()
    refused = program.name == "console" and answer.status in {401, 403}
    if answer.status >= 300 and not refused:
        message = f"{program.name} answered {answer.status}: {said[:300]!r}"
        raise NotReadyError(message)


def _still_well(child: Child, begin: float) -> None:
    if not child.running:
        raise NotReadyError(child.explain_death())
    if time.perf_counter() - begin > _PATIENCE_SECONDS:
        message = f"{child.program.name} was not ready in time: see {child.log}"
        raise NotReadyError(message)


def show(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print them for people."""
    title = f"Cold start, process start to first answer; expected at most {GOAL:g} times the bare"
    shown = Table(box=SIMPLE_HEAD, title=title)
    shown.add_column("function", no_wrap=True)
    for column in ("ms", "bare", "ratio", "again", "CPU", "import", "MiB", "bare"):
        shown.add_column(column, justify="right", no_wrap=True)
    for its in found:
        shown.add_row(
            its["name"].removesuffix("Command"),
            *(str(its["milliseconds"][it]) for it in ("ours", "bare")),
            Text(f"{its['ratio']:.2f}", style="green" if its["met"] else "red"),
            str(its["milliseconds"]["oursAgain"]),
            f"{its['cpuRatio']:.2f}",
            f"{its['importRatio']:.2f}",
            *(f"{its['mebibytes'][it]:.0f}" for it in ("ours", "bare")),
        )
    console.print(shown)
