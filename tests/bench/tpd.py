"""TPD on an ERP of millions of rows: a data request and a mask, without and with the indexes that
`smartlink tpd check` prints.

PostgreSQL runs in a temporary folder of its own, which is removed. Its tables are unlogged and it
never waits for the disk (`fsync=off`): what is compared is how rows are found. All that is measured
is the product's own code, called as the relay calls it.
"""

import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import median
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text
from sqlalchemy import Connection, create_engine, event

from consumers.sgdp.inspection.check import check
from consumers.sgdp.inspection.findings import Topic
from consumers.sgdp_data import answer_with_data
from consumers.sgdp_mask import answer_with_exceptions
from infra.local.errors import MissingPartError
from smartlink.consumer import FatalError, RetryableError
from tests.bench.ledger import LedgerError
from tests.bench.memory import MIB, Peak
from tests.bench.tpd_erp import MAP, LargeErp, Size, create_indexes, fill
from tests.erp.postgres import find_binaries, running_postgres
from tests.support.tpd import Tpd

PEOPLE, ROWS = 50_000, 200_000
QUICK_PEOPLE, QUICK_ROWS = 5_000, 20_000
LARGE = "--people 5000000 --rows 20000000"
GOALS = {"data": 2.0, "mask": 5.0}
PERSONS, QUICK_PERSONS = 10, 3
TIMEOUT = 60
"""The time-out of both commands: a run that takes longer ends its process."""

_SMALLER = 100  # times, is the ERP beside which memory is compared
_SEED = 20_260_302
_COMMANDS = {"data": answer_with_data, "mask": answer_with_exceptions}
_SETTINGS = {
    "shared_buffers": "1GB",
    "maintenance_work_mem": "512MB",
    "max_wal_size": "8GB",
    "autovacuum": "off",  # so that nothing else runs meanwhile
}

Say = Callable[[str], None]


class OutOfTimeError(Exception):
    """A run took longer than the command's time-out."""


@dataclass(frozen=True, slots=True)
class Run:
    """One request, and what it came to."""

    seconds: float
    statements: int
    rows: int
    allocated: int  # bytes, the most that Python held at once
    grown: int  # bytes, by which the process's peak was above what it had before


def lacking() -> str | None:
    """Say what this machine lacks for it."""
    if find_binaries() is not None:
        return None
    return "PostgreSQL is not installed: no initdb on the PATH or in /usr/lib/postgresql"


def measure(
    say: Say, *, quick: bool, people: int | None = None, rows: int | None = None
) -> dict[str, Any]:
    """Measure on an ERP of so many people, and so many rows that refer to them."""
    if problem := lacking():
        raise MissingPartError("PostgreSQL", looked=problem, fix="Install PostgreSQL 14 or later.")
    size = Size(
        people or (QUICK_PEOPLE if quick else PEOPLE), rows or (QUICK_ROWS if quick else ROWS)
    )
    small = Size(max(1_000, size.people // _SMALLER), max(4_000, size.rows // _SMALLER))
    persons = QUICK_PERSONS if quick else PERSONS
    with running_postgres(_SETTINGS) as server:
        say(f"TPD: filling an ERP of {small.people:,} people and {small.rows:,} rows")
        smaller = _Bench(fill(server, "small", small), persons, say).with_indexes()
        say(f"TPD: filling an ERP of {size.people:,} people and {size.rows:,} rows")
        begin = time.perf_counter()
        erp = fill(server, "large", size)
        filled = time.perf_counter() - begin
        bench = _Bench(erp, persons, say)
        without = bench.without_indexes()
        found = bench.with_indexes()
        crowds = bench.crowds()
    met = {
        name: found["requests"][name]["seconds"]["max"] <= GOALS[name] for name in found["requests"]
    }
    return {
        "people": size.people,
        "rows": size.rows,
        "fillSeconds": round(filled, 1),
        "expected": GOALS,
        "met": met,
        "without": without,
        "with": found,
        "crowds": crowds,
        "smaller": {"people": small.people, "rows": small.rows, **smaller},
    }


class _Bench:
    """The requests on one ERP. Nobody is masked twice."""

    def __init__(self, erp: LargeErp, persons: int, say: Say) -> None:
        self._erp = erp
        self._persons = persons
        self._say = say
        self._tpd = Tpd("acme", erp.secret)
        self._numbers = iter(range(1_000_000))
        people = random.Random(_SEED).sample(range(1, erp.size.people - 2), 3 * persons + 15)
        self._drawn = iter(people)
        with self._direct() as connection:
            self._owned = erp.owned(connection, people)

    # Parts

    def without_indexes(self) -> dict[str, Any]:
        """One request each, stopped when the command's time-out has passed."""
        found = {}
        for name in _COMMANDS:
            self._say(f"TPD: {name} without the indexes, {TIMEOUT} s at most")
            (person,) = self._draw(1)
            begin = time.perf_counter()
            try:
                run = self._request(name, person, "CPF", within=TIMEOUT)
            except (OutOfTimeError, RetryableError):
                found[name] = {"stoppedAfter": round(time.perf_counter() - begin, 1)}
            else:
                found[name] = {"seconds": round(run.seconds, 2), "statements": run.statements}
        return found

    def with_indexes(self) -> dict[str, Any]:
        """Create what the check prints; then several requests each, by CPF and by e-mail."""
        self._say("TPD: smartlink tpd check")
        begin = time.perf_counter()
        statements = self._printed()
        checked = time.perf_counter() - begin
        timed = {}
        for statement in statements:
            self._say(f"TPD: {statement[:60]}…")
            begin = time.perf_counter()
            create_indexes(self._erp.url, [statement])
            timed[statement[:60]] = round(time.perf_counter() - begin, 1)
        if left := self._printed():
            message = f"the indexes are there, and the check still asks for {left[0][:80]}"
            raise LedgerError(message)
        # What a process does once: it reads the database's structure, and creates its own tables.
        begin = time.perf_counter()
        self._request("data", self._draw(1)[0], "CPF")
        first = time.perf_counter() - begin
        requests = {}
        for name in _COMMANDS:
            for kind in ("CPF", "EMAIL") if name == "data" else ("CPF",):
                self._say(f"TPD: {name} by {kind}, with the indexes")
                label = name if kind == "CPF" else f"{name} by e-mail"
                requests[label] = self._several(name, kind)
        return {
            "checkSeconds": round(checked, 1),
            "createSeconds": timed,
            "firstSeconds": round(first, 2),
            "requests": {name: it for name, it in requests.items() if name in GOALS},
            "byEmail": requests["data by e-mail"],
        }

    def crowds(self) -> dict[str, Any]:
        """Somebody with nearly as many rows as a request may fit, and somebody with far more."""
        (timed, traced), crowded = self._erp.size.full, self._erp.size.crowded
        found: dict[str, dict[str, Any]] = {}
        for name in _COMMANDS:
            self._say(f"TPD: {name} of a person with very many rows")
            run = self._request(name, timed, "CPF")
            found[name] = {"rows": run.rows, "seconds": round(run.seconds, 2)}
            found[name] |= _memory(self._request(name, traced, "CPF", traced=True))
            begin = time.perf_counter()
            with _peaks(traced=True) as peaks:
                refused = self._refused(name, crowded)
            found[name] |= {
                "refused": refused,
                "refusedAfter": round(time.perf_counter() - begin, 2),
                "refusedMemory": _memory(Run(0, 0, 0, *peaks())),
            }
        return found

    # Requests

    def _several(self, name: str, kind: str) -> dict[str, Any]:
        people = self._draw(self._persons)
        with self._direct() as connection:
            values = self._erp.values(connection, people) if name == "mask" else []
        runs = [self._request(name, person, kind) for person in people]
        # Tracing slows a run down: memory is measured on others.
        traced = [self._request(name, it, kind, traced=True) for it in self._draw(3)]
        if values:
            with self._direct() as connection:
                if left := self._erp.holding(connection, values):
                    message = f"after the masks, values of the people stand in {left}"
                    raise LedgerError(message)
        seconds = [run.seconds for run in runs]
        return {
            "persons": len(runs),
            "seconds": {"median": round(median(seconds), 3), "max": round(max(seconds), 3)},
            "statements": median(run.statements for run in runs),
            "rows": sum(run.rows for run in runs),
            **_memory(max(traced, key=lambda run: run.allocated)),
        }

    def _request(
        self,
        name: str,
        person: int,
        kind: str,
        *,
        within: float | None = None,
        traced: bool = False,
    ) -> Run:
        """Send one, and compare its answer with what the person owns. Raises LedgerError if they
        differ, OutOfTimeError if it takes longer than `within`."""
        with self._direct() as connection:
            identifiers = self._erp.identifiers(connection, person)
        expected = self._owned[person]
        body = {"requestID": f"r{next(self._numbers)}", "identifiers": {kind: identifiers[kind]}}
        with _counted(self._tpd, within) as statements, _peaks(traced=traced) as peaks:
            begin = time.perf_counter()
            answers = self._tpd.parts(_COMMANDS[name], body, body["requestID"])  # type: ignore[arg-type]
            seconds = time.perf_counter() - begin
        if name == "data":
            rows = _rows(answers)
        else:
            # The ERP's trigger adds a row to the audit, and that is masked too.
            expected = {**expected, "people_audit": expected.get("people_audit", 0) + 1}
            rows = {"masked": int(self._tpd.lines[-1].split()[1])}
            expected = {"masked": sum(expected.values())}
        if rows != expected:
            message = f"{name}: the person has {expected}, and the answer {rows}"
            raise LedgerError(message)
        return Run(seconds, len(statements), sum(rows.values()), *peaks())

    def _refused(self, name: str, person: int) -> str:
        with self._direct() as connection:
            identifiers = self._erp.identifiers(connection, person)
        body = {"requestID": f"r{next(self._numbers)}", "identifiers": identifiers}
        try:
            self._tpd.parts(_COMMANDS[name], body, body["requestID"])  # type: ignore[arg-type]
        except FatalError as error:
            return str(error)
        message = f"{name}: a person with more rows than an answer holds was not refused"
        raise LedgerError(message)

    def _printed(self) -> list[str]:
        """The statements that the check prints."""
        today = datetime.now(UTC).date()
        report = check(self._tpd.engine, MAP, b"a salt of the bench", 1_000, today)
        fixes = [it.fix for it in report.findings if it.topic is Topic.INDEXES and it.fix]
        return [statement for fix in fixes for statement in fix.splitlines()]

    def _draw(self, count: int) -> list[int]:
        return [next(self._drawn) for _ in range(count)]

    @contextmanager
    def _direct(self) -> Iterator[Connection]:
        """A connection that knows nothing of the product."""
        engine = create_engine(self._erp.url)
        with engine.connect() as connection:
            yield connection
        engine.dispose()


@contextmanager
def _counted(tpd: Tpd, within: float | None) -> Iterator[list[str]]:
    """Collect the statements; none is begun after `within` seconds, and none waits longer."""
    seen: list[str] = []
    begin = time.monotonic()

    def note(_connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)
        if within is not None and time.monotonic() - begin > within:
            raise OutOfTimeError

    event.listen(tpd.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(tpd.engine, "before_cursor_execute", note)


@contextmanager
def _peaks(*, traced: bool) -> Iterator[Callable[[], tuple[int, int]]]:
    """Watch the block's memory: what Python allocates (if traced), and the process's peak."""
    if traced:
        tracemalloc.start()
    try:
        with Peak() as peak:
            yield lambda: (allocated, peak.grown)
        allocated = tracemalloc.get_traced_memory()[1] if traced else 0
    finally:
        tracemalloc.stop()


def _rows(answers: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Count an answer's rows by class; it may come in parts."""
    found: dict[str, int] = {}
    for answer in answers:
        for group in answer["response"].values():
            for name, rows in group["models"].items():
                found[name] = found.get(name, 0) + len(rows)
    return found


def _memory(run: Run) -> dict[str, float]:
    return {
        "allocatedMebibytes": round(run.allocated / MIB, 2),
        "processMebibytes": round(run.grown / MIB, 2),
    }


def show(found: Mapping[str, Any], console: Console) -> None:
    """Print it for people."""
    title = f"TPD: {found['people']:,} people, {found['rows']:,} rows that refer to them"
    shown = Table(box=SIMPLE_HEAD, title=title)
    for column in ("", "without, s", "with, s (median, max)", "statements", "MiB", "MiB, small"):
        shown.add_column(column, justify="left" if not column else "right")
    for name, it in found["with"]["requests"].items():
        seconds = Text(f"{it['seconds']['median']:.3f}  {it['seconds']['max']:.3f}")
        seconds.stylize("green" if found["met"][name] else "red")
        smaller = found["smaller"]["requests"][name]
        shown.add_row(
            name,
            without(found["without"][name]),
            seconds,
            f"{it['statements']:.0f}",
            f"{it['allocatedMebibytes']:.2f}",
            f"{smaller['allocatedMebibytes']:.2f}",
        )
    console.print(shown)
    for name, it in found["crowds"].items():
        console.print(
            f"{name} of a person with {it['rows']:,} rows: {it['seconds']:.2f} s, "
            f"{it['allocatedMebibytes']:.1f} MiB; with more than 50,000: refused after "
            f"{it['refusedAfter']:.2f} s, {it['refusedMemory']['allocatedMebibytes']:.1f} MiB"
        )


def without(found: Mapping[str, Any]) -> str:
    """Write what a run without the indexes came to."""
    if "stoppedAfter" in found:
        return f"> {found['stoppedAfter']:.0f}"
    return f"{found['seconds']:.2f}"
