"""The books of a run, and what is wrong with them.

Lost: an offered id that is neither live nor ended, or a reply of an ended one that the broker never
got. Stuck: what is live and not dead, when the system had its time to settle. Doubled: two
histories of one message, another reply than the one that is due to it, or two executions to the
end that nothing excuses. A second one is excused if both hold:

- it began when the first one's lease had run out;
- the first one's outcome cannot have been written: its very process was killed, froze or ended
  itself while it ran or was to be settled, or Firestore was out of order then.

What befell another process, or another minute, is no excuse.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from infra.local.rest import Json
from smartlink.domain.identity import Direction, content_hash, document_id
from smartlink.domain.message import DeadReason, Ending, Result, State
from tests.chaos.effects import Effect, Key
from tests.chaos.fleet import Freeze, Kill
from tests.chaos.storm import Window
from tests.chaos.workload import Offer

_SETTLED_WITHIN = 10.0  # seconds after an execution's end, on a busy machine
_RECOVERED_WITHIN = 10.0  # seconds after an outage: gRPC waits until it connects again


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """All that a run left behind."""

    offers: Sequence[Offer]
    live: Mapping[str, Sequence[Json]]  # by tenant, the documents' fields
    history: Mapping[str, Sequence[Json]]
    sent: Mapping[str, Sequence[Json]]  # what reached the broker
    waiting: Mapping[str, int]  # messages still at the broker
    effects: Sequence[Effect]
    kills: Sequence[Kill]
    freezes: Sequence[Freeze]
    windows: Sequence[Window]
    limit: int  # attempts
    lease: float  # seconds from a run's beginning, at least, until its lease runs out


@dataclass(slots=True)
class Verdict:
    """What is wrong, by kind, and figures that are not."""

    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    stuck: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)  # any other broken promise
    figures: Counter[str] = field(default_factory=Counter)

    @property
    def broken(self) -> list[str]:
        """Everything that is wrong."""
        kinds = {"lost": self.lost, "doubled": self.doubled, "stuck": self.stuck}
        named = [f"{kind}: {text}" for kind, texts in kinds.items() for text in texts]
        return named + self.wrong


def audit(books: Books) -> Verdict:
    """Check the books."""
    verdict = Verdict()
    for tenant in sorted({offer.tenant for offer in books.offers}):
        _Tenant(books, verdict, tenant).audit()
    _audit_effects(books, verdict)
    return verdict


class _Tenant:
    """One tenant's books: nothing of another's may stand in them."""

    def __init__(self, books: Books, verdict: Verdict, tenant: str) -> None:
        self._books, self._verdict, self._tenant = books, verdict, tenant
        self._offers = {it.id: it for it in books.offers if it.tenant == tenant}
        self._live = _by_id(books.live[tenant], Direction.DOWNSTREAM)
        self._ended = _by_id(books.history[tenant], Direction.DOWNSTREAM)
        self._replies = _by_id(books.history[tenant], Direction.UPSTREAM)
        self._sent: dict[tuple[str, int], int] = Counter()

    def audit(self) -> None:
        self._read_sent()
        if waiting := self._books.waiting[self._tenant]:
            self._verdict.stuck.append(
                f"{self._tenant}: {waiting} messages are still at the broker"
            )
        for fields in self._books.live[self._tenant]:
            if fields["Situacao"] != State.DEAD:
                self._verdict.stuck.append(f"{self._name(fields)} is {fields['Situacao']}")
        for strange in (self._live.keys() | self._ended.keys()) - self._offers.keys():
            self._verdict.wrong.append(f"{self._tenant}: nobody offered {strange}")
        for offer in self._offers.values():
            self._audit(offer)
        due = {it for offer in self._offers.values() for it in _reply_ids(offer)}
        for strange in self._replies.keys() - due:
            self._verdict.doubled.append(f"{self._tenant}: a reply {strange} that is not due")

    def _audit(self, offer: Offer) -> None:
        live, ended = self._live.get(offer.id, []), self._ended.get(offer.id, [])
        name = f"{offer.tenant} {offer.id}"
        documents = live + ended
        if not documents:
            self._verdict.lost.append(f"{name} is neither live nor ended")
            return
        if len(documents) > 1:
            self._verdict.doubled.append(f"{name}: {len(live)} live, {len(ended)} ended")
        fields = documents[0]
        if fields["ConteudoHash"] != content_hash(offer.content):
            self._verdict.wrong.append(f"{name}: its content is not what was offered")
        if fields["QtdeTentativaExec"] > self._books.limit:
            self._verdict.wrong.append(f"{name}: {fields['QtdeTentativaExec']} attempts")
        if ended:
            self._audit_ended(offer, name, fields)
        else:
            self._audit_dead(offer, name, fields)

    def _audit_ended(self, offer: Offer, name: str, fields: Json) -> None:
        if offer.dies or fields["Situacao"] != Ending.DONE:
            self._verdict.wrong.append(f"{name} ended as {fields['Situacao']}")
        self._verdict.figures["ended"] += 1
        for number, reply in enumerate(_reply_ids(offer), 1):
            times = self._sent[offer.id, number]
            if reply not in self._replies or not times:
                self._verdict.lost.append(f"{name}: reply {number} was sent {times} times")
            elif len(self._replies[reply]) > 1:
                self._verdict.doubled.append(f"{name}: reply {number} has two histories")
            self._verdict.figures["replies sent again"] += max(0, times - 1)
            self._verdict.figures["replies"] += 1

    def _audit_dead(self, offer: Offer, name: str, fields: Json) -> None:
        """Only what asks for it dies, or what crashed alone in its last attempts."""
        self._verdict.figures["dead"] += 1
        crashed = any(it["Resultado"] == Result.CRASHED for it in fields.get("Tentativas", ()))
        exhausted = fields.get("MotivoMorte") == DeadReason.EXHAUSTED
        if not offer.dies and crashed and exhausted:
            self._verdict.figures["dead of crashes"] += 1
        elif not offer.dies and fields["Situacao"] == State.DEAD:
            self._verdict.wrong.append(f"{name} is dead: {fields.get('UltimoErro')}")

    def _read_sent(self) -> None:
        for sent in self._books.sent[self._tenant]:
            content = json.loads(sent["content"])
            tenant, _, identity = content["requestID"].partition(" ")
            if not tenant == content["tenant"] == self._tenant:
                self._verdict.wrong.append(f"{self._tenant} sent a reply of {tenant}: {identity}")
            offer = self._offers.get(identity)
            if offer is None or not 0 < content["number"] <= offer.replies:
                self._verdict.doubled.append(f"{self._tenant} sent what is not due: {content}")
            self._sent[identity, content["number"]] += 1

    def _name(self, fields: Json) -> str:
        return f"{self._tenant} {fields['Direcao']} {fields['ID']}"


def _by_id(documents: Iterable[Json], direction: Direction) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = {}
    for fields in documents:
        if fields["Direcao"] == direction:
            found.setdefault(fields["ID"], []).append(fields)
    return found


def _reply_ids(offer: Offer) -> list[str]:
    document = document_id(Direction.DOWNSTREAM, offer.id)
    return [f"{document}/reply/{number}" for number in range(1, offer.replies + 1)]


def _audit_effects(books: Books, verdict: Verdict) -> None:
    by_key: defaultdict[Key, list[Effect]] = defaultdict(list)
    for effect in books.effects:
        by_key[effect.key].append(effect)
        if effect.asked != " ".join(effect.key):
            verdict.wrong.append(f"{effect.key} was executed with the content of {effect.asked}")
        if effect.attempt > books.limit:
            verdict.wrong.append(f"{effect.key} was executed in attempt {effect.attempt}")
    for key, its in by_key.items():
        finished = sorted((it for it in its if it.finished), key=lambda it: it.started)
        for one, other in pairwise(finished):
            if _excused(one, other, books):
                verdict.figures["executed again, excused"] += 1
            else:
                verdict.doubled.append(
                    f"{key} was executed to its end in attempt {one.attempt} (process {one.pid}, "
                    f"from {one.started:.3f} on) and in attempt {other.attempt} (process "
                    f"{other.pid}, from {other.started:.3f} on)"
                )
    run = {effect.key for effect in books.effects if effect.finished}
    unrun = sorted(_ended(books) - run)
    verdict.wrong += [f"{key} has ended, but no consumer ran it to its end" for key in unrun]


def _ended(books: Books) -> set[Key]:
    return {
        (tenant, fields["ID"])
        for tenant, documents in books.history.items()
        for fields in documents
        if fields["Direcao"] == Direction.DOWNSTREAM
    }


def _excused(one: Effect, other: Effect, books: Books) -> bool:
    if other.started - one.started < books.lease:
        return False
    finished = one.finished or one.started
    first, last = one.started, finished + _SETTLED_WITHIN
    killed = any(one.pid in it.pids and first <= it.at <= last for it in books.kills)
    frozen = any(one.pid == it.pid and first <= it.end and it.begin <= last for it in books.freezes)
    cut = any(finished <= it.end + _RECOVERED_WITHIN and it.begin <= last for it in books.windows)
    return killed or frozen or cut
