"""One run: load and faults at once, then calm, then the books."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from infra.local.errors import LocalStackError
from infra.local.firestore_view import HISTORY, LIVE
from infra.local.rest import Json
from smartlink.domain.message import State
from tests.chaos.effects import Effect, read_journal
from tests.chaos.fleet import Kill
from tests.chaos.ledger import Books, Verdict, audit
from tests.chaos.proxy import Mode
from tests.chaos.scale import ATTEMPTS, Scale
from tests.chaos.stack import Stack, Wanted, running, tenant
from tests.chaos.storm import Fault, Storm, Window, draw
from tests.chaos.workload import Offer, offers

HERE = Path(__file__).parent
_TICK_SECONDS = 1.0
_BEAT_SECONDS = 0.05
_LOOK_SECONDS = 5.0  # if no poll is answered
_END_SECONDS = 1.0  # to settle what has finished, before the end
_PORTIONS_A_SECOND = 2
_BROKER = {"duplicateRate": 0.05, "leaseSeconds": 8, "retryAfterSeconds": 1, "getBatch": 10}

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    verdict: Verdict
    faults: Counter[Fault]
    wire: dict[str, int]  # what the faults came to on the wire
    messages: int
    ticks: Counter[str]
    seconds: dict[str, float]
    logs: Path


def chaos(scale: Scale, folder: Path, say: Say = lambda _: None) -> Outcome:
    """Run it in an empty folder, where the logs, the journal and the books stay."""
    began = time.monotonic()
    journal = folder / "journal.jsonl"
    wanted = Wanted(
        catalog=scale.catalog,
        tenants=tuple(map(tenant, scale.tenant_names)),
        config=scale.config,
        consumer=HERE / "consumer.py",
        module="chaos",
        environment={**scale.environment, "CHAOS_JOURNAL": str(journal)},
        main=HERE / "hurried.py" if scale.hurried else None,
        quick=scale.hurried,
        seed=scale.seed,
    )
    messages = offers(scale)
    with running(wanted, folder) as stack:
        up = time.monotonic()
        stack.simulator("PUT", "/options", {**_BROKER, "seed": scale.seed})
        with _Ticks(stack) as ticks:
            storm = _storm(stack, scale, messages, ticks, say)
            calm = time.monotonic()
            _settle(stack, scale, ticks, say)
        settled = time.monotonic()
        effects = read_journal(journal)
        books = Books(
            offers=messages,
            effects=effects,
            kills=[*stack.functions.kills, *_own_ends(effects, scale)],
            freezes=stack.functions.freezes,
            # What a dead connection swallows is known by the instant: the mode's time says nothing.
            windows=[
                *storm.windows,
                *(Window(at, at) for at in stack.proxies["firestore"].swallowed),
            ],
            limit=ATTEMPTS,
            lease=scale.lease_left,
            **_collect(stack, scale),
        )
        verdict = audit(books)
        verdict.wrong += alarms(stack.logs)
        return Outcome(
            verdict=verdict,
            faults=storm.done,
            wire=_wire(stack),
            messages=len(messages),
            ticks=ticks.counts,
            seconds={
                "to start": up - began,
                "of faults": calm - up,
                "to settle": settled - calm,
            },
            logs=stack.logs,
        )


def _own_ends(effects: Sequence[Effect], scale: Scale) -> Iterator[Kill]:
    """A message past its time-out ends its process, and another call with it if there is one."""
    for effect in effects:
        if effect.overdue:
            ended = effect.started + scale.message_seconds + _END_SECONDS
            yield Kill(ended, frozenset({effect.pid}))


class _Ticks:
    """Calls poll each second, or as soon as the last call is over. The storm makes calls fail."""

    def __init__(self, stack: Stack) -> None:
        self.counts: Counter[str] = Counter()
        self._stack = stack
        self._stop = threading.Event()
        self._polled = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ticks", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(60)

    def wait(self, most: float) -> None:
        """Return when a poll was answered since the last call of this, or so many seconds on."""
        self._polled.wait(most)
        self._polled.clear()

    def _run(self) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                self._stack.poll()
                self.counts["ticks"] += 1
            except LocalStackError:
                self.counts["ticks that failed"] += 1
            self._polled.set()
            self._stop.wait(max(_BEAT_SECONDS, _TICK_SECONDS - (time.monotonic() - began)))


def _storm(stack: Stack, scale: Scale, messages: Sequence[Offer], ticks: _Ticks, say: Say) -> Storm:
    """Offer the messages bit by bit, while one fault follows the other."""
    names = ["poll", "poll_shard", *(name for name in stack.proxies if name.startswith("consume"))]
    blows = draw(scale, names)
    storm = Storm(stack, blows, time.monotonic, scale.tenant_names)
    waiting = _portions(scale, messages)
    start = time.monotonic()
    while waiting or not storm.over:
        storm.work()
        gone = time.monotonic() - start
        while waiting and waiting[0][0] <= gone:
            _offer(stack, waiting.pop(0)[1])
        stack.services.check()
        say(f"{gone:.0f} s of {scale.seconds:.0f}: {sum(storm.done.values())} faults")
        ticks.wait(_BEAT_SECONDS)
    stack.functions.start_missing()
    stack.functions.wait_ready()
    return storm


def _portions(scale: Scale, messages: Sequence[Offer]) -> list[tuple[float, list[Offer]]]:
    """When to offer what. What is offered twice comes again in a later portion."""
    dice = random.Random(f"portions {scale.seed}")
    most = max(1, int(scale.seconds * 0.9 * _PORTIONS_A_SECOND))
    portions: list[list[Offer]] = [[] for _ in range(most)]
    for message in messages:
        for number in sorted(dice.choices(range(most), k=message.times)):
            portions[number].append(message)
    return [(number / _PORTIONS_A_SECOND, its) for number, its in enumerate(portions) if its]


def _offer(stack: Stack, messages: Sequence[Offer]) -> None:
    for name in sorted({message.tenant for message in messages}):
        its = [message.wire() for message in messages if message.tenant == name]
        stack.simulator("POST", "/offer", {"tenant": name, "messages": its, "force": True})


def _settle(stack: Stack, scale: Scale, ticks: _Ticks, say: Say) -> None:
    """Wait until nothing is on its way any more; the books tell if it never was so."""
    began = time.monotonic()
    while (gone := time.monotonic() - began) < scale.patience:
        stack.services.check()
        stack.functions.check()
        waiting = sum(_waiting(stack, scale).values())
        live = 0 if waiting else sum(map(len, _unsettled(stack, scale).values()))
        if not waiting and not live:
            return
        say(f"calm for {gone:.0f} s: {waiting} messages at the broker, {live} on their way")
        ticks.wait(_LOOK_SECONDS)


def _waiting(stack: Stack, scale: Scale) -> dict[str, int]:
    queues = stack.simulator("GET", "/queues")
    return {name: queues[name]["waiting"] + queues[name]["leased"] for name in scale.tenant_names}


def _unsettled(stack: Stack, scale: Scale) -> dict[str, list[Json]]:
    return {
        name: [it for it in stack.firestore.documents(name, LIVE) if it["Situacao"] != State.DEAD]
        for name in scale.tenant_names
    }


def _collect(stack: Stack, scale: Scale) -> Json:
    names = scale.tenant_names
    return {
        "live": {name: stack.firestore.documents(name, LIVE) for name in names},
        "history": {name: stack.firestore.documents(name, HISTORY) for name in names},
        "sent": {name: stack.simulator("GET", f"/sent?tenant={name}") for name in names},
        "waiting": _waiting(stack, scale),
    }


def alarms(logs: Path) -> list[str]:
    """What a function's server said of a worker that it ended: none is to lose what it has kept."""
    said = (
        (log.name, line)
        for log in sorted(logs.glob("*.log"))
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
    )
    return [f"{name}: {line}" for name, line in said if "[CRITICAL]" in line]


def _wire(stack: Stack) -> dict[str, int]:
    stats = stack.simulator("GET", "/stats")
    queues = stack.simulator("GET", "/queues")
    counts: Counter[Mode] = Counter()
    for proxy in stack.proxies.values():
        counts.update(proxy.counts)
    return {
        "answers 429 and 503 of the broker": stats["errors"],
        "messages that the broker repeated": stats["duplicates"],
        "leases of the broker that ran out": sum(queue["expired"] for queue in queues.values()),
        "connections cut": counts[Mode.CUT],
        "answers lost with a reset": counts[Mode.LOSE],
        "answers truncated": counts[Mode.TRUNCATE],
        "transfers held back": counts[Mode.STALL],
        "transfers swallowed": counts[Mode.BLACKHOLE],
    }
