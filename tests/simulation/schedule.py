"""One schedule: drawn from a seed, run, let settle, and audited."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from hashlib import sha256
from random import Random

from smartlink.domain.hourly import HourFigures, hours_between
from smartlink.domain.identity import DERIVED, Direction, content_hash, document_id
from smartlink.domain.lifecycle import REPEAT
from smartlink.domain.message import DeadReason, Ending, Message, Past, State, Stored
from smartlink.services.polling.buckets import LOOK_EVERY
from tests.simulation.deployment import LARGE, Deployment, Rollout
from tests.simulation.due import TOGETHER
from tests.simulation.kernel import Fault, Incident, Kernel, Process, StuckError
from tests.simulation.ledger import BrokenError
from tests.simulation.operator import Operator
from tests.support.world import COMMAND, OTHER

_TICKS = 15
_TROUBLE = 60.0 * _TICKS  # seconds in which faults come
_SETTLING = 400  # ticks at most until all is quiet
_HALTED = 15  # ticks until an operator ends the halt of a name
_PATIENCE = 35  # ticks until two leases that began in trouble are over
_ROLLOUTS, _NAMES = 0.15, 0.15
"""Shares of the schedules in which releases overlap, or a name's credentials change."""
_TOGETHER = 0.7  # share of the schedules whose tenants are of one bucket
_OLDER = 0.3
"""Share of the schedules, of those without another rollout, in which a release that writes no
bucket runs beside one that does."""
_ORDERED = 0.4  # share of the schedules whose command is ordered
_REFUSALS = 0.3  # share of the schedules whose broker refuses messages
_PATHS = ("tenant", "/lane", "/other")
_BATCHES = 0.25  # of the schedules have consumers that take several messages at once
SECOND = "second"  # customer of a name
_LEASE = timedelta(seconds=570)
_OUTAGES = ("store", "store.commit", "store.swap", "contents", "pubsub", "effects")


@dataclass(slots=True)
class Verdict:
    """How a schedule ended."""

    seed: int
    broken: str | None
    calls: int
    calls_until_acked: int
    messages: int
    faults: Counter[Fault]
    plan: dict[int, Fault]
    trace: list[str] = field(repr=False)
    small: str = ""  # the scenario, of a small one


def plan_faults(seed: int) -> dict[int, Fault]:
    """Up to eight faults, of a few kinds, at early calls rather than late ones."""
    random = Random(f"faults {seed}")
    kinds = random.sample(list(Fault), random.randint(1, len(Fault)))
    number = random.choice((0, 1, 1, 2, 3, 5, 8))
    return {1 + int(random.random() ** 2 * 700): random.choice(kinds) for _ in range(number)}


def run_schedule(seed: int, plan: dict[int, Fault] | None = None, *, small: str = "") -> Verdict:
    """Runs the seed's schedule. `plan` replaces its faults. `small` is one tenant with two
    messages: `plain`, `repeats`, where the broker and Pub/Sub repeat them late, or `once`, where
    both have one effect.
    """
    plan = plan_faults(seed) if plan is None else plan
    random = Random(f"schedule {seed}")
    kernel = Kernel(random, plan)
    deployment = _deploy(kernel, seed, small=small)
    deployment.batches = not small and Random(f"batches {seed}").random() < _BATCHES
    broken: str | None = None
    try:
        _draw(deployment, seed, small=small)
        kernel.run(_TROUBLE)
        _settle(deployment)
        _audit(deployment)
    except (BrokenError, StuckError) as error:
        broken = str(error)
    return Verdict(
        seed,
        deployment.ledger.problem or broken,
        kernel.calls,
        max(deployment.store.last_ending, deployment.broker.last_ack) or kernel.calls,
        len(deployment.ledger.offered) + len(deployment.ledger.published),
        kernel.injected,
        plan,
        kernel.trace,
        small,
    )


def _deploy(kernel: Kernel, seed: int, *, small: str) -> Deployment:
    random = kernel.random
    together = Random(f"buckets {seed}").random() < _TOGETHER
    names = TOGETHER if together else ("acme", "globex", "initech")
    tenants = ("acme",) if small else names[: random.randint(1, 3)]
    variables = {
        "SMARTLINK_DUE_PAGE": str(random.choice((2, 3, 50))),
        "SMARTLINK_RECEIVE_BATCH": str(random.choice((2, 5, 100))),
        "SMARTLINK_DISPATCH_BATCH": str(random.choice((1, 2, 4, 100))),
        "SMARTLINK_DISPATCHES": str(random.choice((1, 2, 50))),
        "SMARTLINK_SHARD_TENANTS": str(random.choice((1, 2, 200))),
        "SMARTLINK_RECEIVERS": str(random.choice((1, 3))),
    }
    unknown = "hold" if small == "once" or (not small and random.random() < 0.3) else "retry"
    personal = not small and random.random() < 0.2
    own = Random(f"ordered {seed}")
    ordered = not small and own.random() < _ORDERED
    deployment = Deployment(
        kernel,
        tenants,
        {} if small else variables,
        unknown=unknown,
        personal=personal,
        ordered=own.choice(_PATHS) if ordered else None,
        when_dead=own.choice(("hold", "hold", "pass")) if ordered else "hold",
    )
    deployment.lanes = own
    deployment.configure(3 if small else random.randint(1, 5))
    return deployment


def _draw(deployment: Deployment, seed: int, *, small: str) -> None:
    """Puts everything that is to happen on the agenda."""
    kernel, random = deployment.kernel, deployment.kernel.random
    outside = Process("outside")
    for number in range(_TICKS):
        jitter = 0 if small else random.random() * 30
        kernel.spawn(outside, deployment.tick, 60 * number + jitter)
    if not small:
        deployment.duplicates = random.choice((0.0, 0.2, 0.8))
        deployment.backlog = random.choice((0.0, 1.0, 5.0, 400.0))
    for tenant in deployment.tenants:
        for number in range(2 if small else random.randint(0, 6)):
            steps = Random(f"steps {seed} {tenant} {number}")
            _draw_message(deployment, outside, tenant, f"m{number}", small=small, steps=steps)
        if small == "repeats":
            deployment.late = (130.0, 260.0, 520.0, 780.0)
        for number in range(0 if small else random.choice((0, 0, 1, 2))):
            content = f"{tenant} publishes {number}"
            if random.random() < 0.1:
                content += LARGE
            for _ in range(random.randint(1, 2)):
                kernel.spawn(
                    outside,
                    lambda t=tenant, n=number, c=content: deployment.ask_to_publish(t, f"p{n}", c),  # type: ignore[misc]
                    random.random() * _TROUBLE / 2,
                )
    if not small:
        _draw_nameless(deployment, outside)
        _draw_moods(deployment, outside)
        _draw_outages(kernel)
        _draw_edits(deployment, outside)
        _draw_operator(deployment)
        _draw_rollouts(deployment, outside, Random(f"rollouts {seed}"))
        _draw_names(deployment, outside, Random(f"names {seed}"))
        _draw_paths(deployment)
        _draw_buckets(deployment, outside, Random(f"buckets of {seed}"))
        picky = Random(f"refusals {seed}")
        deployment.broker.picky = picky if picky.random() < _REFUSALS else None


def _draw_message(
    deployment: Deployment,
    outside: Process,
    tenant: str,
    message_id: str,
    *,
    small: str,
    steps: Random,
) -> None:
    kernel, random = deployment.kernel, deployment.kernel.random
    does = (
        "ok"
        if small
        else random.choices(
            ("ok", "fail", "reject", "crash", "loop", "unwritable"), (16, 6, 2, 2, 2, 1)
        )[0]
    )
    content = {
        "tenant": tenant,
        "does": does,
        "times": random.randint(1, 4),
        "replies": 1 if small else random.randint(0, 2),
        "seconds": random.choice((0.0, 0.1, 5.0, 50.0)),
    }
    if small == "once" or (not small and random.random() < 0.4):
        content["once"] = "key" if small else f"key-{random.randint(0, 3)}"
    if not small and random.random() < 0.1:
        content["large"] = LARGE
    content |= _lanes(deployment)
    if not small and steps.random() < 0.25:  # a work that its consumer continues
        content["steps"] = steps.choice((2, 2, 3))
    offers = [content]
    if small == "repeats" or (not small and random.random() < 0.3):  # the broker repeats it
        offers.append(content)
    if not small and random.random() < 0.1:  # its sender uses the id again
        offers.append({**content, "does": "ok", "times": 99})
    for number, offered in enumerate(offers):
        text = json.dumps(offered, sort_keys=True)
        deployment.ledger.offered.add((tenant, message_id, text))
        at = 1.0 + 150 * number if small else random.random() * (240 if number == 0 else _TROUBLE)
        kernel.spawn(
            outside,
            lambda o=offered: deployment.offer(tenant, message_id, o),  # type: ignore[misc]
            at,
        )


def _lanes(deployment: Deployment) -> dict[str, object]:
    """What an ordered command is ordered by."""
    if deployment.ordered is None:
        return {}
    return {name: deployment.lanes.randint(1, 2) for name in ("lane", "other")}


def _draw_nameless(deployment: Deployment, outside: Process) -> None:
    """Messages without an id; the same content again, soon or after more than an hour."""
    kernel, random = deployment.kernel, deployment.kernel.random
    for tenant in deployment.tenants:
        for number in range(random.choice((0, 0, 1, 2))):
            content = {
                "tenant": tenant,
                "does": random.choice(("ok", "ok", "fail")),
                "times": 1,
                "replies": random.randint(0, 1),
                "seconds": random.choice((0.0, 5.0)),
                "nameless": number,
            } | _lanes(deployment)
            if random.random() < 0.1:
                content["large"] = LARGE
            deployment.ledger.nameless.add((tenant, json.dumps(content, sort_keys=True)))
            times = [random.random() * _TROUBLE for _ in range(random.choice((1, 2, 3)))]
            if random.random() < 0.05:
                times.append(_TROUBLE + 3_600 * (1 + random.random()))
            for at in times:
                kernel.spawn(
                    outside,
                    lambda t=tenant, c=content: deployment.offer(t, None, c),  # type: ignore[misc]
                    at,
                )


def _draw_rollouts(deployment: Deployment, outside: Process, random: Random) -> None:
    """Another catalogue, beside the first one and then alone, or only until it is rolled back: a
    command is added, removed, or held from now on."""
    if random.random() >= _ROLLOUTS:
        return
    first, second = random.choice(((), (OTHER,))), random.choice(((), (OTHER,)))
    unknown = random.choice(("retry", "hold"))
    deployment.release = deployment.released(deployment.unknown, first)
    begins, lasts = random.random() * _TROUBLE / 2, random.random() * _TROUBLE / 2
    rollouts = [Rollout(begins, begins + lasts, deployment.released(unknown, second))]
    if random.random() < 0.4:  # it is rolled back
        begins += lasts * random.choice((0.5, 1, 2))
        rollouts.append(Rollout(begins, begins + random.random() * 300, deployment.release))
    deployment.rollouts, deployment.draws = rollouts, random
    for tenant in deployment.tenants:
        for number in range(random.randint(1, 4)):
            content = _plain(tenant, random, number=number)
            text = json.dumps(content, sort_keys=True)
            deployment.ledger.offered.add((tenant, f"o{number}", text))
            offer = partial(deployment.offer, tenant, f"o{number}", content, OTHER)
            deployment.kernel.spawn(outside, offer, random.random() * _TROUBLE)


def _draw_paths(deployment: Deployment) -> None:
    """More messages of an ordered command, an operator who looks after the dead, and perhaps
    another path."""
    if deployment.ordered is None:
        return
    random, operator = deployment.lanes, Operator(deployment)
    for tenant in deployment.tenants:
        for number in range(random.choice((0, 0, 4, 12))):
            content = _plain(tenant, random, number=number) | _lanes(deployment)
            content["does"] = random.choice(("ok", "ok", "ok", "fail", "crash", "reject"))
            at = random.choice((5.0, random.random() * _TROUBLE))
            _offer(deployment, Process("outside"), f"q{number}", content, at)
        for _ in range(random.choice((0, 1, 2))):
            act = random.choice((operator.redrive, operator.discard))
            operator.at(random.random() * _TROUBLE, partial(act, tenant))
    if deployment.rollouts or random.random() < 0.5:
        return
    begins, lasts = random.random() * _TROUBLE / 2, random.random() * _TROUBLE / 2
    paths = [it for it in _PATHS if it != deployment.ordered]
    other = deployment.released(deployment.unknown, ordered=random.choice(paths))
    rollouts = [Rollout(begins, begins + lasts, other)]
    if random.random() < 0.3:  # it is rolled back
        begins += lasts * random.choice((0.5, 1, 2))
        rollouts.append(Rollout(begins, begins + random.random() * 300, deployment.release))
    deployment.rollouts, deployment.draws = rollouts, random


def _plain(tenant: str, random: Random, **more: object) -> dict[str, object]:
    """A message that does little."""
    return {
        "tenant": tenant,
        "does": random.choice(("ok", "ok", "fail", "crash")),
        "times": 1,
        "replies": random.randint(0, 1),
        "seconds": random.choice((0.0, 5.0)),
        **more,
    }


def _draw_names(deployment: Deployment, outside: Process, random: Random) -> None:
    """A name's credentials change: they are its customer's still, or another one's.

    Those are taken back, or adopted, where the name is halted and does not pass by itself.
    """
    if random.random() >= _NAMES:
        return
    broker, operator = deployment.broker, Operator(deployment)
    tenant = random.choice(deployment.tenants)
    by_rac, by_secret = random.choice(((True, True), (True, False), (False, True), (False, False)))
    rotated = (by_rac or by_secret) and random.random() < 0.3
    ids = {"id": "t-first", "next": "t-first" if rotated else "t-second"}
    first, second = ({"clientId": client, "tenantId": ids[client]} for client in ids)
    if not by_secret:
        first, second = {"clientId": "id"}, {"clientId": "next"}
    if by_rac:
        broker.tenant_ids.update(ids)
    deployment.credentials[tenant] = first
    deployment.secrets.put(tenant, deployment.payload(tenant))
    changes = random.random() * _TROUBLE * random.choice((0.2, 1, 1, 8))
    operator.at(changes, partial(operator.give, tenant, second))
    if rotated:
        deployment.store.rotated.add(tenant)
        return
    broker.customers["next"] = SECOND
    deployment.resolve = (
        partial(operator.adopt, tenant)
        if random.random() < 0.5
        else partial(operator.give_back, tenant, (first, second))
    )
    if random.random() < 0.7:  # nothing of the first one is to live
        operator.at(max(changes - 30, 0), partial(operator.discard, tenant))
    if random.random() < 0.5:
        operator.at(changes + random.random() * _TROUBLE, deployment.resolve)
    for number in range(random.randint(1, 3)):
        content = _plain(tenant, random, customer=SECOND, number=number)
        deployment.store.owners[content_hash(json.dumps(content, sort_keys=True))] = SECOND
        _offer(deployment, outside, f"n{number}", content, changes + random.random() * 450)
    for number in range(random.randint(0, 4)):  # the first one's queue goes on
        content = _plain(tenant, random, number=number)
        _offer(deployment, outside, f"f{number}", content, changes + random.random() * 240)
    deployment.by_hand = random.random() < 0.3


def _offer(
    deployment: Deployment, outside: Process, message_id: str, content: dict[str, object], at: float
) -> None:
    tenant = str(content["tenant"])
    deployment.ledger.offered.add((tenant, message_id, json.dumps(content, sort_keys=True)))
    deployment.kernel.spawn(outside, partial(deployment.offer, tenant, message_id, content), at)


def _draw_outages(kernel: Kernel) -> None:
    """What does not answer for a while: a transient refusal that lasts."""
    random = kernel.random
    for _ in range(random.choice((0, 0, 0, 1, 2))):
        calls = random.choice(_OUTAGES)
        begins = random.random() * _TROUBLE
        kernel.outages.append((calls, begins, begins + random.choice((0.1, 1.0, 30.0, 200.0))))


def _draw_buckets(deployment: Deployment, outside: Process, random: Random) -> None:
    """A release that writes no bucket beside one that does; and somebody who takes it away."""
    store = deployment.store

    def stray(tenant: str) -> None:
        its = store.live(tenant).values()  # of what runs, an edit would break the claim
        still = [it.message.document for it in its if it.message.state is not State.RUNNING]
        document = random.choice(sorted(still) or [""])
        if document:
            deployment.kernel.say(f"{tenant}/{document} HAS NO BUCKET ANY MORE")
            store.stray(tenant, document)

    for _ in range(random.choice((0, 0, 0, 1, 2))):
        work = partial(stray, random.choice(deployment.tenants))
        deployment.kernel.spawn(outside, work, random.random() * _TROUBLE)
    if deployment.rollouts or random.random() >= _OLDER:
        return
    newer = deployment.release
    deployment.release = deployment.released(deployment.unknown, older=True)
    begins, lasts = random.random() * _TROUBLE / 2, random.random() * _TROUBLE / 2
    rollouts = [Rollout(begins, begins + lasts, newer)]
    if random.random() < 0.4:  # it is rolled back, and deployed again
        begins += lasts * random.choice((0.5, 1, 2))
        rollouts.append(Rollout(begins, begins + random.random() * 300, deployment.release))
        again = begins + 300 + random.random() * 300
        rollouts.append(Rollout(again, again + random.random() * 100, newer))
    deployment.rollouts, deployment.draws = rollouts, random


def _draw_edits(deployment: Deployment, outside: Process) -> None:
    """Somebody edits documents in the console, or another version wrote them: nobody can read
    them."""
    kernel, random, store = deployment.kernel, deployment.kernel.random, deployment.store

    def spoil(tenant: str) -> None:
        document = random.choice(sorted(store.live(tenant)) or [""])
        if document:
            kernel.say(f"{tenant}/{document} CANNOT BE READ ANY MORE")
            store.make_unreadable(tenant, document, legible=random.random() < 0.5)

    def spoil_history(tenant: str) -> None:
        document = random.choice(sorted(store.ended(tenant)) or [""])
        if document:
            kernel.say(f"of the history {tenant}/{document} CANNOT BE READ ANY MORE")
            store.break_history(tenant, document, left=Past(None, None, None))

    for _ in range(random.choice((0, 0, 0, 0, 0, 1, 2))):
        deployment.edited = True
        edit = random.choice((spoil, spoil_history))
        tenant = random.choice(deployment.tenants)
        kernel.spawn(outside, partial(edit, tenant), random.random() * _TROUBLE)


def _draw_operator(deployment: Deployment) -> None:
    """Somebody who redrives, discards, disables and enables meanwhile."""
    random, operator = deployment.kernel.random, Operator(deployment)
    for _ in range(random.choice((0, 0, 0, 1, 3))):
        tenant = random.choice(deployment.tenants)
        act = random.choice((operator.redrive, operator.redrive, operator.discard))
        operator.at(random.random() * _TROUBLE, partial(act, tenant))
    if random.random() < 0.1:
        tenant = random.choice(deployment.tenants)
        begins = random.random() * _TROUBLE
        ends = begins + random.random() * _TROUBLE / 2
        operator.at(begins, partial(operator.switch, tenant, enabled=False))
        operator.at(ends, partial(operator.switch, tenant, enabled=True))


def _draw_moods(deployment: Deployment, outside: Process) -> None:
    """Outages, new configurations, expired leases of the broker, jumps of the clock."""
    kernel, random, broker = deployment.kernel, deployment.kernel.random, deployment.broker

    def at(when: float, work: object) -> None:
        kernel.spawn(outside, work, when)  # type: ignore[arg-type]

    for _ in range(random.choice((0, 0, 1, 3))):
        tenant = random.choice(deployment.tenants)
        mood = random.choice((broker.down, broker.refusing))
        begins = random.random() * _TROUBLE
        at(begins, lambda m=mood, t=tenant: m.add(t))
        at(begins + random.random() * _TROUBLE / 2, lambda m=mood, t=tenant: m.discard(t))
    for _ in range(random.choice((0, 1, 2))):
        limit = random.randint(1, 5)
        at(random.random() * _TROUBLE, lambda n=limit: deployment.configure(n))
    if random.random() < 0.2:
        at(random.random() * _TROUBLE / 2, deployment.break_configuration)
        at(_TROUBLE - 1, lambda: deployment.configure(random.randint(1, 5)))
    for _ in range(random.choice((0, 1, 4))):
        at(random.random() * _TROUBLE, broker.release)
    if random.random() < 0.15:
        at(random.random() * _TROUBLE, lambda: _jump(deployment))


def _jump(deployment: Deployment) -> None:
    """The machine slept for an hour: every lease has run out."""
    kernel = deployment.kernel
    kernel.say("THE CLOCK JUMPS by an hour")
    kernel.now += 3_600
    for process in deployment.running():
        process.incidents.append(Incident(ended=kernel.now, slow=True))


def _settle(deployment: Deployment) -> None:
    """No more faults: all must end by itself."""
    kernel, broker = deployment.kernel, deployment.broker
    kernel.faults, kernel.outages = {}, []
    for tenant in deployment.tenants:
        Operator(deployment).switch(tenant, enabled=True)
    broker.down.clear()
    broker.refusing.clear()
    broker.picky = None
    broker.release()
    deployment.duplicates = 0.0
    deployment.backlog = min(deployment.backlog, 5.0)
    kernel.say("FAULTS END")
    deployment.store.faults_end = kernel.clock()
    looked_after = deployment.ordered is None
    for number in range(_SETTLING):
        if kernel.idle and _quiet(deployment):
            if looked_after:
                return
            looked_after = True  # what the dead ones held back goes on when they are gone
            _discard_all(deployment)
            continue
        deployment.store.calm = number > 2 and not deployment.given_up and not deployment.given
        if number and number % _HALTED == 0:
            _resolve(deployment)
        if number > _PATIENCE:
            _check_overdue(deployment)
        deployment.tick()
        kernel.run(kernel.now + 60)
        if kernel.idle:
            _skip(deployment)
    live = {
        (tenant, it.message.document, it.message.state, str(it.message.due))
        for tenant in deployment.tenants
        for it in _moving(deployment, tenant)
    }
    message = f"not settled after {_SETTLING} ticks: {sorted(live)}"
    raise BrokenError(message)


def _discard_all(deployment: Deployment) -> None:
    for tenant in deployment.tenants:
        deployment.store.freed.clear()
        Operator(deployment).at(1.0, partial(Operator(deployment).discard, tenant))
    deployment.kernel.run(deployment.kernel.now + 30)


def _resolve(deployment: Deployment) -> None:
    """A halted name has its messages until somebody acts."""
    halted = [it for it in deployment.store.states(deployment.tenants).values() if it.halted]
    if halted and deployment.resolve is not None:
        deployment.resolve()


def _skip(deployment: Deployment) -> None:
    """Nothing sleeps: on to the next message that becomes due."""
    kernel = deployment.kernel
    dues = [
        it.message.due
        for tenant in deployment.tenants
        for it in _moving(deployment, tenant)
        if it.message.due is not None
    ]
    if dues and not any(_waiting(deployment, tenant) for tenant in deployment.tenants):
        kernel.now = max(kernel.now, (min(dues) - kernel.clock()).total_seconds() + kernel.now - 60)


def _quiet(deployment: Deployment) -> bool:
    return not any(
        _waiting(deployment, tenant) or _moving(deployment, tenant) for tenant in deployment.tenants
    )


def _waiting(deployment: Deployment, tenant: str) -> bool:
    """Whether the broker has anything for whose the name is now."""
    customer = deployment.customer(tenant)
    return bool(deployment.broker.waiting_for(tenant, customer))


def _moving(deployment: Deployment, tenant: str) -> list[Stored]:
    """What the relay has to bring to an end: the dead, and what nobody can read, wait for a
    person."""
    store = deployment.store
    odd = deployment.unreadable(tenant) | store.held_back(tenant)
    return [
        it
        for it in store.live(tenant).values()
        if it.message.state is not State.DEAD and it.message.document not in odd
    ]


def _check_overdue(deployment: Deployment) -> None:
    now = deployment.kernel.clock()
    for tenant in deployment.tenants:
        for stored in _moving(deployment, tenant):
            due = stored.message.due
            delayed = {name for owner, name in deployment.store.delayed if owner == tenant}
            astray = stored.message.document in delayed
            astray |= stored.message.order is not None and bool(delayed)  # behind such a one
            # Ticks that drift here may pass over a tenant's own minute once.
            most = 2 * _LEASE + astray * 2 * timedelta(minutes=LOOK_EVERY)
            if due is not None and now - max(due, deployment.given.get(tenant, due)) > most:
                message = f"{(tenant, stored.message.document)} is overdue since {due}, now {now}"
                raise BrokenError(message)


def _audit(deployment: Deployment) -> None:
    """The ledger: nothing lost, nothing doubled, nothing mixed up."""
    ledger = deployment.ledger
    kept: set[tuple[str, str, str]] = set()
    for tenant in deployment.tenants:
        for message in deployment.messages_of(tenant):
            kept.add((tenant, message.id, message.content.sha256))
            _audit_attempts(deployment, tenant, message)
    waits = {
        (tenant, it.id, it.content)
        for tenant in deployment.tenants
        for customer in {"", SECOND} - {deployment.customer(tenant)}
        for it in deployment.broker.waiting_for(tenant, customer)
    }
    for tenant, message_id, content in ledger.offered - waits:
        if (tenant, message_id, content_hash(content)) not in kept:
            ledger.broken(f"{tenant}/{message_id} is LOST: neither live nor ended")
    _audit_steps(deployment)
    contents = {(tenant, content) for tenant, _, content in kept}
    for tenant, content in ledger.nameless - {(tenant, content) for tenant, _, content in waits}:
        if (tenant, content_hash(content)) not in contents:
            ledger.broken(f"{tenant}: {content[:200]} is LOST: neither live nor ended")
    for key, runs in ledger.completed.items():
        excused, redriven = deployment.claims.excused[key], ledger.redriven[key]
        if runs > 1 + excused + redriven:
            ledger.broken(
                f"{key} ran to its end {runs} times, {excused} excused, {redriven} redriven"
            )
    _audit_nameless(deployment)
    _audit_contents(deployment)
    _audit_effects(deployment)
    _audit_sent(deployment)
    _audit_hours(deployment)


def _audit_hours(deployment: Deployment) -> None:
    """What the polls keep of an hour is what happened in it, whoever counted it and when."""
    if deployment.kernel.injected[Fault.SLOW_BEFORE] + deployment.kernel.injected[Fault.SLOW_AFTER]:
        return  # what was held up for longer than every lease may end in an hour that was counted
    store = deployment.store
    for tenant in deployment.tenants:
        counted, kept = store.states([tenant])[tenant].counted, store.hours(tenant)
        for at in hours_between(deployment.kernel.at(0), counted or deployment.kernel.at(0)):
            happened = store.count_hour(tenant, at)
            if kept.get(at, HourFigures(at)) != happened:
                ledger = deployment.ledger
                ledger.broken(f"of {tenant} {kept.get(at)} is kept, but it was {happened}")


def _audit_steps(deployment: Deployment) -> None:
    """A step is there if and only if the message that it continues was executed to its end."""
    ledger = deployment.ledger
    for tenant in deployment.tenants:
        there = {*deployment.store.live(tenant), *deployment.store.ended(tenant)}
        steps = {document for owner, document in ledger.steps if owner == tenant}
        for document in steps - there:
            ledger.broken(f"the step {(tenant, document)} is LOST: neither live nor ended")
        for message in deployment.messages_of(tenant):
            if message.step is not None and message.document not in steps:
                ledger.broken(f"the step {(tenant, message.document)} came without its predecessor")


def _audit_attempts(deployment: Deployment, tenant: str, message: Message) -> None:
    """An attempt is spent by what the message did, by a crash alone, or by its good end."""
    ledger, key = deployment.ledger, (tenant, message.document)
    spent = ledger.failures[key] + ledger.lone_crashes[key] + 1
    if message.direction is Direction.DOWNSTREAM and message.attempt > spent:
        ledger.broken(f"{key} made {message.attempt} attempts, but at most {spent} are its own")


def _audit_nameless(deployment: Deployment) -> None:
    """The same content without an id, twice within an hour, is one message. What nobody can read
    is not recognised; and what is kept dead beside another one was recognised."""
    for tenant in deployment.tenants:
        odd = deployment.unreadable(tenant)
        last: dict[str, datetime] = {}
        for message in sorted(deployment.messages_of(tenant), key=lambda it: it.received):
            own = document_id(Direction.DOWNSTREAM, message.id) == message.document
            if not message.id.startswith(DERIVED) or not own or message.document in odd:
                continue
            before = last.get(message.content.sha256)
            if before is not None and message.received - before < REPEAT:
                deployment.ledger.broken(
                    f"{(tenant, message.document)} came {message.received - before} after the "
                    f"same content, and was taken for another message"
                )
            last[message.content.sha256] = message.received


def _audit_contents(deployment: Deployment) -> None:
    """What is live has its content for as long as it lives; what has ended has let go of it."""
    ledger, bucket = deployment.ledger, deployment.contents
    needed: set[str | None] = set()
    for tenant in deployment.tenants:
        ended = deployment.store.ended(tenant)
        for stored in deployment.store.live(tenant).values():
            name = stored.message.content.object
            needed.add(name)
            done = ended.get(stored.message.document)
            if done and done.message.content.sha256 == stored.message.content.sha256:
                continue  # a repeat, whatever made it stay: nobody will ask for its content
            if name is not None and (name not in bucket.objects or name in bucket.expired):
                ledger.broken(f"{(tenant, stored.message.document)} lives without its content")
    for key, kept in ledger.kept.items():
        there = kept.name in bucket.objects
        wrong = there if kept.personal else not there or kept.name not in bucket.expired
        excused = kept.excused or bucket.left_by_the_dead(kept.name, kept.call)
        if wrong and not excused and kept.name not in needed:
            ledger.broken(f"{key} has ended, and its content was not released")


def _audit_effects(deployment: Deployment) -> None:
    """Held outcomes repeat nothing; and what ended had its effect."""
    ledger = deployment.ledger
    held = all(release.hold(COMMAND) for release in deployment.releases)
    for key, times in ledger.effects.items():
        if held and times > 1 + sum(ledger.redriven.values()):
            ledger.broken(f"the effect {key} was done {times} times, and not by an operator")
    for tenant in deployment.tenants:
        for ended in deployment.store.ended(tenant).values():
            if ended.ending is Ending.DISCARDED:
                continue
            text = ended.message.content.text or ""
            wanted = json.loads(text).get("once") if text.startswith("{") else None
            if wanted and not ledger.effects[tenant, wanted]:
                ledger.broken(f"{(tenant, ended.message.document)} ended without its effect")


def _audit_sent(deployment: Deployment) -> None:
    """All that is to be sent is, and nothing else; what nobody can read waits for a person."""
    ledger = deployment.ledger
    sent = {(it.tenant, sha256(it.content).hexdigest()) for it in deployment.broker.sent}
    replies = {(tenant, content) for (tenant, _), content in ledger.replies.items()}
    waiting = {
        (tenant, deployment.store.live(tenant)[document].message.content.sha256)
        for tenant in deployment.tenants
        for document in deployment.unreadable(tenant) | deployment.store.held_back(tenant)
    }
    for tenant in deployment.tenants:
        for stored in deployment.store.live(tenant).values():
            message, content = stored.message, stored.message.content.sha256
            lost = deployment.claims.lost(tenant, content)
            if message.dead_reason is DeadReason.EXHAUSTED and message.attempt <= lost:
                waiting.add((tenant, content))
    for (tenant, document), content in ledger.replies.items():
        if (tenant, content) not in sent | waiting:
            ledger.broken(f"the reply {tenant}/{document} was never sent")
    for tenant, content in sent - replies - ledger.asked:
        ledger.broken(f"{tenant} sent what it never had to: {content}")
    for tenant, content in ledger.published - sent - waiting:
        ledger.broken(f"{tenant} published {content}: accepted, never sent")
