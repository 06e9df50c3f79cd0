"""What an action would do, and what it leaves out: shown before anything is done."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from smartlink.domain.message import MAY_HAVE_RUN, DeadReason, Ending, Listed, State, Summary
from smartlink.operations.actions import DISCARD, HOLD, Action
from smartlink.operations.errors import ForbiddenError, OnlyDiscardError
from smartlink.operations.ports import Deployment, RawDocument
from smartlink.operations.select import LOOKED_AT, Filters, Located, Passed, Selected


class Unfit(StrEnum):
    """Why an action leaves a message out."""

    MALFORMED = "malformed"  # its envelope never made sense: it cannot run
    NO_CONSUMER = "no-consumer"  # none is deployed for its command
    MAY_HAVE_RUN = "may-have-run"  # nobody knows whether it was done
    HELD = "held"  # already
    NEVER_RUNS = "never-runs"  # malformed and dead: it needs no holding
    UNREADABLE = "unreadable"


def not_redrivable(
    message: Summary, commands: Collection[str], *, undone: bool = False
) -> Unfit | None:
    """Why it is not executed again; None if it may be. `undone`: who asks knows that it was not."""
    if message.dead_reason is DeadReason.MALFORMED:
        return Unfit.MALFORMED
    if message.dead_reason is DeadReason.UNKNOWN_COMMAND and message.type not in commands:
        return Unfit.NO_CONSUMER
    if message.dead_reason in MAY_HAVE_RUN and not undone:
        return Unfit.MAY_HAVE_RUN
    return None


def not_holdable(message: Summary) -> Unfit | None:
    """Why it need not be held; None if it must."""
    if message.state is not State.DEAD:
        return None
    if message.dead_reason in MAY_HAVE_RUN:
        return Unfit.HELD
    return Unfit.NEVER_RUNS if message.dead_reason is DeadReason.MALFORMED else None


@dataclass(frozen=True, slots=True)
class Skipped:
    """What is left out, and why."""

    tenant: str
    document: str
    id: str | None  # None: it cannot be read
    unfit: Unfit
    detail: str  # why it is dead, or cannot be read


class Idle(StrEnum):
    """Why nothing is to be done to the one message that was named."""

    DISCARDED = "discarded"  # already
    ALIVE = "alive"  # not dead


@dataclass(frozen=True, slots=True)
class Plan:
    """What an action would do, so many messages at most, and what it leaves out on the way."""

    action: Action
    messages: Sequence[Selected] = ()
    skipped: Sequence[Skipped] = ()
    idle: Idle | None = None
    more: bool = False  # there are more that fit than the limit
    alive: Mapping[State, int] = field(default_factory=dict)
    """Where nothing dead fits: what fits but is not dead, by state."""


def plan(
    deployment: Deployment, action: Action, filters: Filters, limit: int, *, undone: bool = False
) -> Plan:
    """Select the messages that fit. `undone`: who asks knows that what may have run did not."""
    unfit = _unfit(deployment, action, undone=undone)
    found = replace(filters, state=State.DEAD if action.dead else None).scan(deployment)
    planned = _sorted_out(action, found, unfit, limit)
    if planned.messages or planned.skipped or not action.dead:
        return planned
    alive = replace(filters, state=None).look(deployment, LOOKED_AT).found
    return replace(planned, alive=Counter(it.message.state for it in alive))


def plan_one(
    deployment: Deployment, action: Action, located: Located, *, undone: bool = False
) -> Plan:
    """The same for one message. Raises ForbiddenError if it has ended.

    What nobody can read is given up with `give_up` instead: it raises OnlyDiscardError.
    """
    unfit = _unfit(deployment, action, undone=undone)
    live, ended = located.live, located.ended
    if live is not None:
        if live.message.state is not State.DEAD:
            return Plan(action, idle=Idle.ALIVE)
        selected = Selected(located.tenant, Listed(live.message, live.version))
        return _sorted_out(action, [selected], unfit, 1)
    if ended is None:
        assert located.raw is not None  # noqa: S101  (it was found in one of them)
        raise _only_discard(located.tenant, located.raw)
    if action is DISCARD and ended.ending is Ending.DISCARDED:
        return Plan(action, idle=Idle.DISCARDED)
    message = (
        f"{located.identity} of {located.tenant} has ended ({ended.ending}): "
        f"a message is never executed twice; ask its sender for a new one"
    )
    raise ForbiddenError(message)


def _unfit(
    deployment: Deployment, action: Action, *, undone: bool
) -> Callable[[Summary], Unfit | None]:
    if action is HOLD:
        return not_holdable
    if action is DISCARD:
        return lambda _: None
    commands = deployment.settings.catalog.commands
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
        if isinstance(item, Passed):
            document = item.document
            skipped.append(
                Skipped(item.tenant, document.document, None, Unfit.UNREADABLE, document.why)
            )
            continue
        message = item.message
        why = unfit(message)
        if why is not None:
            reason = str(message.dead_reason)
            skipped.append(Skipped(item.tenant, message.document, message.id, why, reason))
            continue
        if len(fit) == limit:
            return Plan(action, fit, skipped, more=True)
        fit.append(item)
    return Plan(action, fit, skipped)


def check_given_up(action: Action, tenant: str, raw: RawDocument) -> None:
    """Raise OnlyDiscardError unless the action may be done to what nobody can read."""
    if action is not DISCARD or not raw.alive:
        raise _only_discard(tenant, raw)


def _only_discard(tenant: str, raw: RawDocument) -> OnlyDiscardError:
    return OnlyDiscardError(
        f"{raw.collection}/{raw.document} of {tenant} cannot be read ({raw.why})"
    )
