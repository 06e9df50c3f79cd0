"""What must hold of every schedule, checked as it happens and at its end."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NoReturn

from greenlet import getcurrent, greenlet

from smartlink.adapters.in_memory import InMemoryContents, InMemoryMessages
from smartlink.domain.identity import DERIVED, Direction
from smartlink.domain.lifecycle import REPEAT
from smartlink.domain.message import DeadReason, Ending, Message, State, Stored, Version
from smartlink.domain.noted import KEPT, Noted
from smartlink.domain.order import Intake
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import TenantState
from smartlink.ports import DuePage, Place, Refused
from tests.simulation.claims import SKEW, Claims
from tests.simulation.kernel import Fault, Kernel, Process

_PROMPT = timedelta(minutes=10)


class BrokenError(AssertionError):
    """A promise was broken."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The content of an ended message, in the bucket."""

    name: str
    personal: bool
    process: Process | None  # which ended the message, and was to release it
    task: object
    call: int

    @property
    def excused(self) -> bool:
        """Whether it was kept from releasing it: killed, or not answered, since it did so."""
        if self.process is None:
            return False
        return any(
            it.kills
            or (
                it.task is self.task
                and it.fault in {Fault.UNAVAILABLE, Fault.UNKNOWN}
                and it.call >= self.call
            )
            for it in self.process.incidents
        )


@dataclass(slots=True)
class Ledger:
    """The books. Keys are (tenant, document)."""

    offered: set[tuple[str, str, str]] = field(default_factory=set)  # tenant, id, content
    nameless: set[tuple[str, str]] = field(default_factory=set)  # tenant, content; without an id
    asked: set[tuple[str, str]] = field(default_factory=set)  # tenant, hash of a content to publish
    published: set[tuple[str, str]] = field(default_factory=set)  # of them: accepted
    completed: Counter[tuple[str, str]] = field(default_factory=Counter)  # runs that returned
    failures: Counter[tuple[str, str]] = field(default_factory=Counter)  # the message's own
    lone_crashes: Counter[tuple[str, str]] = field(default_factory=Counter)
    ended: Counter[tuple[str, str]] = field(default_factory=Counter)
    expected: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many replies the last completed run returned."""
    replies: dict[tuple[str, str], str] = field(default_factory=dict)
    """Created by settlements; the hash of each one's content."""
    steps: dict[tuple[str, str], str] = field(default_factory=dict)
    """Created by settlements to continue a work; the document that each continues."""
    redriven: Counter[tuple[str, str]] = field(default_factory=Counter)  # by the operator
    endings: dict[tuple[str, str], Ending] = field(default_factory=dict)
    kept: dict[tuple[str, str], Kept] = field(default_factory=dict)
    """What ended and had its content in the bucket."""
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)  # by tenant and key
    say: Callable[[str], None] = lambda _: None
    problem: str | None = None  # the first promise that was broken
    limits: list[int] = field(default_factory=list)  # every limit that was ever in force

    def broken(self, text: str) -> NoReturn:
        """Ends the schedule; where the relay lives on after an exception, at its end."""
        self.say(f"BROKEN: {text}")
        self.problem = self.problem or text
        raise BrokenError(text)


class WatchedContents(InMemoryContents):
    """The bucket's twin, which knows who put an object last."""

    def __init__(self, kernel: Kernel) -> None:
        super().__init__()
        self._kernel = kernel
        self._put: dict[str, tuple[int, Process | None]] = {}

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        """See Contents."""
        name = super().put(tenant, document, sha256, data)
        self._put[name] = (self._kernel.calls, self._kernel.acting)  # it may have begun long ago
        return name

    def left_by_the_dead(self, name: str, since: int) -> bool:
        """Whether it was put once more after that call, by a process that was then kept from
        taking it back: it goes when the history that names it does."""
        call, process = self._put.get(name, (0, None))
        return call > since and process is not None and bool(process.dead or process.incidents)


class WatchedMessages(InMemoryMessages):
    """The store's twin, which looks at every transition."""

    def __init__(self, ledger: Ledger, claims: Claims, kernel: Kernel) -> None:
        super().__init__()
        self._ledger = ledger
        self._claims = claims
        self._kernel = kernel
        self._looked: dict[greenlet, Mapping[str, Noted]] = {}
        self.whose: dict[tuple[str, str], str] = {}
        """The customer of each document, of those that are not a name's first one."""
        self.behind: set[tuple[str, str]] = set()
        """Stored by a process that was held up since it read the tenant's state."""
        self.owners: dict[str, str] = {}
        """The same, of what comes of the broker, by the content's hash."""
        self.rotated: set[str] = set()  # tenants whose credentials alone change
        self.sent: set[tuple[str, str]] = set()  # contents that the broker has
        self.calm = False  # no faults come any more
        self.faults_end: datetime | None = None
        self.freed: dict[tuple[str, str], datetime] = {}
        """When something became of a message of a key last."""
        self.say = kernel.say
        self.last_ending = 0
        self.written: dict[tuple[str, str], float] = {}
        """When a live document was written last."""
        self.strayed: set[tuple[str, str]] = set()
        """Live documents that an older release created, or a person edited."""
        self.delayed: set[tuple[str, str]] = set()  # all that ever were: each waited for its look
        self.writes_bucket = lambda: not (kernel.acting and kernel.acting.older)

    def _write(self, key: tuple[str, str], message: Message) -> Version:
        version = super()._write(key, message)
        self.written[key] = self._kernel.now
        if key not in self._astray:
            self.strayed.discard(key)
        elif not self.writes_bucket():
            self.strayed.add(key)
            self.delayed.add(key)
        return version

    def hidden(self, key: tuple[str, str]) -> None:
        """A poll asked, and did not get it."""
        self._ledger.broken(f"{key} was due, and its tenant's poll was not shown it")

    def due(
        self,
        tenant: str,
        now: datetime,
        limit: int,
        direction: Direction | None = None,
        since: datetime | None = None,
        after: Place | None = None,
    ) -> DuePage:
        page = super().due(tenant, now, limit, direction, since, after)
        for stored in page.astray:
            key = (tenant, stored.message.document)
            if key not in self.strayed:
                self._ledger.broken(f"{key} lacks its bucket, and no older release wrote it")
        return page

    def stray(self, tenant: str, document: str) -> None:
        """Somebody takes the bucket away, by hand."""
        self.lead_astray(tenant, document)
        self.strayed.add((tenant, document))
        self.delayed.add((tenant, document))

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        versions = super().create(tenant, messages)
        for message, version in zip(messages, versions, strict=True):
            if version is not None:
                self._came(tenant, message)
                self._stored(tenant, message)
        return versions

    def take_in(
        self,
        tenant: str,
        intake: Intake,
        version: Version | None,
        created: Sequence[Message] = (),
        moved: Sequence[Stored] = (),
    ) -> list[Version]:
        before = {it.message.document: it.message for it in self.live(tenant).values()}
        versions = super().take_in(tenant, intake, version, created, moved)
        for message in created:
            self._check_last(tenant, message, before.values())
            self._came(tenant, message)
            self._stored(tenant, message)
        for change in moved:
            self._check_last(tenant, change.message, before.values())
            old = before[change.message.document]
            self._say_move(tenant, old, change.message)
            self._claimed(tenant, old, change.message)
        return versions

    def _line(self, tenant: str, key: str) -> list[Message]:
        """The live messages of a key, in their order."""
        its = [it.message for it in self.live(tenant).values()]
        line = [it for it in its if it.order is not None and it.order.key == key]
        return sorted(line, key=lambda it: it.order.number if it.order else "")

    def _check_last(self, tenant: str, message: Message, stored: Iterable[Message]) -> None:
        """Whatever gets a place gets the last one."""
        number = message.order.number if message.order else ""
        if any(
            it.order and it.order.number >= number
            for it in stored
            if it.document != message.document
        ):
            self._ledger.broken(f"{(tenant, message.document)} came before what is stored already")

    def starts(self, tenant: str, document: str, process: Process) -> None:
        """A consumer begins with the message: it is the first of its key, and the only one."""
        stored = self.live(tenant).get(document)
        held = self._claims.holds(process, tenant, document)
        if stored is None or held is None or stored.message.order is None:
            return
        message, order = stored.message, stored.message.order
        if message.claim is None or message.claim.id != held.claim.id:
            return  # it came too late: another has it
        for other in self._line(tenant, order.key):
            if other.document == document or other.order is None:
                continue
            if other.order.number < order.number:
                self._ledger.broken(f"{(tenant, document)} overtakes {other.document}")
            if other.state is State.RUNNING:
                self._ledger.broken(f"{(tenant, document)} runs beside {other.document}")
        self._check_prompt(tenant, message, order.key)

    def _touched(self, tenant: str, old: Message, new: Message | None = None) -> None:
        """Something becomes of a message of a key; not that it begins or ends to wait for its
        turn."""
        if new is not None and new.order is not None and new.order != old.order:
            self.freed[tenant, new.order.key] = self._kernel.clock()  # it is ordered anew
        if old.order is not None and not old.queued and not (new is not None and new.queued):
            self.freed[tenant, old.order.key] = self._kernel.clock()

    def _check_prompt(self, tenant: str, message: Message, key: str) -> None:
        """Without faults, the next one of a key begins soon after the one before it."""
        freed = self.freed.get((tenant, key)) if self.calm else None
        if freed is None or message.attempt != 1 or message.redriven is not None:
            return
        if (tenant, message.document) in self.delayed:
            return
        slow = self._kernel.injected[Fault.SLOW_BEFORE] + self._kernel.injected[Fault.SLOW_AFTER]
        if slow and (self.faults_end is None or freed < self.faults_end):
            return  # whoever freed it may have been held up since
        since = max(freed, message.received)
        if self._kernel.clock() - since > _PROMPT:
            self._ledger.broken(
                f"{(tenant, message.document)} had its turn at {since}: nobody knew"
            )

    def accepted(self, tenant: str, content: bytes) -> None:
        """The broker has a content: of the replies of a key none overtakes another."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.sent.add((tenant, sha256))
        for message in (it.message for it in self.live(tenant).values()):
            if message.content.sha256 != sha256 or message.order is None:
                continue
            for other in self._line(tenant, message.order.key):
                before = other.order is not None and other.order.number < message.order.number
                if before and (tenant, other.content.sha256) not in self.sent:
                    self._ledger.broken(f"{(tenant, message.document)} overtakes {other.document}")

    def held_back(self, tenant: str) -> set[str]:
        """The live documents that wait for what waits for a person."""
        odd = self.unreadable(tenant, list(self.live(tenant)))
        held: set[str] = set()
        waiting: set[str] = set()
        its = [it.message for it in self.live(tenant).values() if it.message.order is not None]
        for message in sorted(its, key=lambda it: it.order.number if it.order else ""):
            assert message.order is not None
            if message.order.key in held:
                waiting.add(message.document)
            elif message.state is State.DEAD or message.document in odd:
                held.add(message.order.key)
        return waiting

    def _stored(self, tenant: str, message: Message) -> None:
        if self._kernel.held_up(tenant):
            self.behind.add((tenant, message.document))

    def _came(self, tenant: str, message: Message, of: str = "") -> None:
        """A document is there, and whose it is."""
        customer = self.owners.get(message.content.sha256, of)
        if customer:
            self.whose[tenant, message.document] = customer
        if message.dead_reason is DeadReason.UNKNOWN_COMMAND:
            self._check_unknown(tenant, message)

    def _check_unknown(self, tenant: str, message: Message) -> None:
        """Only what no poll has noted for a quarter of an hour is taken for unknown; whoever takes
        it for that has looked."""
        looked = self._looked.get(getcurrent())
        name = f"{(tenant, message.document)} of {message.type}"
        if looked is None:
            self._ledger.broken(f"{name} was taken for unknown, and nobody looked")
        noted = looked.get(message.type)
        if noted is not None and self._kernel.clock() - noted.at < KEPT - 2 * SKEW:
            self._ledger.broken(f"{name} is dead as unknown, and a deployment knows it")

    def commands(self) -> dict[str, Noted]:
        noted = super().commands()
        self._looked[getcurrent()] = noted
        return noted

    def save_state(self, tenant: str, state: TenantState, known: TenantState | None = None) -> None:
        super().save_state(tenant, state, known)
        if state.halted is not None and tenant in self.rotated:
            self._ledger.broken(f"{tenant} was halted, and only its credentials changed")

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        before = {it.message.document: it for it in self.live(tenant).values()}
        versions = super().swap(tenant, changes)
        for change, version in zip(changes, versions, strict=True):
            if version is not None:
                old = before[change.message.document].message
                if self.live(tenant)[change.message.document].message == old:
                    continue  # only its bucket was written
                self._moved(tenant, old, change.message)
                self._claimed(tenant, old, change.message)
                self._touched(tenant, old, change.message)
        return versions

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        self._refuse_unwritable(tenant, settlements)
        before = {it.message.document: it.message for it in self.live(tenant).values()}
        super().commit(tenant, settlements)
        for settlement in settlements:
            old = before.get(settlement.document)
            if settlement.history is not None:
                self._ended(tenant, settlement)
                if old is not None:
                    self._keep(tenant, old)
            elif old is not None and settlement.live is None and settlement.fence is not None:
                self._dropped(tenant, old)
            if old is not None and settlement.live is not None:
                self._say_move(tenant, old, settlement.live)
                if settlement.live.redriven != old.redriven:
                    self._ledger.redriven[tenant, old.document] += 1
            if old is not None and settlement.fence is not None:
                self._touched(tenant, old, settlement.live)
                ended = settlement.history is not None
                new = settlement.history.message if settlement.history else settlement.live
                self._tell(self._claims.moved(tenant, old, new, ended=ended))
            self._check_entitled(tenant, old, settlement)
            self._note(tenant, old, settlement)
            for made in settlement.created:
                self._made(tenant, settlement, made)

    def _made(self, tenant: str, settlement: Settlement, made: Message) -> None:
        """A settlement made a reply or a next step: each is made once."""
        key = (tenant, made.document)
        if made.direction is Direction.DOWNSTREAM:
            if key in self._ledger.steps:
                self._ledger.broken(f"step {key} was created twice")
            self._ledger.steps[key] = settlement.document
            return
        if key in self._ledger.replies:
            self._ledger.broken(f"reply {key} was created twice")
        self._ledger.replies[key] = made.content.sha256

    def _note(self, tenant: str, old: Message | None, settlement: Settlement) -> None:
        """What a settlement brings is its message's customer's."""
        its = self.whose.get((tenant, settlement.document), "")
        live = settlement.live
        if live is not None and old is None:
            self._stored(tenant, live)  # kept dead beside another one of its id
        if live is not None and (old is None or live.dead_reason is not old.dead_reason):
            self._came(tenant, live, its)
        for reply in settlement.created:
            self._came(tenant, reply, its)

    def _refuse_unwritable(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        """What some messages come to can never be written: no history takes it."""
        for settlement in settlements:
            stored = self.live(tenant).get(settlement.document)
            text = stored.message.content.text or "" if stored else ""
            ended = settlement.history
            if ended and ended.ending is Ending.DONE and '"does": "unwritable"' in text:
                message = "the commit is refused"
                raise Refused(message)

    def _keep(self, tenant: str, old: Message) -> None:
        if old.content.object is not None:
            kernel = self._kernel
            its = (kernel.acting, getcurrent(), kernel.acting_call)
            self._ledger.kept[tenant, old.document] = Kept(old.content.object, old.personal, *its)

    def _claimed(self, tenant: str, old: Message, new: Message) -> None:
        self._tell(self._claims.moved(tenant, old, new))
        if new.state is State.RUNNING and new.claim is not None:
            self._claims.made(tenant, new, new.claim)

    def _tell(self, problems: Iterable[str]) -> None:
        for problem in problems:
            self._ledger.broken(problem)

    def _check_entitled(self, tenant: str, old: Message | None, settlement: Settlement) -> None:
        """Only its own claim may settle what runs; the sweep leaves the claim as it is."""
        new = settlement.history.message if settlement.history else settlement.live
        if (
            old is not None
            and new is not None
            and old.claim is not None
            and new.claim is not None
            and old.claim.id != new.claim.id
        ):
            self._ledger.broken(f"{(tenant, old.document)} was settled by an older claim")

    def _say_move(self, tenant: str, old: Message, new: Message) -> None:
        shared = f", claimed by {new.claim.messages}" if new.claim else ""
        move = f"{old.state} ({old.attempt}) to {new.state} ({new.attempt}){shared}"
        self.say(f"      {tenant}/{old.document}: {move}")

    def _moved(self, tenant: str, old: Message, new: Message) -> None:
        self._say_move(tenant, old, new)
        key = (tenant, old.document)
        if (
            old.state is State.WAITING
            and old.due is not None
            and old.due > self._kernel.clock() + 2 * SKEW
            and not old.queued  # its turn comes when it comes
            and new.state is not State.WAITING  # it was only ordered anew
        ):
            self._ledger.broken(f"{key} was retried before its DataTentativaExec {old.due}")
        downstream = new.direction is Direction.DOWNSTREAM
        if downstream and new.state is State.RUNNING and new.attempt > max(self._ledger.limits):
            self._ledger.broken(f"{key} was claimed for attempt {new.attempt}, beyond every limit")
        if (
            downstream
            and old.state is State.RUNNING
            and new.state is not State.RUNNING
            and old.claim is not None
            and old.claim.messages == 1
            and new.attempt == old.attempt
        ):
            self._ledger.lone_crashes[key] += 1
            held = self._claims.under(tenant, old)
            if held is not None and held.process.hold and new.state is not State.DEAD:
                self._ledger.broken(f"{key} was cut off, and not held")
            unknown = new.dead_reason is DeadReason.UNKNOWN_OUTCOME
            if held is not None and not held.process.hold and unknown:
                self._ledger.broken(f"{key} was cut off, and held though it may be repeated")

    def _ended(self, tenant: str, settlement: Settlement) -> None:
        key = (tenant, settlement.document)
        self._ledger.ended[key] += 1
        self.last_ending = self._kernel.calls
        if self._ledger.ended[key] > 1:
            self._ledger.broken(f"{key} ended twice")
        self.say(f"      {tenant}/{settlement.document}: ended")
        if settlement.history is not None:
            self._ledger.endings[key] = settlement.history.ending
            if settlement.history.ending is Ending.DISCARDED:
                return
        downstream = settlement.history and settlement.history.message.direction is (
            Direction.DOWNSTREAM
        )
        if downstream and not self._ledger.completed[key]:
            self._ledger.broken(f"{key} ended as done, and no run of it came to its end")
        wanted = self._ledger.expected.get(key, 0)
        if len(settlement.created) != wanted:
            self._ledger.broken(f"{key} ended with {len(settlement.created)} of {wanted} replies")

    def _dropped(self, tenant: str, old: Message) -> None:
        """Deleted without a history of its own: only a repeat of what is kept may be."""
        ended = [it.message for it in self.ended(tenant).values()]
        others = [*ended, *(it.message for it in self.live(tenant).values())]
        if any(it.document == old.document for it in ended) or any(
            old.id.startswith(DERIVED)
            and it.content.sha256 == old.content.sha256
            and old.received - it.received < REPEAT
            for it in others
        ):
            return
        self._ledger.broken(f"{(tenant, old.document)} was deleted, but never ended")
