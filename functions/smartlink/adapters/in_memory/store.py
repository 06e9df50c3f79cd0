"""The twin of the relay's store in Firestore."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from itertools import count
from threading import Lock

from smartlink.adapters.in_memory.faults import Faults
from smartlink.domain.bucket import bucket_of
from smartlink.domain.hourly import HOUR, HourFigures
from smartlink.domain.identity import Direction
from smartlink.domain.message import (
    Ended,
    Ending,
    LogLine,
    Message,
    Past,
    State,
    Stored,
    Unreadable,
    Version,
)
from smartlink.domain.noted import Noted, note_commands
from smartlink.domain.order import Intake
from smartlink.domain.pin import Pin
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantState
from smartlink.ports import (
    BucketPage,
    ConfigFile,
    Conflict,
    ContentSweep,
    DuePage,
    HourlyFigures,
    InOrder,
    LastGoodConfig,
    LogSink,
    Messages,
    PartlyRefused,
    Place,
    Refused,
    RelayState,
    TenantStates,
)
from smartlink.settings import LIMITS

_Key = tuple[str, str]  # tenant, document
_Snapshot = tuple[dict[_Key, Stored], dict[_Key, Ended], dict[str, TenantState]]


def _with_state_of(old: Message, new: Message) -> Message:
    """Returns the old message with the fields that a swap writes; the others stay as created."""
    return replace(
        old,
        state=new.state,
        due=new.due,
        attempt=new.attempt,
        attempts=new.attempts,
        dispatches=new.dispatches,
        alone=new.alone,
        redriven=new.redriven,
        undone=new.undone,
        claim=new.claim,
        error=new.error,
        dead_reason=new.dead_reason,
        failure=new.failure,
        titular=new.titular,
        order=new.order,
        queued=new.queued,
    )


def _as_history(ended: Ended) -> Ended:
    message = ended.message
    kept = replace(
        message,
        state=State.RUNNING if ended.ending is Ending.DONE else State.DEAD,
        due=None,
        dispatches=0,
        alone=False,
        redriven=None,
        undone=False,
        failure=None,
        order=None,
        queued=False,
        content=replace(message.content, text=None, object=None)
        if message.personal
        else message.content,
    )
    return replace(ended, message=kept)


def _visible(line: LogLine) -> LogLine:
    def text(value: str) -> str:
        return value.encode("utf-8", "backslashreplace").decode()

    debug = text(line.debug) if line.debug is not None else None
    return replace(line, text=text(line.text), debug=debug)


class InMemoryMessages:
    """Firestore's twin. `operations` counts reads, writes and deletes as Firestore bills them."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.uncreatable: Callable[[Message], bool] = lambda _: False  # never created
        self.unswappable: Callable[[Message], bool] = lambda _: False  # never swapped
        self.writes_bucket: Callable[[], bool] = lambda: True  # False: an older release writes
        self.operations: Counter[str] = Counter()
        self._lock = Lock()
        self._versions = count(1)
        self._live: dict[_Key, Stored] = {}
        self._unreadable: dict[_Key, Unreadable] = {}  # live documents
        self._astray: set[_Key] = set()  # live documents that do not carry their tenant's bucket
        self._history: dict[_Key, Ended] = {}
        self._broken: dict[_Key, Past] = {}  # records of the history that somebody edited
        self._logs: defaultdict[str, list[LogLine]] = defaultdict(list)
        self._states: dict[str, TenantState] = {}
        self._hours: dict[tuple[str, datetime], HourFigures] = {}
        self._intakes: dict[str, tuple[Intake, Version]] = {}
        self._ticks: dict[int, tuple[datetime, int]] = {}
        self._commands: dict[str, Noted] = {}
        self._config: ConfigFile | None = None
        self._content_sweep: ContentSweep | None = None
        self._changes = 0
        self._jobs_due: dict[str, datetime] = {}

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        self.faults.before("create", tenant)
        with self._lock:
            refused = {
                number: f"create: {message.document} is refused"
                for number, message in enumerate(messages)
                if self.uncreatable(message)
            }
            versions = [
                None if number in refused else self._create(tenant, message)
                for number, message in enumerate(messages)
            ]
        self.faults.after("create", tenant)
        if refused:
            raise PartlyRefused(versions, refused)
        return versions

    def _create(self, tenant: str, message: Message) -> Version | None:
        self.operations["write"] += 1
        key = (tenant, message.document)
        if key in self._live:
            return None
        self._astray.add(key)
        return self._write(key, message)

    def _write(self, key: _Key, message: Message) -> Version:
        if self.writes_bucket():
            self._astray.discard(key)
        version = Version(str(next(self._versions)))
        self._live[key] = Stored(message, version)
        return version

    def _holds(self, key: _Key, fence: Version | None) -> bool:
        found = self._live.get(key)
        return found is not None and found.version == fence

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        self.faults.before("swap", tenant)
        with self._lock:
            versions = [self._swap(tenant, change.message, change.version) for change in changes]
        self.faults.after("swap", tenant)
        return versions

    def _swap(self, tenant: str, message: Message, fence: Version) -> Version | None:
        self.operations["write"] += 1
        key = (tenant, message.document)
        if self.unswappable(message) or not self._holds(key, fence):
            return None
        old = self._live[key].message
        new = _with_state_of(old, message)
        placed = key in self._astray and self.writes_bucket()
        # As Firestore: the version stays if nothing was written.
        return fence if new == old and not placed else self._write(key, new)

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        self.faults.before("commit", tenant)
        with self._lock:
            self._check(tenant, settlements)
            for settlement in settlements:
                self._apply(tenant, settlement)
        self.faults.after("commit", tenant)

    def _check(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        for settlement in settlements:
            key = (tenant, settlement.document)
            fenced = settlement.fence is not None
            created = [(tenant, message.document) for message in settlement.created]
            if not fenced and settlement.live is not None:
                created.append(key)
            if (
                (fenced and not self._holds(key, settlement.fence))
                or (
                    settlement.history is not None
                    and self._end(tenant, settlement.history) in self._history
                )
                or any(new in self._live for new in created)
            ):
                message = f"a commit for tenant {tenant} found a document changed or already there"
                raise Conflict(message)

    def _apply(self, tenant: str, settlement: Settlement) -> None:
        key = (tenant, settlement.document)
        if settlement.live is not None and settlement.fence is not None:
            self._swap(tenant, settlement.live, settlement.fence)
        elif settlement.live is not None:
            self._create(tenant, settlement.live)
        elif settlement.fence is not None:
            self.operations["delete"] += 1
            del self._live[key]
            self._unreadable.pop(key, None)
            self._astray.discard(key)
        if settlement.history is not None:
            self.operations["write"] += 1
            self._history[self._end(tenant, settlement.history)] = _as_history(settlement.history)
        for message in settlement.created:
            self._create(tenant, message)
        self._log(tenant, settlement.logs)

    @staticmethod
    def _end(tenant: str, ended: Ended) -> _Key:
        return (tenant, ended.message.document)

    def _log(self, tenant: str, lines: Sequence[LogLine]) -> None:
        self.operations["write"] += len(lines)
        self._logs[tenant] += map(_visible, lines)

    def read(self, tenant: str, documents: Sequence[str]) -> dict[str, Stored]:
        self.faults.before("read", tenant)
        with self._lock:
            self.operations["read"] += len(documents)
            found = {document: self._live.get((tenant, document)) for document in documents}
            return {
                document: stored
                for document, stored in found.items()
                if stored and (tenant, document) not in self._unreadable
            }

    def unreadable(self, tenant: str, documents: Sequence[str]) -> dict[str, Unreadable]:
        self.faults.before("unreadable", tenant)
        with self._lock:
            self.operations["read"] += len(documents)
            keys = [(tenant, document) for document in documents]
            return {key[1]: self._unreadable[key] for key in keys if key in self._unreadable}

    def alive(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        self.faults.before("read", tenant)
        with self._lock:
            self.operations["read"] += len(documents)
            keys = [(tenant, document) for document in documents]
            return {key[1]: self._told(key) for key in keys if key in self._live}

    def _told(self, key: _Key) -> Past:
        odd = self._unreadable.get(key)
        if odd is None:
            return Past.of(self._live[key].message)
        return Past(odd.type, odd.sha256, received=None)

    def history(self, tenant: str, documents: Sequence[str]) -> dict[str, Ended]:
        self.faults.before("history", tenant)
        with self._lock:
            self.operations["read"] += len(documents)
            keys = {document: (tenant, document) for document in documents}
            return {
                document: self._history[key]
                for document, key in keys.items()
                if key in self._history and key not in self._broken
            }

    def past(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        self.faults.before("history", tenant)
        with self._lock:
            self.operations["read"] += len(documents)
            keys = {document: (tenant, document) for document in documents}
            return {
                document: self._broken.get(key)
                or Past.of(self._history[key].message, self._history[key].ending)
                for document, key in keys.items()
                if key in self._history
            }

    def references(self, tenant: str, documents: Sequence[str]) -> dict[str, set[str | None]]:
        self.faults.before("references", tenant)
        with self._lock:
            self.operations["read"] += 2 * len(documents)
            return {document: self._references((tenant, document)) for document in documents}

    def _references(self, key: _Key) -> set[str | None]:
        live, ended, odd = self._live.get(key), self._history.get(key), self._unreadable.get(key)
        messages = [item.message for item in (live, ended) if item is not None]
        found = {it.content.object for it in messages if it.content.object is not None}
        return {*found, None} if odd is not None and odd.sha256 is None else {*found}

    def reused(self, tenant: str, document: str) -> list[str]:
        self.faults.before("reused", tenant)
        with self._lock:
            keys = {*self._live, *self._history}
            found = sorted(
                other
                for owner, other in keys
                if owner == tenant and other.startswith(f"{document}~")
            )
            self.operations["read"] += max(len(found), 2)
        return found

    def of_command(self, tenant: str, command: str) -> Iterator[Stored | Unreadable]:
        """See Messages."""
        self.faults.before("of_command", tenant)
        with self._lock:
            found: list[Stored | Unreadable] = [
                self._unreadable.get(key, stored)
                for key, stored in sorted(self._live.items())
                if key[0] == tenant and stored.message.type == command
            ]
            self.operations["read"] += max(len(found), 1)
        return iter(found)

    def undated(self, tenant: str) -> list[str]:
        self.faults.before("undated", tenant)
        with self._lock:
            live = [stored.message for key, stored in self._live.items() if key[0] == tenant]
            self.operations["read"] += max(len(live), 1)
            undated = (it for it in live if it.due is None and it.state is not State.DEAD)
            return sorted(it.document for it in undated)

    def due(
        self,
        tenant: str,
        now: datetime,
        limit: int,
        direction: Direction | None = None,
        since: datetime | None = None,
        after: Place | None = None,
    ) -> DuePage:
        self.faults.before("due", tenant)
        behind = (after.due, after.document) if after else None
        with self._lock:
            keys, cut = self._due(
                now,
                limit,
                lambda key, due, message: (
                    key[0] == tenant
                    and (since is None or due >= since)
                    and (behind is None or (due, key[1]) > behind)
                    and direction in {None, message.direction}
                ),
            )
            return self._page(keys, cut=cut)

    def due_in_bucket(
        self, bucket: str, now: datetime, limit: int, since: datetime | None = None
    ) -> BucketPage:
        self.faults.before("due_in_bucket", bucket)
        with self._lock:
            keys, cut = self._due(
                now,
                limit,
                lambda key, due, _: (
                    bucket_of(key[0]) == bucket
                    and key not in self._astray
                    and (since is None or due >= since)
                ),
            )
            of: defaultdict[str, list[_Key]] = defaultdict(list)
            for key in keys:
                of[key[0]].append(key)
            pages = {tenant: self._page(its) for tenant, its in of.items()}
            ends = [self._live[key].message.due for key in (*keys[:1], *keys[-1:])]
            begin, end = (ends[0], ends[-1]) if ends else (None, None)
            return BucketPage(pages, begin, end, whole=not cut and len(keys) < limit)

    def _due(
        self, now: datetime, limit: int, wanted: Callable[[_Key, datetime, Message], bool]
    ) -> tuple[list[_Key], bool]:
        """Returns the first documents that are due and wanted; and whether their contents were so
        large that more was not read."""
        found = sorted(
            (stored.message.due, key)
            for key, stored in self._live.items()
            if stored.message.due is not None
            and stored.message.due <= now
            and wanted(key, stored.message.due, stored.message)
        )[:limit]
        came, size = 0, 0
        while came < len(found) and size < LIMITS.page:
            size += len(self._live[found[came][1]].message.content.text or "")
            came += 1
        self.operations["read"] += max(came, 1)
        return [key for _, key in found[:came]], size >= LIMITS.page

    def _page(self, keys: Sequence[_Key], *, cut: bool = False) -> DuePage:
        readable = [self._live[key] for key in keys if key not in self._unreadable]
        odd = [self._unreadable[key] for key in keys if key in self._unreadable]
        last = self._live[keys[-1]].message if keys else None
        end = Place(last.due, last.document) if last and last.due else None
        astray = [
            self._live[key] for key in keys if key in self._astray and key not in self._unreadable
        ]
        return DuePage(readable, odd, end, cut=cut, astray=astray)

    def in_order(
        self, tenant: str, keys: Sequence[str], limit: int, before: str = ""
    ) -> list[InOrder]:
        self.faults.before("in_order", tenant)
        with self._lock:
            found = sorted(
                (order.number, order.key, document, stored)
                for (owner, document), stored in self._live.items()
                if owner == tenant
                and (order := stored.message.order) is not None
                and order.key in keys
                and (not before or order.number < before)
            )[:limit]
            self.operations["read"] += max(len(found), 1)
            return [
                InOrder(key, document, None if (tenant, document) in self._unreadable else stored)
                for _, key, document, stored in found
            ]

    def intake(self, tenant: str) -> tuple[Intake, Version] | None:
        self.faults.before("intake", tenant)
        with self._lock:
            self.operations["read"] += 1
            return self._intakes.get(tenant)

    def take_in(
        self,
        tenant: str,
        intake: Intake,
        version: Version | None,
        created: Sequence[Message] = (),
        moved: Sequence[Stored] = (),
    ) -> list[Version]:
        self.faults.before("take_in", tenant)
        with self._lock:
            known = self._intakes.get(tenant)
            if (
                (known[1] if known else None) != version
                or any((tenant, it.document) in self._live for it in created)
                or any(not self._holds((tenant, it.message.document), it.version) for it in moved)
            ):
                message = f"take in messages of {tenant}: found a document changed or already there"
                raise Conflict(message)
            if any(self.uncreatable(it) for it in created):
                message = f"take in messages of {tenant}: one is refused"
                raise Refused(message)
            self.operations["write"] += 1
            own = Version(str(next(self._versions)))
            self._intakes[tenant] = (intake, own)
            versions = [own, *(self._create(tenant, it) for it in created)]
            versions += [self._swap(tenant, it.message, it.version) for it in moved]
        self.faults.after("take_in", tenant)
        return [it for it in versions if it is not None]

    def log(self, tenant: str, lines: Sequence[LogLine]) -> None:
        self.faults.before("log", tenant)
        with self._lock:
            self._log(tenant, lines)

    def happened(self, tenant: str, since: datetime, until: datetime) -> bool:
        self.faults.before("happened", tenant)
        with self._lock:
            self.operations["read"] += 1
            if any(
                owner == tenant and since <= ended.ended < until
                for (owner, _), ended in self._history.items()
            ):
                return True
            self.operations["read"] += 1
            return any(since <= line.at < until for line in self._logs[tenant])

    def count_hour(self, tenant: str, at: datetime, most: int = 0) -> HourFigures:
        self.faults.before("count_hour", tenant)
        until = at + HOUR
        with self._lock:
            done = sum(
                owner == tenant and ended.ending is Ending.DONE and at <= ended.ended < until
                for (owner, _), ended in self._history.items()
            )
            told = [line.became for line in self._logs[tenant] if at <= line.at < until]
            counts = (done, told.count(State.WAITING), told.count(State.DEAD))
            self.operations["read"] += sum(max(-(-it // 1_000), 1) for it in counts)
            return HourFigures(at, *(min(it, most) if most else it for it in counts))

    def keep_hours(self, tenant: str, hours: Sequence[HourFigures]) -> None:
        self.faults.before("keep_hours", tenant)
        with self._lock:
            self.operations["write"] += len(hours)
            self._hours.update({(tenant, it.at): it for it in hours})

    def states(self, tenants: Sequence[str]) -> dict[str, TenantState]:
        self.faults.before("states", " ".join(tenants))
        with self._lock:
            self.operations["read"] += len(tenants)
            return {tenant: self._states.get(tenant, TenantState()) for tenant in tenants}

    def save_state(self, tenant: str, state: TenantState, known: TenantState | None = None) -> None:
        if state == known:
            return
        self.faults.before("save_state", tenant)
        with self._lock:
            self.operations["write"] += 1
            if known is not None:
                names = [it.name for it in fields(TenantState) if it.compare]
                changes = {name: getattr(state, name) for name in names}
                changes = {k: v for k, v in changes.items() if v != getattr(known, k)}
                state = replace(self._states.get(tenant, TenantState()), **changes)
            self._states[tenant] = replace(state, known=True)

    def pin(self, tenant: str, pin: Pin | None, before: Pin | None) -> bool:
        self.faults.before("pin", tenant)
        with self._lock:
            self.operations["read"] += 1
            state = self._states.get(tenant, TenantState())
            if state.pin not in {pin, before}:
                return False
            if state.pin != pin:
                self.operations["write"] += 1
                self._states[tenant] = replace(state, pin=pin, known=True)
        self.faults.after("pin", tenant)
        return True

    def has_live(self, tenant: str) -> bool:
        self.faults.before("has_live", tenant)
        with self._lock:
            self.operations["read"] += 1
            return any(key[0] == tenant for key in self._live)

    def known_tenants(self) -> list[str]:
        self.faults.before("known_tenants", "")
        with self._lock:
            self.operations["read"] += max(len(self._states), 1)
            return sorted(self._states)

    def advance(self, shard: int, tick: datetime, sequence: int) -> bool:
        self.faults.before("advance", str(shard))
        with self._lock:
            self.operations["read"] += 1
            last = self._ticks.get(shard)
            if last is not None and last >= (tick, sequence):
                return False
            self.operations["write"] += 1
            self._ticks[shard] = (tick, sequence)
            return True

    def commands(self) -> dict[str, Noted]:
        self.faults.before("commands", "")
        with self._lock:
            self.operations["read"] += 1
            return dict(self._commands)

    def note_commands(
        self, commands: Collection[str], now: datetime, every: timedelta
    ) -> dict[str, Noted]:
        self.faults.before("note_commands", "")
        with self._lock:
            self.operations["read"] += 1
            changed = note_commands(self._commands, commands, now, every)
            if changed is not None:
                self.operations["write"] += 1
                self._commands = changed
            answer = dict(self._commands)
        self.faults.after("note_commands", "")
        return answer

    def changes(self) -> str:
        """See RelayState."""
        self.faults.before("changes", "")
        with self._lock:
            self.operations["read"] += 1
            return str(self._changes or "")

    def announce_change(self) -> None:
        """See RelayState."""
        self.faults.before("announce_change", "")
        with self._lock:
            self.operations["write"] += 1
            self._changes += 1

    def standing_job(self, now: datetime) -> str | None:
        """See RelayState."""
        self.faults.before("standing_job", "")
        with self._lock:
            self.operations["read"] += 1
            due = [(at, job) for job, at in self._jobs_due.items() if at <= now]
            return min(due)[1] if due else None

    def set_job_due(self, job: str, due: datetime | None) -> None:
        """Notes from when a poll publishes a job again; None: never."""
        with self._lock:
            self._jobs_due.pop(job, None)
            if due is not None:
                self._jobs_due[job] = due

    def content_sweep(self) -> ContentSweep | None:
        self.faults.before("content_sweep", "")
        with self._lock:
            self.operations["read"] += 1
            return self._content_sweep

    def save_content_sweep(self, sweep: ContentSweep) -> None:
        self.faults.before("save_content_sweep", "")
        with self._lock:
            self.operations["write"] += 1
            self._content_sweep = sweep

    def load(self) -> ConfigFile | None:
        self.faults.before("load", "")
        with self._lock:
            self.operations["read"] += 1
            return self._config

    def save(self, file: ConfigFile) -> None:
        self.faults.before("save", "")
        with self._lock:
            self.operations["write"] += 1
            self._config = file

    # What another version, a person or an operator does.

    def make_unreadable(
        self, tenant: str, document: str, why: str = "another version's", *, legible: bool = True
    ) -> None:
        """Makes the live document unreadable, as if another version or a person had written it.

        If `legible`, its command and its content's hash stay readable.
        """
        with self._lock:
            key = (tenant, document)
            message = self._live[key].message
            self._write(key, message)
            told = (message.type, message.content.sha256) if legible else (None, None)
            self._unreadable[key] = Unreadable(document, why, self._live[key].version, *told)

    def lead_astray(self, tenant: str, document: str) -> None:
        """Removes the bucket from the live document, as if an older release had written it."""
        with self._lock:
            key = (tenant, document)
            self._write(key, self._live[key].message)
            self._astray.add(key)

    def astray(self) -> set[tuple[str, str]]:
        """Returns the tenant and the name of each live document without its bucket."""
        with self._lock:
            return set(self._astray)

    def take_date(self, tenant: str, document: str) -> None:
        """Removes `DataTentativaExec` from the live document, as a person may do."""
        with self._lock:
            key = (tenant, document)
            message = replace(self._live[key].message, due=None)
            version = self._write(key, message)
            why = f"it is {message.state} without DataTentativaExec"
            told = (message.type, message.content.sha256)
            self._unreadable[key] = Unreadable(document, why, version, *told)

    def snapshot(self) -> "_Snapshot":
        """Returns what is stored now, for `restore`."""
        with self._lock:
            return dict(self._live), dict(self._history), dict(self._states)

    def restore(self, snapshot: "_Snapshot") -> None:
        """Restores a snapshot, as a recovery does: every document gets a new version."""
        live, history, states = snapshot
        with self._lock:
            self._live.clear()
            self._unreadable.clear()
            self._astray.clear()
            for key, stored in live.items():
                self._write(key, stored.message)
            self._history = dict(history)
            self._states = dict(states)

    # What tests do, and look at.

    def break_history(self, tenant: str, document: str, *, left: Past) -> None:
        """Breaks a record of the history, as if somebody had edited it; `left` stays readable."""
        with self._lock:
            self._broken[tenant, document] = left

    def live(self, tenant: str) -> dict[str, Stored]:
        """Returns every live message, by its document's id."""
        with self._lock:
            return {key[1]: stored for key, stored in self._live.items() if key[0] == tenant}

    def ended(self, tenant: str) -> dict[str, Ended]:
        """Returns the whole history, by document id."""
        with self._lock:
            return {key[1]: ended for key, ended in self._history.items() if key[0] == tenant}

    def hours(self, tenant: str) -> dict[datetime, HourFigures]:
        """Returns the hourly figures that are kept."""
        with self._lock:
            return {at: hour for (owner, at), hour in self._hours.items() if owner == tenant}

    def logs(self, tenant: str) -> list[LogLine]:
        """Returns every log line, in the order in which they were written."""
        with self._lock:
            return list(self._logs[tenant])


_messages: type[Messages] = InMemoryMessages
_log_sink: type[LogSink] = InMemoryMessages
_states: type[TenantStates] = InMemoryMessages
_hourly: type[HourlyFigures] = InMemoryMessages
_relay_state: type[RelayState] = InMemoryMessages
_last_good: type[LastGoodConfig] = InMemoryMessages
