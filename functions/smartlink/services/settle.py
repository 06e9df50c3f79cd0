"""Writes settlements: many in one commit, and each alone if the shared commit fails.

    Unavailable                      nothing is known: the caller hands the settlement in again
    Conflict, our own write there    an earlier try took effect, but its answer got lost: written
    Conflict, the fence is gone      another call has the message: lost
    Conflict, the fence holds        a document that it creates exists already: refused
                                     (no such document is there: the caller hands it in again)
    Refused                          it is written again without its log lines; then: refused

The outcome of a refused settlement has happened all the same, so the caller declares its message
dead.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from smartlink.domain.message import State, Stored
from smartlink.domain.settlement import Settlement, died, lightened, without_lines
from smartlink.observability import ERROR, WARNING, describe, event, message_event, surprise
from smartlink.ports import Conflict, Messages, PortError, Unavailable
from smartlink.settings import LIMITS

if TYPE_CHECKING:  # for the annotations alone: a consumer polls nothing
    from smartlink.services.polling.tenant_poll import TenantPoll


@dataclass(frozen=True, slots=True)
class Pending:
    """A settlement to be written, and the claim under which it is written."""

    settlement: Settlement
    claim: str
    stored: Stored | None = None  # the message as it was claimed


@dataclass(slots=True)
class Settled:
    """Which settlements were written, and what happened to the others."""

    written: list[Settlement]
    lost: list[Settlement]  # another call has the message: the lease had ended
    unknown: list[Pending]  # the database did not answer: hand them in again
    refused: list[tuple[Pending, str]]  # what the database will never take, and why


def _groups(pending: Sequence[Pending]) -> Iterator[list[Pending]]:
    group: list[Pending] = []
    size = writes = 0
    for given in pending:
        item, its_size, its_writes = _weighed(given)
        if group and (size + its_size > LIMITS.request or writes + its_writes > LIMITS.writes):
            yield group
            group, size, writes = [], 0, 0
        group.append(item)
        size, writes = size + its_size, writes + its_writes
    if group:
        yield group


def _weighed(item: Pending) -> tuple[Pending, int, int]:
    """Returns the item without the log lines that have no room, and its bytes and writes.

    An item that cannot be weighed counts as a full request, so it shares no commit.
    """
    try:
        size, writes = item.settlement.weight
        if size > LIMITS.request:
            item = _shed(item, lightened(item.settlement, LIMITS.request))
            size, writes = item.settlement.weight
    except Exception as error:  # noqa: BLE001  (whatever an author slipped in harms no neighbour)
        document = item.settlement.document
        surprise("settle_surprised", "A settlement cannot be weighed", error, document=document)
        return item, LIMITS.request, LIMITS.writes
    return item, size, writes


def _shed(item: Pending, lighter: Settlement) -> Pending:
    if lighter is not item.settlement:
        text = f"{lighter.missing} log lines are left out, so that its outcome can be stored"
        event("log_shed", text, WARNING, document=lighter.document, lines=lighter.missing)
    return replace(item, settlement=lighter)


def settle_all(messages: Messages, tenant: str, pending: Sequence[Pending]) -> Settled:
    """Writes each settlement whole or not at all; one that fails does not stop the others."""
    settled = Settled([], [], [], [])
    for group in _groups(pending):
        try:
            messages.commit(tenant, [item.settlement for item in group])
        except Unavailable:
            settled.unknown.extend(group)
        except Exception as error:  # noqa: BLE001  (each is written alone to find the one at fault)
            if len(group) == 1:
                _failed(messages, tenant, group[0], error, settled)
                continue
            for item in group:
                _settle_alone(messages, tenant, item, settled)
        else:
            settled.written.extend(item.settlement for item in group)
    return settled


def _settle_alone(messages: Messages, tenant: str, item: Pending, settled: Settled) -> None:
    try:
        messages.commit(tenant, [item.settlement])
    except Exception as error:  # noqa: BLE001  (only this message is at fault)
        _failed(messages, tenant, item, error, settled)
    else:
        settled.written.append(item.settlement)


def _failed(
    messages: Messages, tenant: str, item: Pending, error: Exception, settled: Settled
) -> None:
    """Sorts a settlement whose own commit failed; writes it again without its log lines if
    refused."""
    if isinstance(error, Unavailable):
        settled.unknown.append(item)
        return
    if isinstance(error, Conflict):
        _met(messages, tenant, item, settled)
        return
    document = item.settlement.document
    if not isinstance(error, PortError):
        surprise("settle_surprised", "A settlement raised", error, document=document)
    lighter = without_lines(item.settlement)
    if lighter is not item.settlement:
        _settle_alone(messages, tenant, _shed(item, lighter), settled)
        return
    _refuse(item, str(error) if isinstance(error, PortError) else describe(error), settled)


def _refuse(item: Pending, why: str, settled: Settled) -> None:
    text = f"Its settlement cannot be written: {why}"
    event("settle_refused", text, ERROR, document=item.settlement.document)
    settled.refused.append((item, text))


def _met(messages: Messages, tenant: str, item: Pending, settled: Settled) -> None:
    """Finds out what a Conflict means: our own earlier write, another call's, or an existing
    document.

    The fence is looked up first, because a fence that is gone never holds again.
    """
    try:
        if _holds(messages, tenant, item.settlement):
            obstacle = _obstacle(messages, tenant, item.settlement)
            if obstacle is None:
                settled.unknown.append(item)
            else:
                _refuse(item, obstacle, settled)
        elif _applied(messages, tenant, item):
            settled.written.append(item.settlement)
        else:
            settled.lost.append(item.settlement)
    except PortError:  # also Refused: the reading was refused, not the settlement
        settled.unknown.append(item)


def _holds(messages: Messages, tenant: str, settlement: Settlement) -> bool:
    document, fence = settlement.document, settlement.fence
    live = messages.read(tenant, [document]).get(document)
    return fence is not None and live is not None and live.version == fence


def _obstacle(messages: Messages, tenant: str, settlement: Settlement) -> str | None:
    """Names the document that the settlement creates and that exists already; None if there is
    none."""
    ended = settlement.history.message.document if settlement.history is not None else None
    if ended is not None and messages.past(tenant, [ended]):
        return f"the history holds {ended} already"
    created = [message.document for message in settlement.created]
    if not created:
        return None
    there = min(messages.read(tenant, created), default=None)
    if there is None:
        there = min(messages.unreadable(tenant, created), default=None)
    return None if there is None else f"its reply {there} exists already"


def _applied(messages: Messages, tenant: str, item: Pending) -> bool:
    """Tells whether our own earlier write took effect, so that only its answer got lost."""
    document = item.settlement.document
    if item.settlement.live is not None:
        live = messages.read(tenant, [document]).get(document)
        if live is not None:
            claim = live.message.claim
            return bool(
                claim and claim.id == item.claim and live.message.state is not State.RUNNING
            )
        # An operator may have discarded the dead message since: then the history tells.
    history = item.settlement.history
    if history is not None:
        document = history.message.document
    past = messages.past(tenant, [document]).get(document)
    if past is None or (history is not None and past.ending is not history.ending):
        return False  # our write would have left that record
    return past.claim == item.claim


def bury(messages: Messages, poll: "TenantPoll", dead: Sequence[Stored], now: datetime) -> None:
    """Writes dead messages, each only if it is still at its version.

    The document and its log lines hold the error's text. That text may quote a content, so Cloud
    Logging gets only the reason's code.
    """
    pending = []
    for stored in dead:
        message = stored.message
        line = died(message, now, poll.expires)
        burial = Settlement(
            document=message.document, fence=stored.version, live=message, logs=(line,)
        )
        pending.append(Pending(burial, message.claim.id if message.claim else ""))
    for burial in settle_all(messages, poll.name, pending).written:
        if burial.live is not None:
            poll.count("dead")
            reason = burial.live.dead_reason
            message_event(burial.live, "message_dead", f"Dead: {reason}", ERROR, reason=reason)
