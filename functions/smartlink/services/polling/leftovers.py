"""Leftovers: once a day the relay sets an expiry on objects to which no document refers.

A process that ends between `put` and `create` leaves such an object, and so does an attempt whose
outcome was never written. No other part of the relay looks at these objects.

    list a page ─▶ keep the old ones that do not expire ─▶ read the documents ─▶ expire if unchanged

Google does not allow an expiry to be cancelled, so an object that is in use must never get one. A
call first puts a content and then writes its document, minutes later at most. So if nobody has put
an object for two days, a document refers to it already, or no running call ever will. A call that
puts the same content meanwhile changes the object, and a changed object does not get the expiry.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby

from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.observability import ERROR, INFO, WARNING, event, surprise
from smartlink.ports import (
    Clock,
    Contents,
    ContentSweep,
    Messages,
    PortError,
    Refused,
    RelayState,
    StoredContent,
)

AGE = timedelta(days=2)
"""The age from which an object is looked at: far more than any call takes to write its document."""

_EVERY = timedelta(days=1)
_AFTER_FAILURE = timedelta(hours=1)
_SECONDS = timedelta(seconds=10)  # no call begins later, because the poll must answer
_PAGE = 500  # objects
_CHUNK = 50  # objects whose documents are looked up at once
_COUNTED = ("kept", "expired", "taken_up", "refused", "undecided")


@dataclass(frozen=True, slots=True)
class _Whose:
    """A content, and the document for which it was put."""

    content: StoredContent
    tenant: str
    document: str


@dataclass(slots=True)
class _Run:
    """The part of the look through the bucket that one tick does."""

    sweep: ContentSweep
    deadline: datetime
    counts: Counter[str] = field(default_factory=Counter)


class Leftovers:
    """Looks through the bucket, a few pages in each tick, until its end."""

    def __init__(
        self, messages: Messages, contents: Contents, relay_state: RelayState, clock: Clock
    ) -> None:
        self._messages = messages
        self._contents = contents
        self._relay_state = relay_state
        self._clock = clock
        self._not_before: datetime | None = None  # known to this process alone, so it costs no read

    def __call__(self) -> None:
        """Begins or continues the look if it is time. It never raises, so the poll always goes
        on."""
        now = self._clock()
        if self._not_before is not None and now < self._not_before:
            return
        try:
            self._go_on(now)
        except PortError as error:
            self._not_before = now + _AFTER_FAILURE
            event("contents_not_swept", f"It goes on in an hour: {error}", WARNING)
        except Exception as error:  # noqa: BLE001  (a surprise here must not stop the messages)
            self._not_before = now + _AFTER_FAILURE
            surprise("contents_not_swept", "Unexpected: it goes on in an hour", error)

    def _go_on(self, now: datetime) -> None:
        sweep = self._relay_state.content_sweep()
        if sweep is not None and not sweep.after and now < sweep.begun + _EVERY:
            self._not_before = sweep.begun + _EVERY
            return
        if sweep is None or not sweep.after:
            sweep = ContentSweep(begun=now, after="")
        run = _Run(sweep, now + _SECONDS)
        try:
            self._pages(run)
        finally:
            if run.sweep.after or run.counts["complete"]:
                self._relay_state.save_content_sweep(run.sweep)
            self._report(run)

    def _pages(self, run: _Run) -> None:
        touched = run.sweep.begun - AGE
        while self._clock() < run.deadline:
            page, following = self._contents.lasting(run.sweep.after, touched, _PAGE)
            for start in range(0, len(page), _CHUNK):
                if self._clock() >= run.deadline:
                    return
                chunk = page[start : start + _CHUNK]
                self._chunk(run, chunk)
                run.sweep = replace(run.sweep, after=chunk[-1].name)
            run.sweep = replace(run.sweep, after=following)
            if not following:
                run.counts["complete"] = 1
                return

    def _report(self, run: _Run) -> None:
        undecided = run.counts["undecided"]
        text = f"{run.counts['expired']} contents that nothing refers to expire now"
        if undecided:
            text = f"{text}; of {undecided} it cannot be told what refers to them: they stay"
        severity = WARNING if undecided else INFO
        complete = bool(run.counts["complete"])
        counts = {name: run.counts[name] for name in _COUNTED}
        event("contents_swept", text, severity, complete=complete, **counts)

    def _chunk(self, run: _Run, chunk: Sequence[StoredContent]) -> None:
        known = [whose for content in chunk if (whose := _whose(content)) is not None]
        run.counts["undecided"] += len(chunk) - len(known)
        for tenant, group in groupby(known, key=lambda it: it.tenant):
            its = list(group)
            try:
                unused = list(self._unused(run, tenant, its))
            except Refused as error:  # these are never readable; others go on
                run.counts["undecided"] += len(its)
                text = f"What refers to {len(its)} contents of {tenant} cannot be read: {error}"
                event("contents_undecided", text, ERROR, first=its[0].content.name)
                continue
            for content in unused:
                self._expire(run, content)

    def _expire(self, run: _Run, content: StoredContent) -> None:
        try:
            expired = self._contents.expire_unchanged(content, self._clock())
        except Refused as error:  # for example a hold on the object; the others go on
            run.counts["refused"] += 1
            if run.counts["refused"] == 1:
                text = f"A content that nothing refers to cannot be let expire: {error}"
                event("contents_not_swept", text, ERROR, object=content.name)
        else:
            run.counts["expired" if expired else "taken_up"] += 1

    def _unused(self, run: _Run, tenant: str, its: Sequence[_Whose]) -> Iterator[StoredContent]:
        """Yields the contents to which no document refers."""
        references = self._messages.references(tenant, sorted({it.document for it in its}))
        for whose in its:
            name = whose.content.name
            found = references[whose.document]
            if name not in found and None not in found:
                # An older release put a reused id's content under the first message's document.
                others = self._messages.reused(tenant, whose.document)
                found = found.union(*self._messages.references(tenant, others).values())
            if name in found:
                run.counts["kept"] += 1
            elif None in found:
                run.counts["undecided"] += 1
                text = f"A document that cannot be read may refer to {name}: it stays"
                event("contents_undecided", text, WARNING, document=whose.document, object=name)
            else:
                yield whose.content


def _whose(content: StoredContent) -> _Whose | None:
    """Finds the tenant and the document in the object's name; None if the name is not one of
    ours."""
    parts = content.name.split("/")
    if len(parts) != 3:  # noqa: PLR2004
        return None
    tenant, document, _ = parts
    if document.startswith("~"):
        told = content.document or ""
        if document != f"~{hashlib.sha256(told.encode()).hexdigest()}":
            return None
        document = told
    try:
        check_tenant_name(tenant)
    except TenantError:
        return None
    return _Whose(content, tenant, document) if document.startswith(("D-", "U-")) else None
