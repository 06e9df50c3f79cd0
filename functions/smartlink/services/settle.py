"""Writes settlements: many in a commit, each by itself when a shared commit does not hold."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from smartlink.domain.message import State, Stored
from smartlink.domain.settlement import Settlement
from smartlink.observability import ERROR, event
from smartlink.ports import Conflict, Messages, Refused, Unavailable
from smartlink.settings import LIMITS


@dataclass(frozen=True, slots=True)
class Pending:
    """A settlement to be written, and the claim that entitles to it."""

    settlement: Settlement
    claim: str
    stored: Stored | None = None  # what it settles; for who settles it otherwise if it is refused


@dataclass(slots=True)
class Settled:
    """What became of the settlements that were handed in."""

    written: list[Settlement]
    lost: list[Settlement]  # another has the message now: the lease had run out
    unknown: list[Pending]  # the database did not answer; safe to hand in again
    refused: list[tuple[Pending, str]]  # the database will never take it: it is too large, say


def _groups(pending: Sequence[Pending]) -> Iterator[list[Pending]]:
    group: list[Pending] = []
    size = writes = 0
    for item in pending:
        its_size, its_writes = item.settlement.weight
        if group and (size + its_size > LIMITS.request or writes + its_writes > LIMITS.writes):
            yield group
            group, size, writes = [], 0, 0
        group.append(item)
        size, writes = size + its_size, writes + its_writes
    if group:
        yield group


def settle_all(messages: Messages, tenant: str, pending: Sequence[Pending]) -> Settled:
    """Writes each settlement all or nothing; one that does not hold harms no other."""
    settled = Settled([], [], [], [])
    for group in _groups(pending):
        try:
            messages.commit(tenant, [item.settlement for item in group])
        except Unavailable:
            settled.unknown.extend(group)
        except (Conflict, Refused):
            for item in group:
                _settle_alone(messages, tenant, item, settled)
        else:
            settled.written.extend(item.settlement for item in group)
    return settled


def _settle_alone(messages: Messages, tenant: str, item: Pending, settled: Settled) -> None:
    try:
        messages.commit(tenant, [item.settlement])
    except Unavailable:
        settled.unknown.append(item)
    except Refused as error:
        text = f"Its settlement cannot be written: {error}"
        event("settle_refused", text, ERROR, document=item.settlement.document)
        settled.refused.append((item, text))
    except Conflict:
        try:
            applied = _applied(messages, tenant, item)
        except Unavailable:
            settled.unknown.append(item)
        else:
            (settled.written if applied else settled.lost).append(item.settlement)
    else:
        settled.written.append(item.settlement)


def _applied(messages: Messages, tenant: str, item: Pending) -> bool:
    """Whether it was our own earlier write, whose answer got lost, that is in the way."""
    document = item.settlement.document
    live = messages.read(tenant, [document]).get(document)
    if item.settlement.live is not None:
        claim = live.message.claim if live else None
        return bool(
            live and claim and claim.id == item.claim and live.message.state is not State.RUNNING
        )
    ended = messages.history(tenant, [document]).get(document)
    claim = ended.message.claim if ended else None
    return live is None and claim is not None and claim.id == item.claim
