"""Plans an action: which messages it changes and which it leaves out, before anything is done."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import chain

from smartlink.domain.message import MAY_HAVE_RUN, DeadReason, Ending, Listed, State, Summary
from smartlink.i18n import _
from smartlink.operations.actions import DISCARD, HOLD, Action, states_taken
from smartlink.operations.errors import ForbiddenError, OnlyDiscardError
from smartlink.operations.ports import Deployment, Desk, RawDocument
from smartlink.operations.select import LOOKED_AT, Filters, Located, Passed, Selected


class Unfit(StrEnum):
    """Why an action leaves a message out."""

    MALFORMED = "malformed"  # its envelope is malformed, so it cannot run
    NO_CONSUMER = "no-consumer"  # no consumer of its command is deployed
    MAY_HAVE_RUN = "may-have-run"  # nobody knows whether it was done
    HELD = "held"  # it is held already
    NEVER_RUNS = "never-runs"  # malformed and dead, so it need not be held
    UNREADABLE = "unreadable"


def not_redrivable(
    message: Summary, commands: Collection[str], *, undone: bool = False
) -> Unfit | None:
    """Returns why a redrive leaves the message out; None if it may be executed again.

    `undone`: the operator knows that the message's work was not done.
    """
    if message.dead_reason is DeadReason.MALFORMED:
        return Unfit.MALFORMED
    if message.dead_reason is DeadReason.UNKNOWN_COMMAND and message.type not in commands:
        return Unfit.NO_CONSUMER
    if message.dead_reason in MAY_HAVE_RUN and not undone:
        return Unfit.MAY_HAVE_RUN
    return None


def not_holdable(message: Summary) -> Unfit | None:
    """Returns why the message need not be held; None if it must be held."""
    if message.state is not State.DEAD:
        return None
    if message.dead_reason in MAY_HAVE_RUN:
        return Unfit.HELD
    return Unfit.NEVER_RUNS if message.dead_reason is DeadReason.MALFORMED else None


@dataclass(frozen=True, slots=True)
class Skipped:
    """A message that an action leaves out, and why."""

    tenant: str
    document: str
    id: str | None  # None: the document is unreadable
    unfit: Unfit
    detail: str  # why it is dead or unreadable


class Idle(StrEnum):
    """Why there is nothing to do to the one message that was named."""

    DISCARDED = "discarded"  # it is discarded already
    ALIVE = "alive"  # it is not dead; for a discard, it does not wait either


@dataclass(frozen=True, slots=True)
class Plan:
    """The messages that an action changes, and those that it leaves out."""

    action: Action
    messages: Sequence[Selected] = ()
    skipped: Sequence[Skipped] = ()
    idle: Idle | None = None
    more: bool = False  # there are more that fit than the limit
    alive: Mapping[State, int] = field(default_factory=dict)
    """Where nothing dead fits: what fits but is not dead, by state."""


def plan(
    deployment: Deployment,
    action: Action,
    filters: Filters,
    limit: int,
    *,
    undone: bool = False,
    waiting: bool = False,
) -> Plan:
    """Plans the action for the messages that fit the filters, at most `limit`.

    `undone`: the operator knows that the work of messages which may have run was not done.
    `waiting`: a discard takes the messages that wait for their retry too.
    """
    unfit = unfit_for(deployment, action, undone=undone)
    states = states_taken(action, waiting=waiting)
    scans = (replace(filters, state=state).scan(deployment) for state in states)
    found = chain.from_iterable(scans)
    planned = _sorted_out(action, found, unfit, limit)
    if planned.messages or planned.skipped or not action.dead:
        return planned
    alive = replace(filters, state=None).look(deployment, LOOKED_AT).found
    return replace(planned, alive=Counter(it.message.state for it in alive))


def plan_chosen(
    deployment: Deployment,
    action: Action,
    chosen: Iterable[Selected | Passed],
    *,
    undone: bool = False,
    waiting: bool = False,
) -> Plan:
    """Plans the action for messages that were picked one by one, as far as their states allow."""
    states = states_taken(action, waiting=waiting)
    unfit = unfit_for(deployment, action, undone=undone)
    picked = list(chosen)
    alive = Counter(
        it.message.state
        for it in picked
        if isinstance(it, Selected) and action.dead and it.message.state not in states
    )
    fit = [it for it in picked if isinstance(it, Passed) or it.message.state not in alive]
    return replace(_sorted_out(action, fit, unfit, len(picked)), alive=alive)


def plan_one(
    deployment: Deployment, action: Action, located: Located, *, undone: bool = False
) -> Plan:
    """Plans the action for one message. A discard takes it also while it waits for its retry, and
    a hold in any state.

    Raises ForbiddenError if it has ended.

    Raises OnlyDiscardError if the document is unreadable; `act.give_up` can discard it.
    """
    unfit = unfit_for(deployment, action, undone=undone)
    live, ended = located.live, located.ended
    if live is not None:
        state = live.message.state
        waits = action is DISCARD and state is State.WAITING
        if action.dead and state is not State.DEAD and not waits:
            return Plan(action, idle=Idle.ALIVE)
        selected = Selected(located.tenant, Listed(live.message, live.version))
        return _sorted_out(action, [selected], unfit, 1)
    if ended is None:
        assert located.raw is not None  # noqa: S101  (it was found in one of them)
        raise _only_discard(located.tenant, located.raw)
    if action is DISCARD and ended.ending is Ending.DISCARDED:
        return Plan(action, idle=Idle.DISCARDED)
    message = _(
        "{identity} of {tenant} has ended ({ending}): a message is never executed "
        "twice; ask its sender for a new one",
        identity=located.identity,
        tenant=located.tenant,
        ending=ended.ending,
    )
    raise ForbiddenError(message)


def unfit_for(desk: Desk, action: Action, *, undone: bool) -> Callable[[Summary], Unfit | None]:
    """Returns the function that tells why an action leaves a message out."""
    if action is HOLD:
        return not_holdable
    if action is DISCARD:
        return lambda _: None
    commands = desk.settings.catalog.commands
    return lambda message: not_redrivable(message, commands, undone=undone)


def _sorted_out(
    action: Action,
    found: Iterable[Selected | Passed],
    unfit: Callable[[Summary], Unfit | None],
    limit: int,
) -> Plan:
    fit: list[Selected] = []
    skipped: list[Skipped] = []
    for item in found:
        sorted_out = taken(item, unfit)
        if isinstance(sorted_out, Skipped):
            skipped.append(sorted_out)
        elif len(fit) == limit:
            return Plan(action, fit, skipped, more=True)
        else:
            fit.append(sorted_out)
    return Plan(action, fit, skipped)


def taken(item: Selected | Passed, unfit: Callable[[Summary], Unfit | None]) -> Selected | Skipped:
    """Returns the message if the action takes it; otherwise why it leaves it out."""
    if isinstance(item, Passed):
        document = item.document
        return Skipped(item.tenant, document.document, None, Unfit.UNREADABLE, document.why)
    message = item.message
    why = unfit(message)
    if why is None:
        return item
    return Skipped(item.tenant, message.document, message.id, why, str(message.dead_reason))


def check_given_up(action: Action, tenant: str, raw: RawDocument) -> None:
    """Raises OnlyDiscardError unless the action is to discard, and the unreadable document is
    live."""
    if action is not DISCARD or not raw.alive:
        raise _only_discard(tenant, raw)


def _only_discard(tenant: str, raw: RawDocument) -> OnlyDiscardError:
    return OnlyDiscardError(
        _(
            "{collection}/{document} of {tenant} cannot be read ({why})",
            collection=raw.collection,
            document=raw.document,
            tenant=tenant,
            why=raw.why,
        )
    )
