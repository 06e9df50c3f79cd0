"""The JSON form of messages, attempts, log lines and more, with names in camelCase, times in
UTC."""

from datetime import UTC, datetime
from typing import Any

from smartlink.domain.message import (
    Attempt,
    Content,
    Ended,
    EndedSummary,
    LogLine,
    LogType,
    Summary,
)
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import TenantState
from smartlink.domain.traceparent import traceparent_of
from smartlink.operations.audit import Deed
from smartlink.operations.blocked import Blocked
from smartlink.operations.causes import code_of
from smartlink.operations.figures import Figures
from smartlink.operations.job import Job, OddJob
from smartlink.operations.ports import RawDocument
from smartlink.operations.retries import schedule
from smartlink.operations.tenants import TenantOverview
from smartlink.operations.trace import Trace

Json = dict[str, Any]


def iso(at: datetime | None) -> str | None:
    """Writes an instant for programs."""
    return None if at is None else at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def log_type(kind: LogType) -> str:
    """Writes `LOGTYPE` as a word."""
    return kind.name.lower()


def message_view(tenant: str, message: Summary, now: datetime | None = None) -> Json:
    """A message without its content; with its age if it is said when `now` is."""
    age = {"ageSeconds": int((now - message.received).total_seconds())} if now else {}
    return age | {
        "tenant": tenant,
        "document": message.document,
        "id": message.id,
        "direction": message.direction.value,
        "command": message.type,
        "situacao": message.state.value,
        "attempt": message.attempt,
        "received": iso(message.received),
        "due": iso(message.due),
        "audience": message.audience,
        "correlationId": message.correlation_id,
        "requestId": message.request_id,
        "traceparent": traceparent_of(tenant, message),
        "personal": message.personal,
        "redriven": iso(message.redriven),
        "error": message.error,
        "print": code_of(message.error),
        "deadReason": message.dead_reason.value if message.dead_reason else None,
    }


def blocked_view(item: Blocked, now: datetime) -> Json:
    """A message that waits for its turn, and what holds it back."""
    first = item.first
    return message_view(item.tenant, item.message, now) | {
        "key": item.message.order.key if item.message.order else None,
        "blockedSeconds": int((now - item.since).total_seconds()),
        "blockedBy": {
            "document": item.document,
            "id": first.id if first else None,
            "situacao": first.state.value if first else None,
            "due": iso(first.due) if first else None,
            "deadReason": first.dead_reason.value if first and first.dead_reason else None,
        },
    }


def ended_view(tenant: str, ended: Ended | EndedSummary) -> Json:
    """A message of the history."""
    return message_view(tenant, ended.message) | {
        "situacao": ended.ending.value,
        "ended": iso(ended.ended),
        "expires": iso(ended.expires),
    }


def unreadable_view(tenant: str, document: str, why: str) -> Json:
    """An unreadable document, whose message's id is not known."""
    return {"tenant": tenant, "document": document, "id": None, "unreadable": why}


def raw_view(tenant: str, raw: RawDocument, *, content: bool) -> Json:
    """An unreadable document with its fields."""
    return unreadable_view(tenant, raw.document, raw.why) | {
        "collection": raw.collection,
        "fields": raw.shown(content=content),
    }


def attempt_view(attempt: Attempt) -> Json:
    """One line of `Tentativas`."""
    return {
        "number": attempt.number,
        "started": iso(attempt.started),
        "ended": iso(attempt.ended),
        "result": attempt.result.value,
        "error": attempt.error,
    }


def line_view(tenant: str, line: LogLine) -> Json:
    """One document of `GTotvsLinkLog`."""
    return {
        "tenant": tenant,
        "message": line.message_id,
        "type": log_type(line.type),
        "text": line.text,
        "at": iso(line.at),
        "debug": line.debug,
    }


def content_view(content: Content) -> Json:
    """A content."""
    return {
        "sha256": content.sha256,
        "size": content.size,
        "object": content.object,
        "text": content.text,
    }


def state_view(state: TenantState) -> Json:
    """A tenant's state."""
    return {
        "commands": list(state.commands),
        "failures": state.failures,
        "pausedUntil": iso(state.paused_until),
        "lastError": state.last_error,
        "lastErrorAt": iso(state.last_error_at),
        "lastSuccess": iso(state.last_success),
        "orphaned": state.orphaned,
        "tenantId": state.pin.tenant_id if state.pin else None,
        "haltedSince": iso(state.halted),
        "adopted": state.adopted,
    }


def trace_view(trace: Trace, *, content: bool) -> Json:
    """Everything about one message; the content's text only if `content`."""
    located = trace.located
    tenant, message = located.tenant, located.message
    own = (
        ended_view(tenant, located.ended)
        if located.live is None and located.ended is not None
        else message_view(tenant, message)
    )
    kept = content_view(message.content)
    return {
        **own,
        "content": kept if content else kept | {"text": None},
        "attempts": [attempt_view(it) for it in message.attempts],
        "logs": [line_view(tenant, line) for line in trace.lines],
        "replies": [
            message_view(tenant, it.message) | {"situacao": str(it.state)} for it in trace.replies
        ],
    }


def overview_view(found: TenantOverview) -> Json:
    """A tenant's status, state and numbers of messages."""
    counts = {"live": found.live, "waiting": found.waiting, "dead": found.dead}
    return {
        "tenant": found.tenant,
        "status": str(found.status),
        **counts,
        "lastMessage": iso(found.last_message),
        "lastTick": iso(found.last_tick),
        **state_view(found.state),
    }


def schedule_view(policy: RetryPolicy) -> Json:
    """A policy and each attempt's delay."""
    return {
        "generation": policy.generation,
        "QtdeTentativasExec": policy.attempts,
        "FatorTempoExecucao": str(policy.factor),
        "MinutesInterval": str(policy.interval),
        "horizonMinutes": policy.horizon.total_seconds() / 60,
        "attempts": [
            {"attempt": it.number, "waitMinutes": it.wait.total_seconds() / 60}
            for it in schedule(policy)
        ],
    }


def deed_view(deed: Deed) -> Json:
    """An act of an operator: what was meant, and what came of it."""
    intent, result = deed.intent, deed.result
    return {
        "id": intent.id,
        "at": iso(intent.at),
        "act": intent.act,
        "who": intent.who,
        "verified": intent.verified,
        "tenant": intent.tenant,
        "target": intent.target,
        "reason": intent.reason,
        "intended": intent.count,
        "before": dict(intent.before),
        "done": result.count if result else None,
        "after": dict(result.after) if result else None,
        "result": result.outcome if result else None,
        "ended": iso(result.at) if result else None,
    }


def job_view(job: Job | OddJob) -> Json:
    """A job: what it is about, and how far it has come."""
    if isinstance(job, OddJob):
        return {"job": job.id, "unreadable": job.why}
    counts = job.counts
    return {
        "job": job.id,
        "act": job.action,
        "target": job.target,
        "tenants": list(job.selection.tenants),
        "selected": iso(job.selection.at),
        "situacao": job.state.value,
        "madeBy": job.made_by,
        "made": iso(job.made),
        "who": job.who,
        "verified": job.verified,
        "reason": job.reason,
        "limit": job.most,
        "rate": job.rate,
        "matched": job.matched,
        "matchedAtMost": job.bound,
        "looked": counts.looked,
        "done": counts.done,
        "atLeast": job.at_least,
        "endedBefore": counts.second,
        "changedMeanwhile": counts.changed,
        "refused": counts.refused,
        "refusals": list(job.refusals),
        "skipped": dict(counts.skipped),
        "more": job.more,
        "problem": job.problem,
        "stoppedBy": job.stopped_by,
        "steps": job.steps,
        "updated": iso(job.updated),
        "ended": iso(job.ended),
    }


def figures_view(figures: Figures) -> Json:
    """All figures."""
    oldest = figures.oldest
    return {
        "since": iso(figures.since),
        "until": iso(figures.until),
        "done": figures.done,
        "discarded": figures.discarded,
        "doneByHour": {str(iso(hour)): its.done for hour, its in figures.hours()},
        "failedByHour": {str(iso(hour)): its.failed for hour, its in figures.hours()},
        "retriedByHour": {str(iso(hour)): its.retried for hour, its in figures.hours()},
        "longestWaitSecondsByHour": {
            str(iso(hour)): its.waited.total_seconds() for hour, its in figures.hours()
        },
        "attempts": {str(number): count for number, count in sorted(figures.attempts.items())},
        "situacao": dict(figures.states),
        "unreadable": {"live": figures.unreadable, "history": figures.odd_history},
        "failures": [vars(it) for it in figures.worst()],
        "oldestWaiting": oldest
        and {"tenant": oldest[0], "id": oldest[1].id, "received": iso(oldest[1].received)},
        "incomplete": bool(figures.cut),
        "historySince": {tenant: iso(since) for tenant, since in figures.cut.items()},
    }
