"""A large deployment in Firestore's emulator, and what a page of the console costs on it."""

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import NamedTuple

from smartlink.adapters.firestore import documents as rm
from smartlink.adapters.firestore.audit import FirestoreAudit
from smartlink.adapters.firestore.calls import Fill, FirestoreCalls
from smartlink.adapters.firestore.writes import create, put
from smartlink.adapters.google.failures import Patience
from smartlink.domain.hourly import HOUR, HourFigures, settled_until
from smartlink.domain.message import Ended, Ending
from smartlink.domain.tenant import TenantState
from smartlink.operations.configuration import SAMPLE
from smartlink.operations.ports import AuditRecord
from smartlink.operations.rights import Roles
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of
from tests.console.conftest import watched, wired
from tests.console.samples import recent
from tests.support import samples
from tests.support.firestore_counter import FirestoreCounter

MOST_READS = 200
MOST_SECONDS = 0.1
PATHS = (
    "/",
    "/tenants",
    "/tenants?after=t0500",
    "/tenants/t0001",
    "/messages",
    "/messages?state=Morta",
    "/messages?tenant=t0001",
    "/messages?error=nothing-has-this-text",
    "/messages?view=history",
    "/messages?view=history&command=SGDPDataCommand",
    "/messages?id=m00001",
    "/messages?request=m00001",
    "/messages?request=m00001&view=history",
    "/message?tenant=t0001&document=D-m00100",
    "/errors",
    "/jobs",
    "/configuration",
    "/audit",
    "/audit?who=nobody",
)
_SECRETS = 30  # the others are known by their states alone
_HOLDERS = 50  # tenants that have live messages: a hundred each
_MONTH = 43_000  # minutes, in which the history lies
_PATIENT = Patience(timeout=300, deadline=600, delays=())
"""The emulator goes through a whole collection where Firestore has an index."""
_THREADS, _CHUNK = 4, 400


@dataclass(frozen=True, slots=True)
class Large:
    """A place that is being filled."""

    place: Place
    tenants: int

    def furnish(self, live: int) -> None:
        """Tenants, live messages (all dead), and the audit."""
        self.place.make_buckets()
        self.place.write_config(json.loads(SAMPLE))
        payload = json.dumps({"clientId": "c", "clientSecret": "s", "environment": "development"})
        for number in range(_SECRETS):
            wired(self.place).secrets.create(self._name(number), payload.encode(), None)
        self.mark(None)
        now = datetime.now(UTC)
        self._write(
            create(
                self._in(number // 100 % _HOLDERS, rm.LIVE, f"D-m{number:05}"),
                rm.put_live,
                rm.Owned(
                    self._name(number // 100 % _HOLDERS),
                    recent(samples.dead(f"m{number:05}")),
                ),
            )
            for number in range(live)
        )
        for number in range(400):
            at = now - timedelta(minutes=number)
            wired(self.place).audit.create(
                AuditRecord(id=f"a{number}", act="a", who="ana", verified=True, at=at, target="t")
            )

    def history(self, begin: int, end: int) -> None:
        """Ended messages of all tenants, over a month."""
        now = datetime.now(UTC)

        def record(number: int) -> Ended:
            message = replace(samples.pending(f"e{number:06}"), content=samples.content("{}"))
            at = now - timedelta(minutes=number % _MONTH)
            return Ended(samples.under_claim(message), Ending.DONE, at, samples.NEVER)

        self._write(
            create(
                self._in(number % self.tenants, rm.HISTORY, f"D-e{number:06}"),
                rm.put_history,
                record(number),
            )
            for number in range(begin, end)
        )

    def mark(self, counted: datetime | None) -> None:
        """Every tenant's hours are kept up to here."""
        state = TenantState(counted=counted)
        root = self.place.store._calls.root  # noqa: SLF001  (many states at once)
        self._write(
            put(f"{root}/{rm.TENANTS}/{self._name(number)}", rm.put_tenant, state)
            for number in range(self.tenants)
        )

    def hours(self, busy: int) -> None:
        """The polls have kept the last day of all tenants; so many of them were busy."""
        settled = settled_until(datetime.now(UTC))
        self._write(
            put(self._in(number, rm.HOURS, rm.hour_id(at)), rm.put_hour, HourFigures(at, 3, 2, 1))
            for number in range(busy)
            for at in (settled - back * HOUR for back in range(1, 24))
        )
        self.mark(settled)

    def _name(self, number: int) -> str:
        return f"t{number:04}"

    def _in(self, tenant: int, collection: str, document: str) -> str:
        return self.place.store._in(self._name(tenant), collection, document)  # noqa: SLF001

    def _write(self, fills: Iterator[Fill]) -> None:
        calls = self.place.store._calls  # noqa: SLF001  (the adapter settles one message a commit)
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(lambda some: calls.write_each("fill", some), _chunks(fills)))


def _chunks(fills: Iterator[Fill]) -> Iterator[list[Fill]]:
    while chunk := list(islice(fills, _CHUNK)):
        yield chunk


def counted(place: Place) -> tuple[FirestoreCounter, Browser]:
    """A new console, with nothing in its caches, whose reads are counted."""
    counter = FirestoreCounter()
    wiring = watched(wired(place), place, counter, _PATIENT)
    database = wiring.settings.audit_database
    emulator = place.hosts.firestore
    wiring.__dict__["audit"] = FirestoreAudit(
        FirestoreCalls(place.project, database, emulator=emulator, interceptors=[counter])
    )
    return counter, browser_of(wiring, Roles(everybody=True))


def reads(place: Place, paths: Sequence[str] = PATHS) -> dict[str, int]:
    """What each page reads in a console that has nothing in its caches."""
    return {path: cost(place, path, rounds=1).reads for path in paths}


class Cost(NamedTuple):
    """What a page costs the first time."""

    reads: int
    seconds: float  # of this process's CPU, its threads and Google's client included


def cost(place: Place, path: str, rounds: int = 3) -> Cost:
    """Looks at a page; of the times the least, because the machine's other work must not decide."""
    seconds = []
    for _ in range(rounds):
        counter, browser = counted(place)
        browser.get("/jobs")  # connects
        begin, before = time.process_time(), counter.operations["read"]
        browser.get(path)
        seconds.append(time.process_time() - begin)
    return Cost(counter.operations["read"] - before, min(seconds))
