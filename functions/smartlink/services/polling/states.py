"""Reads the tenants' states (`tenants/{tenant}`) now and then, and writes what has changed."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from smartlink.domain.hourly import settled_until
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantEntry, TenantState
from smartlink.observability import ERROR, INFO, WARNING, bound, event
from smartlink.ports import Messages, PortError, TenantStates
from smartlink.services.polling.hourly import Hourly
from smartlink.services.polling.tenant_poll import TenantPoll

_UNDATED_HOUR = 5  # of the day in UTC, night in Brazil: then the look begins
_UNDATED_TENANTS = 200  # at most, in an hour
_TOLD = 10  # documents by name
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
_FOREVER = datetime(9999, 1, 1, tzinfo=UTC)


class States:
    """Keeps the tenants' states in this process for a few minutes.

    A pause that another process has just noted is learnt late: that costs a failing call. What an
    operator changed is learnt in the next tick: see changes.py.
    """

    def __init__(
        self, store: TenantStates, messages: Messages, refresh: timedelta, hourly: Hourly
    ) -> None:
        self._store = store
        self._hourly = hourly
        self._messages = messages
        self._refresh = refresh
        self._kept: dict[str, tuple[TenantState, datetime]] = {}
        self._stored: dict[str, TenantState] = {}  # as they were read, or written last
        self._changes = ""  # the last mark
        self._orphans_at: datetime | None = None
        self._undated_on: date | None = None  # the day of the last look for undated documents
        self._unlooked: list[str] = []  # tenants that this look has not reached
        self._lock = threading.Lock()

    def of(
        self, tenants: Sequence[str], now: datetime, changes: str = ""
    ) -> dict[str, TenantState]:
        """The states of these tenants, read in one batch where they are not known.

        A mark of changes that is not known yet puts all that is kept out of date.
        """
        with self._lock:
            if changes and changes != self._changes:
                self._changes = changes
                self._kept = {name: (state, _LONG_AGO) for name, (state, _) in self._kept.items()}
            stale = [
                name
                for name in tenants
                if name not in self._kept or now - self._kept[name][1] >= self._refresh
            ]
        if stale:
            read = self._store.states(stale)
            for name in stale:
                _tell_unreadable(name, read[name])
            with self._lock:
                self._kept.update({name: (state, now) for name, state in read.items()})
                self._stored.update(read)
        with self._lock:
            return {name: self._kept[name][0] for name in tenants}

    def again(self, poll: TenantPoll, now: datetime) -> None:
        """Reads the tenant's state again."""
        state = self._store.states([poll.name])[poll.name]
        poll.change(lambda _: state)
        with self._lock:
            self._kept[poll.name] = (state, now)
            self._stored[poll.name] = state

    def pin(self, poll: TenantPoll, pin: Pin) -> bool:
        """Pins the name to a customer; returns False if another process has just pinned it."""
        if not self._store.pin(poll.name, pin, poll.state.pin):
            return False
        state = poll.change(lambda it: replace(it, pin=pin, known=True))
        with self._lock:
            self._kept[poll.name] = (state, self._kept.get(poll.name, (state, _FOREVER))[1])
            if poll.name in self._stored:
                self._stored[poll.name] = replace(self._stored[poll.name], pin=pin)
        return True

    def halted(self, poll: TenantPoll, error: str, now: datetime) -> None:
        """Notes that the credentials belong to another customer, and logs it in each tick."""
        before = poll.state
        state = poll.change(lambda it: it.after_halt(now, error))
        if state is not before:
            self._save(poll, state)
        poll.count("haltedTenants")
        event("tenant_halted", error, ERROR)

    def resumed(self, poll: TenantPoll) -> None:
        """Notes that the credentials belong again to the name's customer."""
        if poll.state.halted is None:
            return
        event("tenant_resumed", "Its credentials are those of whom its name belongs to", INFO)
        self._save(poll, poll.change(lambda it: replace(it, halted=None)))

    def set_up(self, poll: TenantPoll, setup: str, commands: Sequence[str]) -> None:
        """Notes that the queue was set up. If the note is lost, setup runs again, which does no
        harm."""
        names = tuple(commands)
        state = poll.change(lambda it: replace(it, setup=setup, commands=names))
        self._save(poll, state)

    def ordered(self, poll: TenantPoll) -> None:
        """Notes that ordered messages come for the tenant."""
        if not poll.state.ordered:
            self._save(poll, poll.change(lambda it: replace(it, ordered=True)))

    def failed(self, poll: TenantPoll, error: PortError, now: datetime) -> None:
        """Notes that the broker or RAC failed in this tick, and pauses the tenant if due."""
        state = poll.change(lambda it: it.after_failure(now, str(error)))
        self._save(poll, state)
        poll.count("broker_failures")
        text = f"Failed {state.failures} ticks in a row: {error}"
        event("tenant_failed", text, ERROR, failures=state.failures)
        if state.paused_until is not None:
            text = f"Paused until {state.paused_until:%H:%M:%S}Z; its dispatches go on"
            event("tenant_paused", text, ERROR, pausedUntil=state.paused_until.isoformat())

    def succeeded(self, poll: TenantPoll, now: datetime) -> None:
        """Notes that the broker answered in this tick."""
        before = poll.state
        state = poll.change(lambda it: it.after_success(now))
        if state is before:
            return
        if before.failures:
            event("tenant_recovered", f"Works again after {before.failures} failures", INFO)
        self._save(poll, state)

    def sending(self, poll: TenantPoll) -> None:
        """Keeps how sending goes; writes it when sending first fails and when it works again."""
        state = poll.state
        with self._lock:
            kept, at = self._kept.get(poll.name, (TenantState(), _FOREVER))
            if kept is state:
                return
            self._kept[poll.name] = (state, at)
        if (kept.sends, kept.sent) != (state.sends, state.sent):
            self._save(poll, state)

    def mark(self, poll: TenantPoll, counted: datetime | None) -> None:
        """Writes up to where the tenant's hours are kept, unless it was written with a change."""
        with self._lock:
            stored = self._stored.get(poll.name, TenantState())
            kept, at = self._kept.get(poll.name, (stored, _FOREVER))
            self._kept[poll.name] = (replace(kept, counted=counted), at)
        if counted is None or not stored.known:
            return  # the first state that is written has it
        if stored.counted is not None and stored.counted >= counted:
            return
        marked = replace(stored, counted=counted)
        try:
            self._store.save_state(poll.name, marked, stored)
        except PortError as error:
            event("state_not_saved", f"These hours will be counted again: {error}", WARNING)
        else:
            with self._lock:
                self._stored[poll.name] = replace(self._stored[poll.name], counted=counted)

    def _save(self, poll: TenantPoll, state: TenantState) -> None:
        """Writes the state. The state keeps its age: it lacks what other processes have noted
        since."""
        with self._lock:
            kept_at = self._kept.get(poll.name, (state, _FOREVER))[1]
            self._kept[poll.name] = (state, kept_at)
            stored = self._stored.get(poll.name)
        try:
            self._store.save_state(poll.name, state, stored)
        except PortError as error:
            event("state_not_saved", f"Its state is kept in this process only: {error}", WARNING)
        else:
            with self._lock:
                self._stored[poll.name] = state

    def note_orphans(self, entries: Sequence[TenantEntry], now: datetime) -> None:
        """Once an hour, logs the tenants that have live messages but no secret.

        It does so when the hour before is settled, because nobody else counts what they did in it.
        """
        at = self._orphans_at
        if at is not None and settled_until(now) == settled_until(at):
            return
        self._orphans_at = now
        try:
            known = self._store.known_tenants()
            for name in sorted(set(known) - {entry.name for entry in entries}):
                with bound(tenant=name):
                    self._note_orphan(name, now)
            self._tell_undated(known, now)
        except PortError as error:
            event("orphans_not_sought", f"The next hour tries again: {error}", WARNING)

    def _tell_undated(self, tenants: Sequence[str], now: datetime) -> None:
        """Once a day, logs live documents without a date, which no sweep finds.

        A person must have removed the date. The look reads every live document, so it begins only
        in one hour of the day, even in a new process. It looks at 200 tenants an hour, because the
        poll waits for it. Each day another tenant is the first.
        """
        if now.hour == _UNDATED_HOUR and self._undated_on != now.date():
            self._undated_on = now.date()
            first = now.date().toordinal() * _UNDATED_TENANTS % max(len(tenants), 1)
            ordered = sorted(tenants)
            self._unlooked = [*ordered[first:], *ordered[:first]]
        looking, self._unlooked = (
            self._unlooked[:_UNDATED_TENANTS],
            self._unlooked[_UNDATED_TENANTS:],
        )
        for name in looking:
            with bound(tenant=name):
                _tell_of(self._undated(name))

    def _undated(self, name: str) -> list[str]:
        try:
            return self._messages.undated(name)
        except PortError as error:
            event("undated_not_sought", f"The next day tries again: {error}", WARNING)
            return []

    def _note_orphan(self, name: str, now: datetime) -> None:
        """Its hours are counted here, because it has no turn: what was dispatched may still end."""
        state = self._store.states([name])[name]
        noted = self._hourly.count(name, state, now)
        if self._messages.due(name, _FOREVER, 1).returned:
            text = (
                "Its secret is deleted, but it has live messages: activate it again or discard them"
            )
            event("tenant_orphaned", text, WARNING)
            noted = replace(noted, orphaned=True)
        if noted != state:
            self._store.save_state(name, noted, state)


def _tell_of(undated: Sequence[str]) -> None:
    if undated:
        text = f"{len(undated)} live documents without DataTentativaExec: no sweep finds them"
        told = list(undated[:_TOLD])
        event("document_unreadable", text, ERROR, number=len(undated), documents=told)


def _tell_unreadable(name: str, state: TenantState) -> None:
    """Logs the fields of a state that are unreadable; the tenant goes on without them."""
    if state.unreadable:
        text = f"Its state cannot be read whole: {', '.join(state.unreadable)} must be fixed"
        event("document_unreadable", text, ERROR, tenant=name, documents=[name])
