"""One schedule: drawn from a seed, run, let settle, and audited."""

import json
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random

from smartlink.domain.identity import Direction, content_hash
from smartlink.domain.message import State
from tests.simulation.deployment import Deployment
from tests.simulation.kernel import Fault, Incident, Kernel, Process, StuckError
from tests.simulation.ledger import BrokenError

_TICKS = 15
_TROUBLE = 60.0 * _TICKS  # seconds in which faults come
_SETTLING = 400  # ticks at most until all is quiet
_PATIENCE = 35  # ticks until two leases that began in trouble are over
_LEASE = timedelta(seconds=570)


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
    deployment = _deploy(kernel, small=small)
    broken: str | None = None
    try:
        _draw(deployment, small=small)
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
    )


def _deploy(kernel: Kernel, *, small: str) -> Deployment:
    random = kernel.random
    tenants = ("acme",) if small else ("acme", "globex", "initech")[: random.randint(1, 3)]
    variables = {
        "SMARTLINK_DUE_PAGE": str(random.choice((2, 3, 50))),
        "SMARTLINK_RECEIVE_BATCH": str(random.choice((2, 5, 100))),
        "SMARTLINK_DISPATCH_BATCH": str(random.choice((1, 2, 4, 100))),
        "SMARTLINK_DISPATCHES": str(random.choice((1, 2, 50))),
        "SMARTLINK_SHARD_TENANTS": str(random.choice((1, 2, 200))),
        "SMARTLINK_RECEIVERS": str(random.choice((1, 3))),
    }
    unknown = "hold" if small == "once" or (not small and random.random() < 0.3) else "retry"
    deployment = Deployment(kernel, tenants, {} if small else variables, unknown=unknown)
    deployment.configure(3 if small else random.randint(1, 5))
    return deployment


def _draw(deployment: Deployment, *, small: str) -> None:
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
            _draw_message(deployment, outside, tenant, f"m{number}", small=small)
        if small == "repeats":
            deployment.late = (130.0, 260.0, 520.0, 780.0)
        for number in range(0 if small else random.choice((0, 0, 1, 2))):
            content = f"{tenant} publishes {number}"
            for _ in range(random.randint(1, 2)):
                kernel.spawn(
                    outside,
                    lambda t=tenant, n=number, c=content: deployment.ask_to_publish(t, f"p{n}", c),  # type: ignore[misc]
                    random.random() * _TROUBLE / 2,
                )
    if not small:
        _draw_moods(deployment, outside)


def _draw_message(
    deployment: Deployment, outside: Process, tenant: str, message_id: str, *, small: str
) -> None:
    kernel, random = deployment.kernel, deployment.kernel.random
    does = (
        "ok"
        if small
        else random.choices(("ok", "fail", "reject", "crash", "loop"), (8, 3, 1, 1, 1))[0]
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
    kernel.faults = {}
    broker.down.clear()
    broker.refusing.clear()
    broker.release()
    deployment.duplicates = 0.0
    deployment.backlog = min(deployment.backlog, 5.0)
    kernel.say("FAULTS END")
    for number in range(_SETTLING):
        if kernel.idle and _quiet(deployment):
            return
        if number > _PATIENCE:
            _check_overdue(deployment)
        deployment.tick()
        kernel.run(kernel.now + 60)
        if kernel.idle:
            _skip(deployment)
    live = {
        (tenant, it.message.document, it.message.state, str(it.message.due))
        for tenant in deployment.tenants
        for it in deployment.store.live(tenant).values()
        if it.message.state is not State.DEAD
    }
    message = f"not settled after {_SETTLING} ticks: {sorted(live)}"
    raise BrokenError(message)


def _skip(deployment: Deployment) -> None:
    """Nothing sleeps: on to the next message that becomes due."""
    kernel = deployment.kernel
    dues = [
        it.message.due
        for tenant in deployment.tenants
        for it in deployment.store.live(tenant).values()
        if it.message.due is not None
    ]
    if dues and not any(deployment.broker.waiting(tenant) for tenant in deployment.tenants):
        kernel.now = max(kernel.now, (min(dues) - kernel.clock()).total_seconds() + kernel.now - 60)


def _quiet(deployment: Deployment) -> bool:
    return not any(
        deployment.broker.waiting(tenant)
        or any(it.message.state is not State.DEAD for it in deployment.store.live(tenant).values())
        for tenant in deployment.tenants
    )


def _check_overdue(deployment: Deployment) -> None:
    now = deployment.kernel.clock()
    for tenant in deployment.tenants:
        for stored in deployment.store.live(tenant).values():
            due = stored.message.due
            if due is not None and now - due > 2 * _LEASE:
                message = f"{(tenant, stored.message.document)} is overdue since {due}, now {now}"
                raise BrokenError(message)


def _audit(deployment: Deployment) -> None:
    """The ledger: nothing lost, nothing doubled, nothing mixed up."""
    ledger, store = deployment.ledger, deployment.store
    kept: set[tuple[str, str, str]] = set()
    for tenant in deployment.tenants:
        messages = [it.message for it in store.live(tenant).values()]
        messages += [it.message for it in store.ended(tenant).values()]
        for message in messages:
            kept.add((tenant, message.id, message.content.sha256))
            key = (tenant, message.document)
            if message.direction is Direction.DOWNSTREAM:
                spent = ledger.failures[key] + ledger.lone_crashes[key] + 1
                if message.attempt > spent:
                    ledger.broken(
                        f"{key} made {message.attempt} attempts, but at most {spent} are its own"
                    )
    for tenant, message_id, content in ledger.offered:
        if (tenant, message_id, content_hash(content)) not in kept:
            ledger.broken(f"{tenant}/{message_id} is LOST: neither live nor ended")
    for key, runs in ledger.completed.items():
        excused = deployment.claims.excused[key]
        if runs > 1 + excused:
            ledger.broken(f"{key} ran to its end {runs} times, {excused} excused")
    _audit_effects(deployment)
    _audit_sent(deployment)


def _audit_effects(deployment: Deployment) -> None:
    """Held outcomes repeat nothing; and what ended had its effect."""
    ledger = deployment.ledger
    for key, times in ledger.effects.items():
        if deployment.unknown == "hold" and times > 1:
            ledger.broken(f"the effect {key} was done {times} times, and not by an operator")
    for tenant in deployment.tenants:
        for ended in deployment.store.ended(tenant).values():
            text = ended.message.content.text or ""
            wanted = json.loads(text).get("once") if text.startswith("{") else None
            if wanted and not ledger.effects[tenant, wanted]:
                ledger.broken(f"{(tenant, ended.message.document)} ended without its effect")


def _audit_sent(deployment: Deployment) -> None:
    ledger = deployment.ledger
    sent = {(it.tenant, it.content.decode()) for it in deployment.broker.sent}
    for (tenant, document), content in ledger.replies.items():
        if (tenant, content) not in sent:
            ledger.broken(f"the reply {tenant}/{document} was never sent")
    allowed = {(tenant, content) for (tenant, _), content in ledger.replies.items()}
    for tenant, content in sent - allowed - ledger.published:
        if not content.startswith(f"{tenant} publishes"):
            ledger.broken(f"{tenant} sent what it never had to: {content}")
    for tenant, content in ledger.published:
        if (tenant, content) not in sent:
            ledger.broken(f"{tenant} published {content!r}: accepted, never sent")
