"""Messages, attempts and log lines as `--json` shows them: camelCase, instants in UTC."""

from typing import TYPE_CHECKING

from infra.cli.screen import Json, iso
from smartlink.domain.message import Attempt, Content, Ended, EndedSummary, LogLine, Summary
from smartlink.domain.tenant import TenantState

if TYPE_CHECKING:  # Google's libraries take long to import
    from infra.cli.adapters.messages import Odd

LOG_TYPES = {0: "information", 1: "warning", 2: "error"}


def message_view(tenant: str, message: Summary) -> Json:
    """A message without its content."""
    return {
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
        "personal": message.personal,
        "redriven": iso(message.redriven),
        "error": message.error,
        "deadReason": message.dead_reason.value if message.dead_reason else None,
    }


def ended_view(tenant: str, ended: Ended | EndedSummary) -> Json:
    """A message of the history."""
    return message_view(tenant, ended.message) | {
        "situacao": ended.ending.value,
        "ended": iso(ended.ended),
        "expires": iso(ended.expires),
    }


def unreadable_view(tenant: str, document: str, why: str) -> Json:
    """A document that cannot be read: its id is not known."""
    return {"tenant": tenant, "document": document, "id": None, "unreadable": why}


def odd_view(tenant: str, odd: "Odd", *, content: bool) -> Json:
    """The same with its fields."""
    fields = odd.shown(content=content)
    return unreadable_view(tenant, odd.document, odd.why) | {
        "collection": odd.collection,
        "fields": fields,
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
        "type": LOG_TYPES[line.type],
        "text": line.text,
        "at": iso(line.at),
        "debug": line.debug,
    }


def content_view(content: Content) -> Json:
    """What is known of a content."""
    return {
        "sha256": content.sha256,
        "size": content.size,
        "object": content.object,
        "text": content.text,
    }


def state_view(state: TenantState) -> Json:
    """`tenants/{tenant}`."""
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
