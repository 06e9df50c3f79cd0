"""Every claim on a message is settled by whoever made it, or there is a cause why it was not.

A message that was claimed and not settled is run, or sent, again when its lease is over. That is
excused only by what befell that very claim between its commit and its settlement:

    its process was killed      by a fault, or by what a consumer did to it
    it came too late            a call of its task, or the clock, took longer than its lease
    nobody knew of it           the answer to its own commit got lost, or what the claim needed
                                to be read after it was not answered
    it could not be settled     no commit of the settlement was answered, and the relay tried for
                                as long as its call may last

What befell another process, another task or another time is no excuse. A process that ends itself
has none: what had finished is settled before.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from greenlet import getcurrent

from smartlink.domain.identity import Direction
from smartlink.domain.message import Claim, Message, State
from tests.simulation.kernel import Fault, Incident, Kernel, Process

SKEW = timedelta(seconds=2)  # how far the instances' clocks are apart at most
_TRIES = 3  # however late it is
_PERSISTS = 515.0  # seconds from a call's beginning: of its 540, 5 to spare, 15 of the last wait
_UNANSWERED = {Fault.UNAVAILABLE, Fault.UNKNOWN}
_CLAIMING = {"store.swap", "store.read", "store.past"}


@dataclass(slots=True, eq=False)
class Held:
    """One claim on one message."""

    tenant: str
    message: Message
    claim: Claim
    process: Process
    task: object
    call: int  # the number of the one that claimed it
    lease: datetime
    tries: list[tuple[float, bool]] = field(default_factory=list)
    """For each commit of its settlement: when, and whether it was answered."""
    completed: bool = False  # the consumer returned
    sent: bool = False  # the broker said that it has it
    returned: int = 0  # the number of the last call before it did
    settled: Message | None = None  # by itself: what the message then was
    ended: bool = False  # by itself, and into the history
    followed: bool = False  # claimed again since: what it wrote is then hidden from it

    @property
    def name(self) -> str:
        """For people."""
        return f"{(self.tenant, self.message.document)} in attempt {self.message.attempt}"

    def cause(self, kernel: Kernel) -> str | None:
        """Why it was not settled; None if nothing excuses it."""
        theirs = self.process.incidents
        if any(it.kills for it in theirs):
            return "its process was killed"
        if self.late(kernel):
            return "it came too late"
        if any(self._unclaimed(it) for it in theirs):
            return "nobody knew of it"
        return "it could not be settled" if self._unsettled else None

    def late(self, kernel: Kernel) -> bool:
        """Whether what happened to it may no longer be known when it is looked up."""
        return any(self._held_up(it, kernel) for it in self.process.incidents)

    @property
    def _unsettled(self) -> bool:
        if len(self.tries) < _TRIES or any(answered for _, answered in self.tries[-_TRIES:]):
            return False
        last, _ = self.tries[-1]
        return not self._downstream or last >= self.process.began + _PERSISTS

    @property
    def unkept(self) -> bool:
        """Whether what its consumer returned could not be put into the bucket."""
        return any(
            it.label == "contents.put" and it.fault in _UNANSWERED and it.call > self.returned
            for it in self.process.incidents
        )

    @property
    def _downstream(self) -> bool:
        return self.message.direction is Direction.DOWNSTREAM

    def _held_up(self, it: Incident, kernel: Kernel) -> bool:
        late = kernel.at(it.ended) + self.process.skew >= self.lease
        before = kernel.at(it.ended) + self.process.skew < self.claim.started
        return it.slow and late and not before and (it.task is None or it.task is self.task)

    def _unclaimed(self, it: Incident) -> bool:
        if it.fault not in _UNANSWERED or it.task is not self.task or self.tries:
            return False
        own = it.call == self.call and it.fault is Fault.UNKNOWN
        return own or (it.call > self.call and it.label in _CLAIMING)


class Claims:
    """All that were made."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._held: dict[tuple[str, str], Held] = {}  # by tenant and document
        self._last: dict[tuple[str, str], Held] = {}  # the same, settled ones too
        self._by_process: dict[str, list[Held]] = {}
        self._sends: dict[str, list[tuple[str, bool]]] = {}  # by tenant: content, and if accepted
        self._refused: Counter[tuple[str, str]] = Counter()  # by tenant and content
        self.excused: Counter[tuple[str, str]] = Counter()
        """Runs to the end that came to nothing, and may be repeated."""

    def made(self, tenant: str, message: Message, claim: Claim) -> None:
        """The acting process has claimed it."""
        process = self._kernel.acting
        if process is None:
            return  # outside a schedule
        lease = message.due or claim.started
        call, task = self._kernel.acting_call, getcurrent()
        held = Held(tenant, message, claim, process, task, call, lease)
        earlier = self._last.get((tenant, message.document))
        if earlier is not None:
            earlier.followed = True
        self._held[tenant, message.document] = self._last[tenant, message.document] = held
        self._by_process.setdefault(process.name, []).append(held)

    def under(self, tenant: str, message: Message) -> Held | None:
        """The claim that the message is under, as it was made."""
        held = self._held.get((tenant, message.document))
        same = held and message.claim and held.claim.id == message.claim.id
        return held if same else None

    def of(self, process: Process) -> list[Held]:
        """What a process has claimed, in that order."""
        return self._by_process.get(process.name, [])

    def holds(self, process: Process, tenant: str, document: str) -> Held | None:
        """The process's last claim on the message."""
        its = [
            it for it in self.of(process) if (it.tenant, it.message.document) == (tenant, document)
        ]
        return its[-1] if its else None

    def tried(self, tenant: str, content: bytes, *, accepted: bool) -> None:
        """The content was sent; whether the sender was told that the broker has it."""
        sha256 = hashlib.sha256(content).hexdigest()
        self._sends.setdefault(tenant, []).append((sha256, accepted))

    def refused(self, tenant: str, content: bytes) -> None:
        """The broker refused the content."""
        self._refused[tenant, hashlib.sha256(content).hexdigest()] += 1

    def lost(self, tenant: str, sha256: str) -> int:
        """How many attempts the content may have lost: it was refused, or it failed again though
        another of its tenant was accepted since it had failed last."""
        times, failed, others = self._refused[tenant, sha256], False, False
        for content, accepted in self._sends.get(tenant, ()):
            if accepted:
                others = True
            elif content == sha256:
                times += failed and others
                failed, others = True, False
        return times

    def sent(self, process: Process, tenant: str, content: bytes) -> None:
        """The broker has told the process that it has this content."""
        sha256 = hashlib.sha256(content).hexdigest()
        for held in self.of(process):
            if held.tenant == tenant and held.message.content.sha256 == sha256:
                held.sent = True

    def moved(
        self, tenant: str, old: Message, new: Message | None, *, ended: bool = False
    ) -> Iterator[str]:
        """A message under a claim was written, or deleted; what is wrong with that."""
        held = self._held.get((tenant, old.document))
        if held is None or old.claim is None or held.claim.id != old.claim.id:
            return
        if old.state is not State.RUNNING:
            return
        del self._held[tenant, old.document]
        claim = new.claim if new is not None else None
        if held.process is self._kernel.acting and claim is not None and claim.id == held.claim.id:
            held.settled, held.ended = new, ended
            yield from self._again(held)
            return
        if self._kernel.clock() + 2 * SKEW < held.lease:
            yield f"{held.name} was taken from its claim before the lease was over"
        cause = held.cause(self._kernel)
        self._kernel.say(f"      {held.name} was given up: {cause}")
        if cause is None:
            yield f"{held.name} was claimed and not settled, and nothing excuses that"
        elif held.completed:
            self.excused[tenant, old.document] += 1

    def _again(self, held: Held) -> Iterator[str]:
        """By its own settlement it is to be done again."""
        if held.ended or held.settled is None or held.settled.state is State.DEAD:
            return
        if held.completed and not held.unkept:
            yield f"{held.name} ran to its end, and was settled as if it had not"
        elif held.completed:
            self.excused[held.tenant, held.message.document] += 1
        if held.sent:
            yield f"{held.name} was sent, and was settled as if it had not been"
