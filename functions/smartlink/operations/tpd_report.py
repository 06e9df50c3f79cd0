"""The controller's report: TPD's requests, their answers, what was kept and why.

It names nobody: messages by their ids, columns by the map's names. What it says of a request comes
from the message, from its replies, and from the facts that TPD's consumers put into `DATADEBUG`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from itertools import islice

from smartlink.domain.copies import Copies, Copy
from smartlink.domain.message import (
    EndedSummary,
    Ending,
    Listed,
    LogLine,
    State,
    Summary,
    Unreadable,
)
from smartlink.operations.names import existing_tenant
from smartlink.operations.ports import Deployment, EndedQuery
from smartlink.operations.trace import replies_of
from smartlink.ports import PortError
from smartlink.settings import Settings, SettingsError, load_settings

COMMANDS = ("SGDPDataCommand", "SGDPMaskCommand", "SGDPLogsCommand")
_MOST = 50_000  # of a tenant's history: the newest
_DAYS = tuple(f"SMARTLINK_{name}_DAYS" for name in (
    "BACKUP", "RECOVERY", "SOFT_DELETE", "TOPIC", "DEAD_LETTER", "HISTORY"
))  # fmt: skip


_Story = tuple[Summary, State | Ending, datetime | None]  # the message, its state, when it ended


class Result(StrEnum):
    """What became of a request, in the report's words."""

    ANSWERED = "respondido"
    QUEUED = "executado, resposta na fila de envio"
    REFUSED = "executado, resposta não entregue"
    RUNNING = "em andamento"
    DEAD = "sem resposta: aguarda um operador"
    DISCARDED = "descartado por um operador"


@dataclass(frozen=True, slots=True, kw_only=True)
class TpdRequest:
    """A request and its answer."""

    message: Summary
    result: Result
    state: State | Ending
    ended: datetime | None
    replies: int
    sent: datetime | None  # the last reply, once all are sent
    rows: int | None  # of the ERP; None: nothing tells
    dry_run: bool
    kept: Mapping[str, object]  # reason: the columns, or their number

    @property
    def days(self) -> int | None:
        """How many whole days it took from its arrival to its answer."""
        return None if self.sent is None else (self.sent - self.message.received).days


@dataclass(frozen=True, slots=True, kw_only=True)
class TpdReport:
    """All of the report."""

    tenant: str
    title: str
    since: datetime
    until: datetime
    made: datetime
    requests: Sequence[TpdRequest]
    odd: int  # documents that cannot be read: they may be requests
    cut: bool  # the history had more than were looked at
    copies: Copies
    history_days: int
    confirmed: bool  # those are what the functions themselves are set to

    def kept(self) -> dict[str, tuple[set[str], int]]:
        """By the reason: which columns were kept, and for how many requests."""
        found: dict[str, tuple[set[str], int]] = {}
        for request in self.requests:
            for reason, columns in request.kept.items():
                names, number = found.get(reason, (set[str](), 0))
                named = {str(it) for it in columns} if isinstance(columns, list) else set[str]()
                found[reason] = (names | named, number + 1)
        return found

    def copied_until(self) -> dict[Copy, date]:
        """Until when copies of the period's requests live on, as far as these have ended."""
        ends = [it.sent or it.ended for it in self.requests if it.ended is not None]
        return self.copies.until(max(filter(None, ends))) if ends else {}


def gather_report(
    deployment: Deployment, tenant: str, since: datetime, until: datetime
) -> TpdReport:
    """Read the requests that came in the period, alive or ended."""
    existing_tenant(deployment, tenant)
    store = deployment.store
    # The living first: what ends meanwhile is then met again in the history, and counted there.
    scanned = [it for command in COMMANDS for it in store.scan(tenant, {"Comando": command})]
    listed = list(islice(store.scan_ended(tenant, EndedQuery(since=since)), _MOST))
    ended = [it for it in listed if isinstance(it, EndedSummary)]
    raw = len(listed) - len(ended)
    odd = sum(isinstance(it, Unreadable) for it in scanned) + raw
    stories: dict[str, _Story] = {
        it.message.document: (it.message, it.message.state, None)
        for it in scanned
        if isinstance(it, Listed)
    }
    stories |= {it.message.document: (it.message, it.ending, it.ended) for it in ended}
    found = [
        _request(deployment, tenant, *story)
        for story in stories.values()
        if _meant(story[0], since, until)
    ]
    settings, confirmed = _in_force(deployment)
    return TpdReport(
        tenant=tenant,
        title=deployment.title,
        since=since,
        until=until,
        made=deployment.now(),
        requests=sorted(found, key=lambda it: (it.message.received, it.message.document)),
        odd=odd,
        cut=len(listed) == _MOST,
        copies=settings.copies,
        history_days=settings.history_days,
        confirmed=confirmed,
    )


def _meant(message: Summary, since: datetime, until: datetime) -> bool:
    own = message.type in COMMANDS and message.document.startswith("D-")
    return own and since <= message.received < until


def _request(
    deployment: Deployment,
    tenant: str,
    message: Summary,
    state: State | Ending,
    ended: datetime | None,
) -> TpdRequest:
    facts = _facts(deployment.store.lines_of(tenant, message.id))
    replies = replies_of(deployment.store, tenant, message) if state is Ending.DONE else []
    sent = [it.ended for it in replies if it.ended is not None]
    all_sent = bool(replies) and all(it.state is Ending.DONE for it in replies)
    rows, kept = facts.get("rows", facts.get("entries")), facts.get("kept")
    return TpdRequest(
        message=message,
        result=_result(state, [it.state for it in replies]),
        state=state,
        ended=ended,
        replies=len(replies),
        sent=max(sent) if all_sent else None,
        rows=rows if isinstance(rows, int) else None,
        dry_run=facts.get("dryRun") is True,
        kept=kept if isinstance(kept, dict) else {},
    )


def _result(state: State | Ending, replies: Sequence[State | Ending]) -> Result:
    match state:
        case Ending.DISCARDED:
            return Result.DISCARDED
        case State.DEAD:
            return Result.DEAD
        case Ending.DONE if any(it in (State.DEAD, Ending.DISCARDED) for it in replies):
            return Result.REFUSED
        case Ending.DONE if replies and all(it is Ending.DONE for it in replies):
            return Result.ANSWERED
        case Ending.DONE:
            return Result.QUEUED
        case _:
            return Result.RUNNING


def _facts(lines: Sequence[LogLine]) -> Mapping[str, object]:
    """What the consumer told, the last time; nothing of a release that told nothing."""
    found: Mapping[str, object] = {}
    for line in lines:
        try:
            document = json.loads(line.debug or "null")
        except (ValueError, RecursionError):
            continue
        facts = document.get("tpd") if isinstance(document, dict) else None
        if isinstance(facts, dict):
            found = facts
    return found


def _in_force(deployment: Deployment) -> tuple[Settings, bool]:
    """The settings of the functions themselves, and whether they are: else this machine's."""
    try:
        deployment.platform.sign_in()
        variables = deployment.platform.variables()
        if variables is None:
            return deployment.settings, True
        if all(name in variables for name in _DAYS):
            return load_settings(variables), True
    except (PortError, SettingsError):
        pass  # the report says that they are not confirmed
    return deployment.settings, False
