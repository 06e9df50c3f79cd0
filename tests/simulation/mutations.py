"""Ways to break the relay, one promise at a time: the simulation must notice each of them.

A mutation replaces one function or method of the relay, for as long as its context lasts.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from smartlink.domain import hourly as hourly_domain
from smartlink.domain import lifecycle, settlement
from smartlink.domain.message import State, Stored
from smartlink.domain.outcome import Done, Retry
from smartlink.domain.pin import Pin
from smartlink.ports import DuePage
from smartlink.services import claim as claim_module
from smartlink.services import order as order_module
from smartlink.services import settle as settle_module
from smartlink.services.consuming import consume as consume_module
from smartlink.services.consuming.consume import Consume
from smartlink.services.consuming.follow import Follow
from smartlink.services.consuming.once import Once
from smartlink.services.consuming.together import Together
from smartlink.services.contents import release
from smartlink.services.polling import buckets as buckets_module
from smartlink.services.polling import outgoing as outgoing_module
from smartlink.services.polling import receiving as receiving_module
from smartlink.services.polling import sending as sending_module
from smartlink.services.polling import sweep as sweep_module
from smartlink.services.polling.intakes import Intakes
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.pages import DuePages
from smartlink.services.polling.poll import Poll
from smartlink.services.polling.receiving import Downstream, _Taken
from smartlink.services.polling.sending import Upstream
from smartlink.services.polling.sweep import Sweep
from smartlink.services.repeats import Repeats

Mutation = tuple[object, str, Callable[[Any], Any]]
"""Where a name is bound, the name, and what makes the broken one of the good one."""


def _ack_before_store(good: Any) -> Any:
    def take_in(self: Downstream, tick: Any, deliveries: Any, session: Any) -> Any:
        for delivery in deliveries:
            session.ack(delivery.tag)
        session_without_ack = type("Acked", (), {"ack": lambda _, __: None})()
        return good(self, tick, deliveries, session_without_ack)

    return take_in


def _ack_what_is_not_stored(good: Any) -> Any:
    def store(self: Downstream, tick: Any, arrivals: Any, now: Any) -> Any:
        try:
            return good(self, tick, arrivals, now)
        except Exception:  # noqa: BLE001
            return _Taken({}, list(arrivals))

    return store


def _no_history(good: Any) -> Any:
    return lambda self, tenant, stored: {}  # noqa: ARG005


def _no_claim(good: Any) -> Any:
    def claim_all(messages: Any, tenant: Any, wanted: Any, claim: Any, claiming: Any) -> Any:
        documents = [stored.message.document for stored in wanted]
        current = messages.read(tenant, documents)
        fresh = [Stored(claiming(it.message), it.version) for it in current.values()]
        versions = messages.swap(tenant, fresh)
        return [
            Stored(it.message, version or it.version)
            for it, version in zip(fresh, versions, strict=True)
        ]

    return claim_all


def _claim_whatever_is_pending(good: Any) -> Any:
    """Without the look into the history when a message is claimed again."""

    def unended(messages: Any, tenant: Any, again: Any, claiming: Any) -> Any:
        return claim_module._swap(messages, tenant, again, claiming)[0]

    return unended


def _no_fence(good: Any) -> Any:
    def settle_all(messages: Any, tenant: Any, pending: Any) -> Any:
        fresh = []
        for item in pending:
            document = item.settlement.document
            live = messages.read(tenant, [document]).get(document)
            version = live.version if live else item.settlement.fence
            fresh.append(replace(item, settlement=replace(item.settlement, fence=version)))
        return good(messages, tenant, fresh)

    return settle_all


def _settle_in_two_steps(good: Any) -> Any:
    """The history first, the live document after it."""

    def settle_all(messages: Any, tenant: Any, pending: Any) -> Any:
        for item in pending:
            if item.settlement.created:
                good(
                    messages,
                    tenant,
                    [replace(item, settlement=replace(item.settlement, created=()))],
                )
                continue
            good(messages, tenant, [item])
        return settle_module.Settled([item.settlement for item in pending], [], [], [])

    return settle_all


def _shared_crash_counts(good: Any) -> Any:
    def swept(message: Any, now: Any, policy: Any, base: Any) -> Any:
        if message.claim is not None:
            message = replace(message, claim=replace(message.claim, messages=1))
        return good(message, now, policy, base)

    return swept


def _retry_at_once(good: Any) -> Any:
    def due(self: Any, tenant: Any, now: Any, limit: int, *more: Any) -> Any:
        return good(self, tenant, now.replace(year=2030), limit, *more)

    return due


def _no_sweep_of_crashes(good: Any) -> Any:
    def sweep(self: Sweep, tick: Any, due: Any) -> Any:
        return good(self, tick, [it for it in due if it.message.state is not State.RUNNING])

    return sweep


def _no_sweep_of_lost_dispatches(good: Any) -> Any:
    def sweep(self: Sweep, tick: Any, due: Any) -> Any:
        return good(self, tick, [it for it in due if it.message.state is not State.PENDING])

    return sweep


def _no_limit(good: Any) -> Any:
    def swept(message: Any, now: Any, policy: Any, base: Any) -> Any:
        return good(message, now, replace(policy, attempts=1_000), base)

    return swept


def _hand_back_costs(good: Any) -> Any:
    return lambda message, *more, **options: replace(
        good(message, *more, **options), attempt=message.attempt
    )


def _forget_replies(good: Any) -> Any:
    def settle(*arguments: Any) -> Any:
        return replace(good(*arguments), created=())

    return settle


def _forget_next_steps(good: Any) -> Any:
    def settle(*arguments: Any) -> Any:
        made = good(*arguments)
        return replace(made, created=tuple(it for it in made.created if it.step is None))

    return settle


def _step_before_its_predecessor_ended(good: Any) -> Any:
    """In a write of its own, before the commit."""

    def settle_all(messages: Any, tenant: Any, pending: Any) -> Any:
        rest = []
        for item in pending:
            steps = [it for it in item.settlement.created if it.step is not None]
            messages.create(tenant, steps)
            others = tuple(it for it in item.settlement.created if it.step is None)
            rest.append(replace(item, settlement=replace(item.settlement, created=others)))
        return good(messages, tenant, rest)

    return settle_all


def _batch_counts(good: Any) -> Any:
    return lambda self, items: good(self, items) or True


def _drop_unsent(good: Any) -> Any:
    """A message that the broker did not take is settled as if it had."""

    def give_back(self: Upstream, stored: Any, error: Any) -> Any:
        return settlement.Settlement(document=stored.message.document, fence=stored.version)

    return give_back


def _never_due_again(good: Any) -> Any:
    return lambda message, due, error=None: replace(good(message, due, error), due=None)


def _drop_repeats_of_anything(good: Any) -> Any:
    """Whatever has a known id is taken for a repeat, whatever it says."""

    def meet(self: Repeats, tick: Any, message: Any, now: Any) -> bool:
        return True

    return meet


def _effect_unrecorded(good: Any) -> Any:
    """Done without a word before it."""
    return lambda self, tenant, message, policy, key, effect: effect()  # noqa: ARG005


def _effect_begun_again(good: Any) -> Any:
    """Whoever finds an effect that was begun takes it over."""
    return lambda self, theirs, message, policy: None  # noqa: ARG005


def _crash_is_retried(good: Any) -> Any:
    def swept(message: Any, now: Any, policy: Any, base: Any) -> Any:
        claim = message.claim and replace(message.claim, decided=None)
        forgetful = replace(message, claim=claim)
        return good(forgetful, now, replace(policy, hold_unknown=False), base)

    return swept


def _never(*_: Any) -> bool:
    return False


def _always(*_: Any) -> bool:
    return True


def _unanswered_is_given_up(good: Any) -> Any:
    def settle_all(messages: Any, tenant: Any, pending: Any) -> Any:
        settled = good(messages, tenant, pending)
        settled.lost.extend(item.settlement for item in settled.unknown)
        settled.unknown.clear()
        return settled

    return settle_all


def _unanswered_is_written(good: Any) -> Any:
    def settle_all(messages: Any, tenant: Any, pending: Any) -> Any:
        settled = good(messages, tenant, pending)
        settled.written.extend(item.settlement for item in settled.unknown)
        settled.unknown.clear()
        return settled

    return settle_all


def _own_claim_is_anothers(good: Any) -> Any:
    def claim_all(messages: Any, tenant: Any, wanted: Any, claim: Any, claiming: Any) -> Any:
        return good(messages, tenant, wanted, replace(claim, id="x" * 32), claiming)

    return claim_all


def _finished_is_not_settled(good: Any) -> Any:
    """Where a process has to end itself, all that it had ends with it."""

    def end(self: Any, call: Any, finished: Any) -> Any:
        return self.end_process()

    return end


def _failed_outcome_is_dropped(good: Any) -> Any:
    """A failed attempt is left to its lease."""

    def settle(self: Any, call: Any, finished: Any) -> Any:
        kept = [it for it in finished if not isinstance(it.finished.outcome, Retry)]
        for ran in finished:
            if ran not in kept:
                del call.open[ran.stored.message.document]
        return good(self, call, kept)

    return settle


def _done_is_retried(good: Any) -> Any:
    """One attempt in which it replies is not believed."""

    def settle(stored: Any, finished: Any, policy: Any, retention: Any) -> Any:
        if isinstance(finished.outcome, Done) and stored.message.attempt == 1:
            finished = replace(finished, outcome=Retry("once more"))
        return good(stored, finished, policy, retention)

    return settle


def _swept_too_early(good: Any) -> Any:
    """Leases are taken to be over while they run."""

    def due(self: Any, tenant: Any, now: Any, limit: int, *more: Any) -> Any:
        soon = now + timedelta(minutes=9)
        found = good(self, tenant, soon, limit, *more)
        wanted = (
            it
            for it in found
            if it.message.state is State.RUNNING or (it.message.due and it.message.due <= now)
        )
        return DuePage(wanted, found.unreadable, found.end)

    return due


def _sent_is_given_back(good: Any) -> Any:
    """What was sent in the first attempt is sent again."""

    def sent(stored: Any, now: Any, policy: Any, retention: Any) -> Any:
        if stored.message.dispatches == 0:
            live = lifecycle.unsent(stored.message, now)
            return settlement.Settlement(
                document=live.document, fence=stored.version, live=replace(live, dispatches=1)
            )
        return good(stored, now, policy, retention)

    return sent


def _released_while_it_lives(good: Any) -> Any:
    """Whatever was settled lets go of its content."""

    def written(self: Any, call: Any, written: Any) -> Any:
        message = call.dispatch.messages[0].message
        release(self.contents, message, self.clock())
        return good(self, call, written)

    return written


def _known_for_two_hours(good: Any) -> Any:
    """The same content is a repeat for longer than it may be."""

    def before(self: Repeats, tenant: Any, stored: Any) -> Any:
        previous = good(self, tenant, stored)
        for item in stored:
            hour = lifecycle.hour_before(item.message)
            ended = self._messages.history(tenant, [hour]) if hour else {}
            if hour in ended:
                previous[item.message.document] = ended[hour].message
        return previous

    return before


def _shard_of_any_catalogue(good: Any) -> Any:
    """Whoever gets a shard polls it by its own catalogue."""

    def shard(self: Poll, shard: Any) -> Any:
        return good(self, replace(shard, catalog=self.settings.catalog.digest))

    return shard


def _sweeper_decides(good: Any) -> Any:
    """What follows a crash is decided by the catalogue of whoever finds it."""

    def swept(message: Any, now: Any, policy: Any, base: Any) -> Any:
        claim = message.claim and replace(message.claim, decided=None)
        return good(replace(message, claim=claim), now, policy, base)

    return swept


def _only_known_clients(good: Any) -> Any:
    """What the secret or RAC's token names counts for nothing."""
    return lambda self, named, client: good(self, None, client)  # noqa: ARG005


def _unknown_at_once(good: Any) -> Any:
    """No other deployment is thought of."""
    return lambda self, commands: frozenset()  # noqa: ARG005


def _nobody_is_ahead(good: Any) -> Any:
    """Whatever is due is taken to have its turn."""
    return lambda messages, tenant, first: set()  # noqa: ARG005


def _all_at_once(good: Any) -> Any:
    """A run of a key is claimed and run whole, whatever becomes of its first message."""
    return lambda stored: [stored]


def _order_goes_on(good: Any) -> Any:
    """What comes behind a message that failed runs all the same."""
    return lambda stored: None  # noqa: ARG005


def _nobody_follows(good: Any) -> Any:
    """Whoever ends a message of a key dispatches no other."""
    return lambda self, dispatch, keys: None  # noqa: ARG005


def _follows_whatever_comes(good: Any) -> Any:
    """What follows is dispatched although the first one waits for its retry, or is dead."""
    return lambda message: True  # noqa: ARG005


def _sent_as_it_comes(good: Any) -> Any:
    """Of the replies of a key, each is sent when it is due."""
    return lambda messages, tenant, wanted: {}  # noqa: ARG005


def _dead_ones_hold_nothing_back(good: Any) -> Any:
    """A dead reply is passed by those behind it."""

    def unsent_before(messages: Any, tenant: Any, wanted: Any) -> Any:
        before = good(messages, tenant, wanted)
        first = {it: found.stored for it, found in before.items() if found is not None}
        dead = {it for it, stored in first.items() if stored and stored.message.due is None}
        return {it: found for it, found in before.items() if it not in dead}

    return unsent_before


def _each_in_a_chunk_of_its_own(good: Any) -> Any:
    """Several sessions send the replies of a key side by side."""
    return lambda groups, most: good([[it] for group in groups for it in group], min(most, 1))


def _unfenced_intake(good: Any) -> Any:
    """Two that receive at once both store."""

    def take_in(
        self: Any, tenant: Any, intake: Any, version: Any, created: Any = (), moved: Any = ()
    ) -> Any:
        known = self._intakes.get(tenant)
        return good(self, tenant, intake, known[1] if known else None, created, moved)

    return take_in


def _path_is_not_looked_at(good: Any) -> Any:
    """What lives in another order is let alone."""
    return lambda self, poll: frozenset()  # noqa: ARG005


def _nothing_is_put_off(good: Any) -> Any:
    """A bucket's query begins where the one before ended."""
    return timedelta()


def _page_is_always_whole(good: Any) -> Any:
    """What a bucket's page has no room for is taken for nothing."""

    def out_of(self: DuePages, shared: Any, poll: Any, now: Any) -> Any:
        return good(self, replace(shared, whole=True), poll, now)

    return out_of


def _replies_lack_their_bucket(good: Any) -> Any:
    """One writer does not know of buckets."""

    def commit(self: Any, tenant: Any, settlements: Any) -> None:
        good(self, tenant, settlements)
        made = {(tenant, it.document) for item in settlements for it in item.created}
        self._astray |= made & self._live.keys()

    return commit


def _counted_while_it_runs(good: Any) -> Any:
    """An hour is taken to be over as soon as it has begun."""
    return -hourly_domain.HOUR


MUTATIONS: Mapping[str, Mutation] = {
    "an hour is counted while it runs": (hourly_domain, "SETTLED", _counted_while_it_runs),
    "a watermark has no margin": (buckets_module, "MARGIN", _nothing_is_put_off),
    "a full page of a bucket is taken for all": (DuePages, "_out_of", _page_is_always_whole),
    "no tenant is asked by itself": (buckets_module, "looks", lambda _: _never),
    "replies are written without their bucket": (None, "commit", _replies_lack_their_bucket),
    "nobody is ahead when it is received": (receiving_module, "ahead", _nobody_is_ahead),
    "nobody is ahead when it is due": (sweep_module, "ahead", _nobody_is_ahead),
    "a run of a key is run whole": (consume_module, "rounds", _all_at_once),
    "what follows a failure runs": (consume_module, "key_of", _order_goes_on),
    "nobody dispatches what follows": (Follow, "__call__", _nobody_follows),
    "what follows does not wait": (order_module, "startable", _follows_whatever_comes),
    "a reply does not wait its turn": (
        sending_module,
        "unsent_before",
        _sent_as_it_comes,
    ),
    "a dead reply holds nothing back": (
        sending_module,
        "unsent_before",
        _dead_ones_hold_nothing_back,
    ),
    "the replies of a key are sent side by side": (
        outgoing_module,
        "_chunks",
        _each_in_a_chunk_of_its_own,
    ),
    "the intake is not fenced": (None, "take_in", _unfenced_intake),
    "a changed path is not looked at": (Intakes, "_barred", _path_is_not_looked_at),
    "ack before the commit": (Downstream, "_take_in", _ack_before_store),
    "ack what was not stored": (Downstream, "_store", _ack_what_is_not_stored),
    "no history check": (Repeats, "before", _no_history),
    "an id reused with another content is dropped": (Repeats, "meet", _drop_repeats_of_anything),
    "no compare-and-swap at the claim": (consume_module, "claim_all", _no_claim),
    "no history check when claimed again": (claim_module, "_unended", _claim_whatever_is_pending),
    "no fence at settlement": (consume_module, "settle_all", _no_fence),
    "replies are not in the settling commit": (consume_module, "settle_all", _settle_in_two_steps),
    "replies are forgotten": (consume_module, "settle", _forget_replies),
    "a next step is forgotten": (consume_module, "settle", _forget_next_steps),
    "a next step is not in the settling commit": (
        consume_module,
        "settle_all",
        _step_before_its_predecessor_ended,
    ),
    "what a batch said counts though it raised": (Together, "_run", _batch_counts),
    "a shared crash counts": (lifecycle, "swept", _shared_crash_counts),
    "retried before it is due": (None, "due", _retry_at_once),
    "crashes are not swept": (Sweep, "__call__", _no_sweep_of_crashes),
    "lost dispatches are not swept": (Sweep, "__call__", _no_sweep_of_lost_dispatches),
    "no attempt limit": (lifecycle, "swept", _no_limit),
    "handing back costs an attempt": (lifecycle, "handed_back", _hand_back_costs),
    "an effect is done without a record": (Once, "__call__", _effect_unrecorded),
    "an effect that broke off is done again": (Once, "_may_repeat", _effect_begun_again),
    "a crash that should be held is retried": (lifecycle, "swept", _crash_is_retried),
    "an unanswered outcome is given up": (consume_module, "settle_all", _unanswered_is_given_up),
    "an unanswered outcome is taken for written": (
        consume_module,
        "settle_all",
        _unanswered_is_written,
    ),
    "its own commit is never recognised": (settle_module, "_applied", lambda _: _never),
    "another's commit is taken for its own": (settle_module, "_applied", lambda _: _always),
    "its own claim is never recognised": (consume_module, "claim_all", _own_claim_is_anothers),
    "what had finished ends with its process": (Consume, "_end", _finished_is_not_settled),
    "a failed attempt is not settled": (Consume, "_settle", _failed_outcome_is_dropped),
    "what was done is to be done again": (consume_module, "settle", _done_is_retried),
    "a lease is over before its end": (None, "due", _swept_too_early),
    "what was sent is to be sent again": (settlement, "sent", _sent_is_given_back),
    "contents are never released": (consume_module, "release", lambda _: lambda *_: None),
    "sent contents are never released": (sending_module, "release", lambda _: lambda *_: None),
    "a content is released while its message lives": (
        Consume,
        "_written",
        _released_while_it_lives,
    ),
    "the hour before is not looked at": (lifecycle, "hour_before", lambda _: lambda _: None),
    "a content is known for longer than an hour": (Repeats, "before", _known_for_two_hours),
    "an unsent reply is dropped": (Upstream, "_give_back", _drop_unsent),
    "a shard of another catalogue is polled": (Poll, "shard", _shard_of_any_catalogue),
    "the sweep's catalogue decides on a crash": (lifecycle, "swept", _sweeper_decides),
    "another deployment's command is unknown": (KnownCommands, "elsewhere", _unknown_at_once),
    "whose a name is is not looked at": (Pin, "admits", lambda _: _always),
    "a rotation is taken for another customer": (Pin, "admits", _only_known_clients),
    "an unsent reply is never due again": (lifecycle, "unsent", _never_due_again),
}


@contextmanager
def mutated(name: str) -> Iterator[None]:
    """The relay, broken in that way."""
    owner, attribute, make = MUTATIONS[name]
    if owner is None:
        from tests.simulation.ledger import WatchedMessages  # noqa: PLC0415

        owner = WatchedMessages
    good = getattr(owner, attribute)
    setattr(owner, attribute, make(good))
    try:
        yield
    finally:
        setattr(owner, attribute, good)


_ = (sweep_module, sending_module)
