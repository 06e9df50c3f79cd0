"""The steps of the demo: make requests, watch them, release the locked row, count the results."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Protocol

from infra.local.demo.asks import MASK, Ask, make_asks, to_be_anonymised
from infra.local.demo.result import Masking, Result, Row
from infra.local.demo.simulated import PROCESSED, Tpd
from infra.local.demo.world import World
from infra.local.erp import ErpDatabase
from infra.local.errors import NotReadyError
from infra.local.firestore_view import HISTORY, LIVE
from infra.local.rest import Json

LOOK_SECONDS = 0.2
SETTLE_SECONDS = 10.0
FAILURES = 2  # attempts of the message whose row is locked, before it is released


class Narrator(Protocol):
    """Shows how the demo goes."""

    def say(self, step: str) -> None:
        """Tell that a step is done."""
        ...

    def progress(self, done: int, total: int) -> None:
        """Tell how many requests are processed."""
        ...


class Story:
    """One run of the demo on a relay that runs and ticks."""

    def __init__(
        self, world: World, databases: Mapping[str, ErpDatabase], narrator: Narrator, seconds: float
    ) -> None:
        """The run may take `seconds` from now."""
        self._world = world
        self._tpd = Tpd(world.simulator)
        self._databases = databases
        self._narrator = narrator
        self._began = time.monotonic()
        self._deadline = self._began + seconds
        self._seconds = seconds
        self._asks = make_asks({name: erp.people for name, erp in databases.items()})
        self._locked = next(ask for ask in self._asks if ask.command == MASK)
        self._result = Result(world.mode)

    def run(self) -> Result:
        """Run the demo to its end, or until its time is over."""
        self._databases[self._locked.tenant].lock(self._locked.person)
        before = {name: erp.anonymised() for name, erp in self._databases.items()}
        self._wait_for_queues()
        ids = self._tpd.ask(self._asks)
        asked = self._tpd.requests()
        self._narrator.say(f"{len(ids)} TPD requests sent; each is now “Em Processamento”")
        answered = self._watch(ids)
        self._result.rows = [
            _row(ask, asked[key], answered[key]) for ask, key in zip(self._asks, ids, strict=True)
        ]
        self._take_stock(before)
        return self._result

    def _wait_for_queues(self) -> None:
        if not self._until(lambda: self._tpd.ready(list(self._databases))):
            clues = "\n".join(self._world.clues()) or "The logs hold no error."
            message = (
                f"poll did not set the tenants' queues up within {self._seconds:.0f} s.\n{clues}"
            )
            raise NotReadyError(message)
        self._mark("queues")
        self._narrator.say("First poll done: both tenants' queues are set up")

    def _watch(self, ids: list[str]) -> dict[str, Json]:
        requests: dict[str, Json] = {}
        locked = True

        def all_processed() -> bool:
            nonlocal requests, locked
            requests = self._tpd.requests()
            done = sum(1 for key in ids if requests[key]["status"] == PROCESSED)
            self._narrator.progress(done, len(ids))
            locked = locked and not self._unlocked_after_failures()
            return done == len(ids)

        self._until(all_processed)
        self._mark("processed")
        return requests

    def _unlocked_after_failures(self) -> bool:
        """Release the row after the message that needs it has failed often enough; tell whether it
        did."""
        waiting = [
            document
            for document in self._world.documents(self._locked.tenant, LIVE)
            if document.get("Situacao") == "Aguardando"
            and int(document.get("QtdeTentativaExec", 0)) >= FAILURES
        ]
        if not waiting:
            return False
        self._databases[self._locked.tenant].unlock()
        failures = waiting[0]["QtdeTentativaExec"]
        self._narrator.say(
            f"A mask request failed {failures} times (row locked by payroll); released"
        )
        return True

    def _take_stock(self, before: Mapping[str, tuple[int, int]]) -> None:
        result, world = self._result, self._world
        # All answers have been sent, but the last ones may not be settled yet.
        limit = min(self._deadline, time.monotonic() + SETTLE_SECONDS)
        if not result.open:
            self._until(lambda: not world.counts()[LIVE], limit)
        for name, erp in self._databases.items():
            people, after = erp.anonymised()
            expected = to_be_anonymised(self._asks, name)
            result.masking[name] = Masking(people, before[name][1], after, expected)
        result.collections = world.counts()
        result.retried = [
            _retried(name, document)
            for name in self._databases
            for document in world.documents(name, HISTORY)
            if int(document.get("QtdeTentativaExec", 0)) > FAILURES
        ]
        if not result.ok:
            result.clues = [*self._errors_of_documents(), *world.clues()]
        self._mark("total")

    def _errors_of_documents(self) -> list[str]:
        """Return the error of each live message that has one, and how many messages have none."""
        said: list[str] = []
        quiet: Counter[str] = Counter()
        for name in self._databases:
            for document in self._world.documents(name, LIVE):
                if error := document.get("UltimoErro"):
                    said.append(f"{name}: {_fate(document)}: {error}")
                else:
                    quiet[f"{name}: {document.get('Comando')} {document.get('Situacao')}"] += 1
        return said + [f"{what}, without an error: {count}" for what, count in quiet.items()]

    def _until(self, done: Callable[[], bool], deadline: float | None = None) -> bool:
        while not done():
            self._world.check()
            if time.monotonic() > (deadline or self._deadline):
                return False
            time.sleep(LOOK_SECONDS)
        return True

    def _mark(self, step: str) -> None:
        self._result.seconds[step] = round(time.monotonic() - self._began, 1)


def _row(ask: Ask, asked: Json, answered: Json) -> Row:
    problem = answered.get("problem")
    before, after = str(asked["status"]), str(answered["status"])
    return Row(ask, str(asked["requestId"]), before, after, problem)


def _fate(document: Json) -> str:
    message = f"{document.get('Comando')} {document.get('ID')} is {document.get('Situacao')}"
    return f"{message} after {document.get('QtdeTentativaExec', 0)} attempts"


def _retried(tenant: str, document: Json) -> Json:
    attempts = document.get("Tentativas", [])
    errors = [attempt["Erro"] for attempt in attempts if attempt.get("Erro")]
    attempt = document["QtdeTentativaExec"]
    return {"tenant": tenant, "id": document.get("ID"), "attempts": attempt, "errors": errors}
