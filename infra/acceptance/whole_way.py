"""Probes of the whole way: what became of the hundred messages of `make accept`."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Any

from infra.acceptance.errors import UnansweredError
from infra.acceptance.flow.kinds import (
    DONE,
    KINDS,
    PUBLISHED,
    REPEATED,
    REUSED,
    Kind,
)
from infra.acceptance.flow.observed import Observed
from infra.acceptance.place import Place
from infra.acceptance.probe import Probe, need, probe
from infra.deploy import costs
from smartlink.domain.message import DeadReason

_WAY = "The whole way: Scheduler, poll, Firestore, Pub/Sub, consume, the outbox."
_FREEZES_AFTER = 300  # seconds without a call: the CPU is taken long before
_NO_FREEZE = "no CPU is taken from the local functions between calls"
_MINUTE = timedelta(minutes=1)
_SLOWEST = 120.0  # seconds from a tick to the last message that it settled
_COLD = 15.0  # seconds in which an instance must have started
_NOT_FOUND = 404


def _flow(place: Place) -> Observed:
    """Return what was seen. Raises UnansweredError if no message was sent."""
    if place.flow is None:
        message = "no messages were sent: `make accept ENV=development` does it"
        raise UnansweredError(message)
    return place.flow


def _seen(place: Place, kind: str) -> Observed:
    """Return what was seen if this kind was sent."""
    flow = _flow(place)
    if not flow.of(kind):
        message = f"it was not sent: {flow.trouble or 'the run ended before'}"
        raise UnansweredError(message)
    return flow


@probe(
    "flow-completed",
    assumes="A simulator can be put up, a tenant activated, a hundred messages sent through the "
    "deployment, and all of it taken away again.",
    relied=_WAY,
    expected="the run came to its end",
)
def completed(place: Place) -> str:
    """Tell where the run broke off."""
    flow = _flow(place)
    need(f"it broke off: {flow.trouble}", holds=flow.done)
    return f"{len(flow.offered) + flow.published.total()} messages in {flow.minutes:.0f} minutes"


@probe(
    "flow-strangers",
    assumes="A function that allUsers may invoke hands each request on unchanged, and ours answers "
    "404 to whoever lacks the run's key.",
    relied="Nobody else can use the simulator, or find out that it is one "
    "(infra/simulator/function.py).",
    expected="404 on every path",
)
def strangers(place: Place) -> str:
    """Look at what was answered without the key."""
    flow = _flow(place)
    if not flow.strangers:
        message = f"nobody knocked: {flow.trouble}"
        raise UnansweredError(message)
    others = {path: it for path, it in flow.strangers.items() if it != _NOT_FOUND}
    need(", ".join(f"{path} {it}" for path, it in others.items()), holds=not others)
    return f"404 to {len(flow.strangers)} knocks"


def _of_kind(kind: Kind) -> Probe:
    answered = kind.count if kind.ends == DONE else 0

    @probe(
        f"flow-{kind.name}",
        assumes=f"{kind.what[0].upper()}{kind.what[1:]} end as {kind.ends}"
        f"{', each with one answer' if answered else ', without an answer'}.",
        relied=kind.relied,
        expected=f"{kind.count} {kind.ends}, {answered} answers",
    )
    def asked(place: Place) -> str:
        flow = _seen(place, kind.name)
        outcomes = Counter(text for it in flow.of(kind.name) for text in flow.outcomes(it))
        answers = sum(flow.answers[it.request] for it in flow.of(kind.name))
        seen = f"{_counted(outcomes)}, {answers} answers"
        need(seen, holds=outcomes == {kind.ends: kind.count} and answers == answered)
        return seen

    return asked


def _counted(outcomes: Counter[str]) -> str:
    return ", ".join(f"{number} {text}" for text, number in sorted(outcomes.items()))


@probe(
    "flow-retried",
    assumes="The sweep dispatches a message again when its retry is due, after the wait of RM's "
    "formula.",
    relied="Due times in Firestore instead of Cloud Tasks (domain/retry.py).",
    expected="two attempts each, the first failed",
)
def retried(place: Place) -> str:
    """Look at the attempts of those whose first one failed."""
    attempts = _seen(place, "retry").attempts("retry")
    seen = Counter("/".join(str(it.result) for it in each) for each in attempts)
    enough = len(attempts) == len(_seen(place, "retry").of("retry"))
    need(f"{_counted(seen) or 'none ended'}", holds=enough and {len(it) for it in attempts} == {2})
    return _counted(seen)


@probe(
    "flow-derived",
    assumes="Messages without an id are stored once each, under an id of their content.",
    relied="A repeat of them is known for an hour (domain/identity.py).",
    expected="as many documents as messages",
)
def derived(place: Place) -> str:
    """Count the documents whose id was derived."""
    flow = _seen(place, "nameless")
    sent = len(flow.of("nameless")) + len(flow.of("zeros"))
    need(f"{flow.derived} of {sent}", holds=flow.derived == sent)
    return f"{sent} documents"


@probe(
    "flow-repeated",
    assumes="A message that comes again with the same id and content is not executed again.",
    relied="Invariant 3: create, read the history, ack, dispatch (services/repeats.py).",
    expected=f"{REPEATED} done once, with one answer each",
)
def repeated(place: Place) -> str:
    """Count documents and answers of those that were offered twice."""
    flow = _seen(place, "repeat")
    again = flow.of("repeat")
    outcomes = Counter("/".join(flow.outcomes(it)) for it in again)
    answers = sum(flow.answers[it.request] for it in again)
    seen = f"{_counted(outcomes)}, {answers} answers"
    need(seen, holds=outcomes == {DONE: REPEATED} and answers == REPEATED)
    return seen


@probe(
    "flow-reused",
    assumes="The same id with another content is kept as dead, beside what was done.",
    relied="Invariant 3: an id that somebody reuses hides no message (services/repeats.py).",
    expected=f"{REUSED} done, {REUSED} dead as {DeadReason.ID_REUSED}",
)
def reused(place: Place) -> str:
    """Look at both documents of each id."""
    flow = _seen(place, "reused")
    outcomes = Counter(text for it in flow.of("reused") for text in flow.outcomes(it))
    need(_counted(outcomes), holds=outcomes == {DONE: REUSED, str(DeadReason.ID_REUSED): REUSED})
    return _counted(outcomes)


@probe(
    "flow-published",
    assumes="What is published by the function `publish` reaches Smart Link once, with its type "
    "and audience.",
    relied="Segments' own code publishes so (services/publishing/publish.py).",
    expected=f"{PUBLISHED} accepted and sent",
)
def published(place: Place) -> str:
    """Compare what was accepted with what the simulator received."""
    flow = _flow(place)
    if flow.unpublished:
        raise UnansweredError(flow.unpublished)
    if not flow.published:
        message = f"nothing was published: {flow.trouble}"
        raise UnansweredError(message)
    own = [it for it in flow.sent if it.get("audience") == "ACCEPTANCE"]
    kinds = {str(it.get("type")) for it in own}
    seen = f"answered {dict(flow.published)}, {len(own)} sent as {', '.join(kinds) or 'nothing'}"
    right = flow.published == {200: PUBLISHED} and len(own) == PUBLISHED
    need(seen, holds=right and kinds == {"SmartlinkAcceptanceEvent"})
    return seen


@probe(
    "flow-personal",
    assumes="Of a message that is marked personal the history keeps the hash and the size.",
    relied="No content outlives its message (domain/settlement.py).",
    expected="hash and size",
)
def personal(place: Place) -> str:
    """Read one record of the history."""
    flow = _seen(place, "plain")
    need(flow.kept or "no record was read", holds=flow.kept.startswith("hash and size"))
    return flow.kept


@probe(
    "flow-acked",
    assumes="Every message leaves the broker, acked in the session that received it.",
    relied="Nothing comes again for ever; a delivery tag belongs to its session "
    "(adapters/http/smart_link.py: cookies).",
    expected="the queue is empty, and no lease expired",
)
def acked(place: Place) -> str:
    """Look at the broker's queue at the end."""
    flow = _seen(place, "plain")
    queue = flow.queue
    seen = ", ".join(f"{queue[it]} {it}" for it in ("waiting", "leased", "acked", "expired"))
    came = len(flow.offered)
    empty = not (queue["waiting"] or queue["leased"] or queue["expired"])
    need(f"{seen} of {came}", holds=empty and queue["acked"] == came)
    return seen


@probe(
    "flow-readable",
    assumes="Every document of the run can be read as it was written.",
    relied="Reading is tolerant, writing is strict (adapters/firestore/documents.py).",
    expected="none unreadable",
)
def readable(place: Place) -> str:
    """Count the documents that could not be read."""
    flow = _seen(place, "plain")
    need(f"{flow.unreadable} unreadable", holds=not flow.unreadable)
    return f"{len(flow.ended) + len(flow.live)} documents read"


@probe(
    "flow-alone",
    assumes="While an acceptance is on, its tenant alone is led to the simulator.",
    relied="No other tenant's credentials leave for a simulator (adapters/http/routed.py).",
    expected="calls of one tenant, and no refused credentials",
)
def alone(place: Place) -> str:
    """Look at who called the simulator, as it counted."""
    flow = _flow(place)
    if not flow.stats:
        message = f"its counts were not read: {flow.trouble}"
        raise UnansweredError(message)
    tenants = sorted(flow.stats["tenants"])
    seen = f"called by {', '.join(tenants)}; {flow.stats['unauthorized']} unauthorized"
    need(seen, holds=len(tenants) == 1 and not flow.stats["unauthorized"])
    return seen


@probe(
    "flow-latency",
    assumes="A message is settled within a minute or two of the tick that fetched it.",
    relied="What users are told (tests/README.md); a poll has 50 s (settings.py: poll_seconds).",
    expected=f"the slowest within {_SLOWEST:.0f} s",
)
def latency(place: Place) -> str:
    """Take the times that the history holds; Scheduler's ticks begin with the minute."""
    flow = _seen(place, "plain")
    first = [it for it in flow.downstream if len(it.message.attempts) == 1]
    if not first:
        need("no message was done at its first attempt", holds=False)
    stored = sorted((it.ended - it.message.received).total_seconds() for it in first)
    seen = f"stored to settled: median {median(stored):.1f} s, slowest {stored[-1]:.1f} s"
    slowest = stored[-1]
    if not place.local:  # the local ticks are not Scheduler's
        ticks = sorted((it.ended - _tick(it.message.received)).total_seconds() for it in first)
        seen += f"; tick to settled: median {median(ticks):.1f} s, slowest {ticks[-1]:.1f} s"
        slowest = ticks[-1]
    need(seen, holds=slowest <= _SLOWEST)
    return seen


def _tick(moment: datetime) -> datetime:
    return moment.replace(second=0, microsecond=0)


@probe(
    "flow-cold-start",
    assumes="A new instance of a function has started within seconds.",
    relied="A poll's minute, and the first message after a quiet hour (loading.py).",
    expected=f"on average within {_COLD:.0f} s, each function",
    cloud_only="the local functions are started once, and not by Cloud Run",
)
def cold_start(place: Place) -> str:
    """Read Cloud Run's own measure of the instances that started during the run."""
    began = (_flow(place).began or datetime.now(UTC)) - _MINUTE
    query = {
        "filter": 'metric.type="run.googleapis.com/container/startup_latencies" AND '
        'resource.labels.service_name=starts_with("smartlink-")',
        "interval.startTime": f"{began:%Y-%m-%dT%H:%M:%SZ}",
        "interval.endTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    path = f"/v3/projects/{place.settings.project}/timeSeries"
    series = place.listed("monitoring", path, "timeSeries", **query)
    means = {
        it["resource"]["labels"]["service_name"]: max(map(_mean, it["points"])) for it in series
    }
    if not means:
        message = "Cloud Monitoring shows no start of an instance (yet)"
        raise UnansweredError(message)
    seen = ", ".join(f"{name} {mean:.1f} s" for name, mean in sorted(means.items()))
    need(seen, holds=max(means.values()) <= _COLD)
    return seen


def _mean(point: Any) -> float:  # noqa: ANN401  (JSON)
    return float(point["value"]["distributionValue"]["mean"]) / 1_000


@probe(
    "flow-freeze",
    assumes="An instance that got no CPU for minutes works at its next call: its connections are "
    "alive, or made anew.",
    relied="Every quiet tenant (adapters/firestore/calls.py: keepalive).",
    expected=f"after {_FREEZES_AFTER} s or more, each done at its first attempt and dispatch",
    cloud_only=_NO_FREEZE,
)
def freeze(place: Place) -> str:
    """Look at the messages that were sent after the wait for the retries."""
    flow = _seen(place, "thaw")
    if flow.gap < _FREEZES_AFTER:
        message = f"the functions were quiet for {flow.gap:.0f} s only"
        raise UnansweredError(message)
    ids = {it.id for it in flow.of("thaw")}
    done = [it.message for it in flow.downstream if it.message.id in ids]
    again = sum(len(it.attempts) > 1 or it.dispatches > 0 for it in done)
    seen = f"{len(done)} of {len(ids)} done after {flow.gap:.0f} s, {again} of them not at once"
    need(seen, holds=len(done) == len(ids) and not again)
    return seen


@probe(
    "flow-cost",
    assumes="A run costs cents: its operations at the prices of terraform/prices.json.",
    relied="terraform/README.md: what it costs.",
    expected="less than US$ 0.10 (builds of functions are not counted)",
)
def cost(place: Place) -> str:
    """Multiply what was counted by the prices."""
    flow = _seen(place, "plain")
    messages, answers = len(flow.offered), len(flow.upstream)
    items = list(costs.acceptance(costs.read(), messages, answers, flow.minutes))
    total = sum(it.cost for it in items)
    dearest = max(items, key=lambda it: it.cost)
    seen = f"US$ {total:.4f} for {messages} messages and {answers} answers"
    need(seen, holds=total < 0.1)  # noqa: PLR2004
    return f"{seen}, most of it {dearest.name}"


PROBES = (
    completed,
    strangers,
    *map(_of_kind, KINDS),
    retried,
    derived,
    repeated,
    reused,
    published,
    personal,
    acked,
    readable,
    alone,
    latency,
    cold_start,
    freeze,
    cost,
)
