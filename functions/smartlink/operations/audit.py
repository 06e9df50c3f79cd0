"""Everything that an operator does is on record: who, what, why, and what came of it.

An act is recorded twice: as an intent before it begins, without which it does not begin, and as a
result after it. The records lie in a database of their own, where operators may create, get and
list, and nothing else.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol
from uuid import uuid4

from smartlink.domain.message import LogLine, LogType, Message
from smartlink.domain.settlement import annotate
from smartlink.i18n import Text, _, told
from smartlink.operations.acts import Act, words_of
from smartlink.operations.errors import ForbiddenError, OperationError
from smartlink.operations.names import existing_tenant
from smartlink.operations.ports import AuditRecord, Deployment, Desk
from smartlink.operations.tenants import UnusableSecretError, stored_tenant
from smartlink.ports import NotFound, PortError

REASON = 500  # characters that are kept
_TARGET = 1_000
_OUTCOME = 500
_BETWEEN = ", "  # tenants
PAGE = 300
TENANTS_AT_ONCE = 30  # in one query
LOOKED_AT = 20_000
"""Records that a list looks at, unless it is asked for all."""


@dataclass(frozen=True, slots=True)
class Note:
    """Who acts, why and when; and when the note expires."""

    who: str
    reason: str
    at: datetime
    expires: datetime
    undone: bool = False  # the operator knows that the message's work was not done

    def line(self, message: Message, what: str) -> LogLine:
        """Makes the line for `GTotvsLinkLog`."""
        text = f"{what} by {self.who}: {self.reason}"
        return annotate(message, LogType.INFORMATION, text, self.at, self.expires)


def note(desk: Desk, who: str, reason: str, *, undone: bool = False) -> Note:
    """Makes a note of now, kept as long as what ends now."""
    now = desk.now()
    expires = desk.settings.retention.expires(now, desk.policy)
    return Note(who, reason[:REASON], now, expires, undone)


class NotRecordedError(ForbiddenError):
    """The intent could not be recorded, so nothing was done."""


class ResultNotRecordedError(OperationError):
    """It was done, but its result could not be recorded."""


Facts = Mapping[str, object]


class Recording(Protocol):
    """What an act says of itself while it is done."""

    outcome: str
    count: int | None
    before: Facts
    after: Facts


@dataclass(slots=True)
class _Recording:
    outcome: str = "done"
    count: int | None = None
    before: Facts = field(default_factory=dict)
    after: Facts = field(default_factory=dict)


def intend(
    deployment: Deployment,
    act: Act,
    *,
    target: str,
    tenant: str | Collection[str] | None = None,
    reason: str | None = None,
    count: int | None = None,
    before: Facts | None = None,
) -> AuditRecord:
    """Records what is meant to be done. Raises NotRecordedError: then it must not be done."""
    who, now = deployment.operator, deployment.now()
    intent = AuditRecord(
        id=f"{now:%Y%m%dT%H%M%S%f}-{uuid4().hex[:8]}",
        act=act,
        who=who.name,
        verified=who.verified,
        at=now,
        target=target[:_TARGET],
        tenant=named_together(_each(tenant)),
        tenants=_each(tenant),
        reason=(reason or "").strip()[:REASON] or None,
        count=count,
        before=_texts(before or {}),
    )
    try:
        deployment.audit.create(intent)
    except PortError as error:
        message = _(
            "{act} was not recorded ({error}), so nothing was done", act=words_of(act), error=error
        )
        raise NotRecordedError(message) from error
    return intent


def result_of(
    intent: AuditRecord,
    outcome: str,
    at: datetime,
    *,
    count: int | None = None,
    after: Facts | None = None,
) -> AuditRecord:
    """Makes the record of what came of an act. An intent has one at most: the first one holds."""
    return AuditRecord(
        id=f"{intent.id}-result",
        act=intent.act,
        who=intent.who,
        verified=intent.verified,
        at=at,
        target=intent.target,
        tenant=intent.tenant,
        tenants=intent.tenants,
        reason=intent.reason,
        count=count,
        before=intent.before,
        after=_texts(after or {}),
        outcome=outcome[:_OUTCOME],
        intent=intent.id,
    )


@contextmanager
def recorded(
    deployment: Deployment,
    act: Act,
    *,
    target: str,
    tenant: str | Collection[str] | None = None,
    reason: str | None = None,
    count: int | None = None,
    before: Facts | None = None,
    warn: Callable[[Text], object],
) -> Iterator[Recording]:
    """Records the intent, lets the act be done, and records its result.

    Raises NotRecordedError before anything is done, and ResultNotRecordedError afterwards. Where
    the act itself fails, `warn` is told that its result could not be recorded.
    """
    recording = _Recording(count=count, before=before or {})
    intent = intend(
        deployment,
        act,
        target=target,
        tenant=tenant,
        reason=reason,
        count=count,
        before=recording.before,
    )
    try:
        yield recording
    except BaseException as error:
        text = str(error) or type(error).__name__
        try:
            deployment.audit.create(_result(deployment, intent, recording, f"failed: {text}"))
        except PortError as lost:
            warn(
                _(
                    "That it failed is not on record ({lost}): record {id} has no result.",
                    lost=lost,
                    id=intent.id,
                )
            )
        raise
    try:
        deployment.audit.create(_result(deployment, intent, recording, recording.outcome))
    except PortError as error:
        message = _(
            "{act} was done ({outcome}), but its result is not on record ({error}): record "
            "{id} has none",
            act=words_of(act),
            outcome=recording.outcome,
            error=error,
            id=intent.id,
        )
        raise ResultNotRecordedError(message) from error


def _result(
    deployment: Deployment, intent: AuditRecord, recording: Recording, outcome: str
) -> AuditRecord:
    meant = replace(intent, before=_texts(recording.before))
    at, count = deployment.now(), recording.count
    return result_of(meant, outcome, at, count=count, after=recording.after)


def _texts(facts: Facts) -> dict[str, str]:
    return {name: str(value)[:_OUTCOME] for name, value in facts.items() if value is not None}


def tenant_facts(deployment: Deployment, tenant: str) -> Facts:
    """Returns what can change of a tenant, as it is now."""
    existing_tenant(deployment, tenant)
    state = deployment.store.states([tenant])[tenant]
    enabled: object
    try:
        enabled = stored_tenant(deployment, tenant).enabled
    except (NotFound, UnusableSecretError):
        enabled = "no usable secret"
    return {
        "enabled": enabled,
        "failures": state.failures,
        "pausedUntil": state.paused_until,
        "haltedSince": state.halted,
        "belongsTo": state.pin,
    }


@dataclass(frozen=True, slots=True)
class Deed:
    """An act: its intent, and its result if there is one."""

    intent: AuditRecord
    result: AuditRecord | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditFilter:
    """All that are set must hold."""

    tenant: str | None = None
    tenants: Collection[str] | None = None
    """Acts on these alone, which the database itself finds; None: on any, and on none."""
    who: str | None = None
    act: str | None = None
    newer: timedelta | None = None


@dataclass(slots=True)
class AuditLook:
    """The acts that fit, the newest first, and how far the look went."""

    deeds: list[Deed] = field(default_factory=list)
    more: bool = False
    cut: datetime | None = None  # older records were not looked at


def look(
    deployment: Deployment, wanted: AuditFilter, most: int, bound: int | None = LOOKED_AT
) -> AuditLook:
    """Returns the newest `most` acts that fit. `bound` records are looked at, at most."""
    since = deployment.now() - wanted.newer if wanted.newer is not None else None
    found = AuditLook()
    results: dict[str, AuditRecord] = {}
    page = min(bound + 1, PAGE) if bound is not None else PAGE  # no record is read in vain
    own = _asked_for(wanted)
    if own is not None:
        page = shared(page, len(own))
    for number, record in enumerate(deployment.audit.records(since, page=page, tenants=own)):
        if number == bound:
            found.cut = record.at
            break
        if record.intent is not None:
            results[record.intent] = record
        elif _fits(wanted, record):
            if len(found.deeds) == most:
                found.more = True
                break
            found.deeds.append(Deed(record, results.pop(record.id, None)))
    return found


def _asked_for(wanted: AuditFilter) -> list[str] | None:
    """An act on several tenants is shown to whoever may see each of them, so that is sifted."""
    if wanted.tenants is None:
        return None
    return sorted(it for it in set(wanted.tenants) if wanted.tenant in {None, it})


def shared(page: int, tenants: int) -> int:
    """Returns how large the pages of several queries are that together read one page."""
    return max(1, page // max(1, -(-tenants // TENANTS_AT_ONCE)))


def _each(tenant: str | Collection[str] | None) -> tuple[str, ...]:
    if tenant is None:
        return ()
    return (tenant,) if isinstance(tenant, str) else tuple(sorted(set(tenant)))


def named_together(tenants: Iterable[str]) -> str | None:
    """Returns what to record for an act on several tenants."""
    return _BETWEEN.join(sorted(set(tenants)))[:_TARGET] or None


def _fits(wanted: AuditFilter, record: AuditRecord) -> bool:
    own = record.tenants or (record.tenant or "").split(_BETWEEN)  # an older record has no list
    return (
        (wanted.tenant is None or wanted.tenant in own)
        and (wanted.tenants is None or set(own) <= set(wanted.tenants))
        and (wanted.who or "").casefold() in record.who.casefold()
        and _is(wanted.act or "", record.act)
    )


def _is(wanted: str, act: str) -> bool:
    """Whether an act has this in its stored word, or in the words in which the reader sees it."""
    return any(wanted.casefold() in it.casefold() for it in (act, told(words_of(act))))
