"""Downstream: the relay stores a tenant's messages from the broker, acks them, dispatches them.

    get ─▶ create each document ─▶ read the history of those created ─▶ ack ─▶ dispatch

A crash after any step loses no message and runs none twice. A message without an ack comes again,
and its document exists already. The sweep finds a message that was not dispatched.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from threading import Lock

from smartlink.domain import lifecycle
from smartlink.domain.catalog import Command
from smartlink.domain.identity import Direction, content_hash, derived_ids, document_id, encode
from smartlink.domain.message import (
    DeadReason,
    Ended,
    Ending,
    LogType,
    Message,
    State,
    Stored,
    Version,
)
from smartlink.domain.order import NoKeyError
from smartlink.domain.payload import correlation_id, glance, request_id, traceparent
from smartlink.domain.settlement import Settlement, annotate, died
from smartlink.domain.traceparent import joined, valid_traceparent
from smartlink.observability import ERROR, INFO, WARNING, call_trace, event, message_event
from smartlink.ports import (
    BrokerSession,
    Clock,
    Conflict,
    Contents,
    CredentialsRefused,
    Delivery,
    LogSink,
    Messages,
    PartlyRefused,
    PortError,
    Refused,
    Unavailable,
)
from smartlink.services.contents import inline, keep, load, release
from smartlink.services.dispatch import Dispatcher
from smartlink.services.order import TURN, ahead, following, key_of, keys_of, unbroken
from smartlink.services.polling.broker_calls import BrokerCalls
from smartlink.services.polling.idleness import Idleness
from smartlink.services.polling.intakes import Intakes
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.tenant_poll import Push, TenantPoll
from smartlink.services.repeats import Repeats
from smartlink.settings import LIMITS, Settings

_GATHER_LIMIT = 8_388_608  # characters gathered before they are stored
_ID_LIMIT = 8_192  # characters
_ACKS_IN_A_ROW = 2  # failures: the first may be the message's fault, the second is the broker's
_NAME_LIMIT = 512  # characters of a type, an audience or a correlation id


@dataclass(frozen=True, slots=True)
class Received:
    """What a session received in one turn."""

    more: bool  # the broker may hold more
    messages: int = 0  # how many came
    failure: PortError | None = None  # the broker or RAC failed


@dataclass(frozen=True, slots=True)
class _Arrival:
    """The delivery tag, and the message that was delivered."""

    tag: int | None
    message: Message


@dataclass(slots=True)
class _Taken:
    """How the arrivals of a batch were stored."""

    run: dict[str, Stored] = field(default_factory=dict)  # new messages, to be executed
    safe: list[_Arrival] = field(default_factory=list)  # arrivals that may be acked
    otherwise: set[str] = field(default_factory=set)  # refused under their own id
    known: set[str] = field(default_factory=set)  # documents of messages that came before
    unknown: dict[str, Stored] = field(default_factory=dict)  # of a command that nobody knows
    ordered: list[Stored] = field(default_factory=list)  # new ordered ones, in their order


class Downstream:
    """Receives a tenant's messages."""

    def __init__(
        self,
        messages: Messages,
        logs: LogSink,
        contents: Contents,
        dispatcher: Dispatcher,
        intakes: Intakes,
        settings: Settings,
        clock: Clock,
        commands: KnownCommands,
    ) -> None:
        self._messages = messages
        self._intakes = intakes
        self._logs = logs
        self._contents = contents
        self._dispatcher = dispatcher
        self._catalog = intakes.catalog
        self._settings = settings
        self._clock = clock
        self._commands = commands
        self._nacks = settings.unknown_command == "nack"
        self._parsing = Lock()  # parsed, a content takes many times its size: one at a time
        self._repeats = Repeats(messages, logs, contents)

    def receive(
        self,
        poll: TenantPoll,
        session: BrokerSession,
        keep_coming: Callable[[], None],
    ) -> Received:
        """Gathers, stores, acks and dispatches one batch.

        It calls `keep_coming` when messages come, so that another session may receive too. A batch
        that brings nothing new is the session's last one in this poll: the broker would give the
        same answer again and again. Raises PortError if the database failed; nothing was acked
        then.
        """
        deliveries: list[Delivery] = []
        received = Received(more=True)
        size = gets = 0
        seen: set[Delivery] = set()
        started = self._clock()
        usual = timedelta(seconds=self._settings.receive_seconds)
        until = min(started + max(usual, poll.pace(started)), poll.deadline)
        while len(deliveries) < self._settings.receive_batch and size < _GATHER_LIMIT:
            try:
                got = session.get()
            except PortError as error:
                received = Received(more=False, failure=error)
                break
            if not got:
                received = Received(more=False)
                break
            fresh = [delivery for delivery in got if delivery not in seen]
            deliveries += fresh
            gets += 1
            size += sum(len(delivery.content) for delivery in fresh)
            now = self._clock()
            call = (now - started) / gets
            if all(delivery.tag is None for delivery in fresh):  # nothing of it can be acked
                break
            seen.update(fresh)
            if any(delivery.type in self._catalog.ordered for delivery in fresh):
                self._take_intake(poll)
            keep_coming()
            if now + call * len(deliveries) >= until:  # each message needs a call of `ack`
                break
        if not deliveries:
            return received
        came, progress = len(deliveries), False
        failure: PortError | None = None
        while deliveries and failure is None:
            part, deliveries = _first_part(deliveries)
            new, failure = self._take_in(poll, part, session)
            progress = progress or new
        failure = received.failure or failure
        if failure is None and not progress:
            text = (
                "Nothing new came, or nothing that can be acked: it is asked again in the next poll"
            )
            event("receive_stalled", text, WARNING, messages=came)
        return Received(received.more and failure is None and progress, came, failure)

    def _take_in(
        self, poll: TenantPoll, deliveries: Sequence[Delivery], session: BrokerSession
    ) -> tuple[bool, PortError | None]:
        """Stores, acks and dispatches; returns whether a message left the broker that had not come
        before, and the broker's failure or None."""
        now = self._clock()
        deliveries = self._ours(poll, deliveries)
        if not deliveries:
            return False, None
        arrivals = self._arrivals(poll, deliveries, now)
        poll.count("received", len(arrivals))
        taken = self._store(poll, arrivals, now)
        acked, nacked, failure = self._ack(poll, taken, session, now)
        documents = {arrival.message.document for arrival in acked}
        fresh = [stored for document, stored in taken.run.items() if document in documents]
        self._dispatch(poll, taken, fresh)
        again = [
            (it.message.document, it.tag) for it in acked if it.message.document in taken.known
        ]
        return bool(nacked) or len(again) < len(acked) or poll.repeated(again), failure

    def _take_intake(self, poll: TenantPoll) -> None:
        """Takes the intake at the first ordered message, or leaves such messages in the broker."""
        if not self._intakes.take(poll):
            self._intakes.states.ordered(poll)  # the next poll receives with one session

    def _dispatch(self, poll: TenantPoll, taken: _Taken, fresh: Sequence[Stored]) -> None:
        """Dispatches the messages, but of each key only from its first one on.

        The others wait for their turn. They are dispatched when the one before them ends. The one
        before may have ended while these were stored, so it is looked up once more. If none is
        ordered, they may wait for those of other sessions, to be dispatched together.
        """
        if not taken.ordered:
            poll.add_acked(fresh)
            self.dispatch_acked(poll)
            return
        behind, run = self._in_turn(poll, taken, fresh)
        dispatches = self._dispatcher.take_quota(poll, run)
        dispatched = {it.message.document for its in dispatches for it in its.messages}
        firsts = {key_of(it): it.message.document for it in reversed(taken.ordered)}
        waiting = [
            it
            for it in fresh
            if it.message.document not in dispatched
            and (key := key_of(it)) is not None
            and (key in behind or firsts[key] != it.message.document)
        ]
        if waiting:
            due = self._clock() + TURN
            changes = [Stored(lifecycle.queued(it.message, due), it.version) for it in waiting]
            self._messages.swap(poll.name, changes)
        self._dispatcher.publish(poll, dispatches)
        if behind:
            freed = following(self._messages, poll.name, sorted(behind), 1, queued=True)
            self._dispatcher.publish(poll, self._dispatcher.take_quota(poll, freed))

    def dispatch_acked(self, poll: TenantPoll, *, ends: bool = False, last: bool = False) -> None:
        """Dispatches what the tenant's sessions have acked, as soon as it need not wait for more.

        With `ends` it also notes that a batch ends: the last one that gathers leaves nothing
        behind. With `last` the session does not receive again.
        """
        with poll.lock:  # so that no further batch counts on the dispatches that are taken here
            if ends:
                poll.end_batch()
            if not poll.acked:
                return
            acked = poll.take_acked(self._clock(), self._settings.dispatch_batch, last=last)
            dispatches = self._dispatcher.take_quota(poll, acked)
        self._dispatcher.publish(poll, dispatches)

    def _in_turn(
        self, poll: TenantPoll, taken: _Taken, fresh: Sequence[Stored]
    ) -> tuple[set[str], Sequence[Stored]]:
        """Returns the keys of which a message came before these ones and lives, and the messages
        whose turn has come."""
        firsts = unbroken(taken.ordered, {it.message.document for it in fresh})
        number = min(it.message.order.number for it in taken.ordered if it.message.order)
        try:
            behind = ahead(self._messages, poll.name, dict.fromkeys(keys_of(firsts), number))
        except PortError as error:
            event("turns_not_known", f"The sweep dispatches the ordered ones: {error}", WARNING)
            return set(), [it for it in fresh if it.message.order is None]
        run = [it for it in firsts if key_of(it) not in behind]
        return behind, [*(it for it in fresh if it.message.order is None), *run]

    def _ours(self, poll: TenantPoll, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        """Leaves out the deliveries of commands that only a newer deployment knows, and the ordered
        ones that may not be stored now.

        They get no ack, so the broker offers them to that deployment when this session ends.
        """
        deliveries = self._ordered_now(poll, deliveries)
        theirs = self._commands.elsewhere({it.type for it in deliveries if it.problem is None})
        if not theirs:
            return deliveries
        ours = [it for it in deliveries if it.type not in theirs or it.problem is not None]
        poll.count("leftToOthers", len(deliveries) - len(ours))
        text = f"Not taken, another deployment knows them: {', '.join(sorted(theirs))}"
        event("deliveries_left", text, WARNING, messages=len(deliveries) - len(ours))
        return ours

    def _ordered_now(self, poll: TenantPoll, deliveries: Sequence[Delivery]) -> Sequence[Delivery]:
        ordered = self._catalog.ordered
        left = poll.barred if poll.intake else frozenset(ordered)
        if not any(it.type in left for it in deliveries):
            return deliveries
        now = [it for it in deliveries if it.type not in left]
        poll.count("leftForTheirTurn", len(deliveries) - len(now))
        text = f"{len(deliveries) - len(now)} ordered messages stay in the broker for now"
        event("deliveries_left", text, INFO, messages=len(deliveries) - len(now))
        return now

    # Arrivals.

    def _arrivals(
        self, poll: TenantPoll, deliveries: Sequence[Delivery], now: datetime
    ) -> list[_Arrival]:
        """Makes messages of the deliveries, and puts large contents into the bucket.

        A delivery whose content the bucket does not take is left out, and stays in the broker. If
        the bucket is down, no other content is tried.
        """
        arrivals: list[_Arrival] = []
        down = False
        for delivery in deliveries:
            if down and len(encode(delivery.content)) > LIMITS.inline:
                continue
            try:
                arrivals.append(self._arrival(poll, delivery, now))
            except PortError as error:
                down = not isinstance(error, Refused)
                text = f"The broker keeps it: its content could not be stored: {error}"
                event("message_not_stored", text, ERROR, messageId=delivery.id)
                poll.count("not_stored")
        return arrivals

    def _arrival(self, poll: TenantPoll, delivery: Delivery, now: datetime) -> _Arrival:
        delivery, problem = _bounded(delivery)
        command = self._catalog.commands.get(delivery.type)
        message_id = delivery.id
        if message_id is None:
            sha256 = inline(delivery.content).sha256
            message_id, _ = derived_ids(delivery.type, sha256, now)
        document = document_id(Direction.DOWNSTREAM, message_id)
        correlation, request = self._ids(delivery.content, command)
        message = lifecycle.received(
            message_id=message_id,
            command=delivery.type,
            content=keep(self._contents, poll.name, document, delivery.content),
            now=now,
            due=now + timedelta(seconds=self._settings.grace_seconds),
            audience=delivery.audience,
            correlation_id=correlation if correlation and len(correlation) <= _NAME_LIMIT else None,
            personal=command is not None and command.personal,
        )
        own = valid_traceparent(traceparent(delivery.content))
        trace = own or joined(call_trace(), document)
        message = replace(message, trace=trace, request_id=request)
        if problem is not None:
            message = lifecycle.dead(message, DeadReason.MALFORMED, problem)
        elif command is None:
            error = f"No consumer for the command {delivery.type!r} is in the catalogue"
            message = lifecycle.dead(message, DeadReason.UNKNOWN_COMMAND, error)
        else:
            message = self._placed(poll, message, delivery.content)
        if len(message_id) > _ID_LIMIT:
            message = replace(message, id=f"{message_id[:_NAME_LIMIT]}…")
        return _Arrival(delivery.tag, message)

    def _ids(self, content: str, command: Command | None) -> tuple[str | None, str | None]:
        """Returns the correlation id and, of a command that has one, the request id."""
        with self._parsing:
            if command is None or command.request_id is None:
                return correlation_id(content), None
            payload = glance(content)
            if payload is None:
                return None, None
            return payload.correlation_id, request_id(payload, command.request_id)

    def _placed(self, poll: TenantPoll, message: Message, content: str) -> Message:
        """Gives an ordered message its key; without one it is dead, and holds nobody back."""
        try:
            with self._parsing:
                return self._intakes.ordered(poll, message, content)
        except NoKeyError as error:
            return lifecycle.dead(message, DeadReason.MALFORMED, str(error))

    # Stored before acked.

    def _store(self, poll: TenantPoll, arrivals: Sequence[_Arrival], now: datetime) -> _Taken:
        first: dict[str, _Arrival] = {}
        known: list[_Arrival] = []
        known += [it for it in arrivals if first.setdefault(it.message.document, it) is not it]
        new = list(first.values())
        stored, refused = self._create(poll, [arrival.message for arrival in new])
        taken = _Taken()
        created: list[Stored] = []
        for number, (arrival, its) in enumerate(zip(new, stored, strict=True)):
            if number in refused:
                self._store_otherwise(poll, arrival, refused[number], taken, now)
            elif its is None:
                known.append(arrival)
            else:
                created.append(its)
                taken.safe.append(arrival)
        self._sort_out(poll, created, taken, now)
        known = [it for it in known if it.message.document not in taken.otherwise]
        for arrival in known:
            if self._repeats.meet(poll, arrival.message, now):
                taken.safe.append(arrival)
            if first[arrival.message.document] is arrival:
                taken.known.add(arrival.message.document)
        return taken

    def _create(
        self, poll: TenantPoll, messages: Sequence[Message]
    ) -> tuple[list[Stored | None], Mapping[int, str]]:
        """Creates the documents; returns what is stored now, None where a document exists already,
        and why the database refuses some, by their places.

        Ordered messages of a poll that has lost the intake are not stored: they stay in the broker.
        """
        plain = [number for number, it in enumerate(messages) if it.order is None]
        placed = [number for number, it in enumerate(messages) if it.order is not None]
        stored: list[Stored | None] = [None] * len(messages)
        refused: dict[int, str] = {}
        versions: Sequence[Version | None] = ()
        try:
            if plain:
                versions = self._messages.create(poll.name, [messages[it] for it in plain])
        except PartlyRefused as error:
            versions = error.versions
            refused = {plain[number]: why for number, why in error.refused.items()}
        for number, version in zip(plain, versions, strict=True):
            stored[number] = Stored(messages[number], version) if version else None
        if placed:
            try:
                its, why_not = self._intakes.append(poll, [messages[it] for it in placed])
            except Conflict as error:
                event("intake_lost", f"What is ordered comes again: {error}", WARNING)
                poll.barred = frozenset(self._catalog.ordered)
                return stored, refused
            for number, item in zip(placed, its, strict=True):
                stored[number] = item
            refused |= {placed[number]: why for number, why in why_not.items()}
        return stored, refused

    def _store_otherwise(
        self, poll: TenantPoll, arrival: _Arrival, why: str, taken: _Taken, now: datetime
    ) -> None:
        """Stores as dead a message that the database refuses; its envelope becomes the content.

        If the database refuses that too, the message stays in the broker, and the others go on.
        """
        message = arrival.message
        taken.otherwise.add(message.document)
        try:
            dead = self._as_content(poll, message, why)
            [version] = self._messages.create(poll.name, [dead])
        except Refused as error:
            text = f"The broker keeps it: it cannot be stored in any shape: {error}"
            event("message_not_stored", text, ERROR, messageId=message.id)
            poll.count("not_stored")
            return
        if version is not None:
            self._tell_dead(poll, [dead], now)
        elif not self._repeats.meet(poll, dead, now):
            return
        taken.safe.append(arrival)

    def _as_content(self, poll: TenantPoll, message: Message, why: str) -> Message:
        """Returns the message as dead, with its whole envelope as the content.

        The document's other names are shortened and escaped, so that the database takes them.
        """
        envelope = {
            "id": message.id,
            "type": message.type,
            "audience": message.audience,
            "content": load(self._contents, message.content),
        }
        document = f"{Direction.DOWNSTREAM[0]}-~{content_hash(message.document)}"
        content = keep(self._contents, poll.name, document, json.dumps(envelope))
        bare = replace(
            message,
            document=document,
            id=_readable(message.id),
            type=_readable(message.type),
            audience=None,
            correlation_id=None,
            request_id=None,
            content=content,
            order=None,
        )
        error = f"The database refuses it as it came, its content is its envelope: {why}"
        return lifecycle.dead(bare, DeadReason.MALFORMED, error)

    def _sort_out(
        self,
        poll: TenantPoll,
        created: Sequence[Stored],
        taken: _Taken,
        now: datetime,
    ) -> None:
        """Drops the created messages that repeat an ended one, and sorts the others: new or
        dead."""
        overtaken, undecided = self._repeats.overtaken(poll.name, created, self._clock())
        previous = overtaken | self._repeats.before(poll.name, created)
        dead: list[Message] = []
        for stored in created:
            message = stored.message
            gone = False
            if message.document in previous:
                gone = self._repeats.drop(poll, stored, previous[message.document], now)
                taken.known.add(message.document)
            elif self._nacks and message.dead_reason is DeadReason.UNKNOWN_COMMAND:
                taken.unknown[message.document] = stored
            elif message.state is State.DEAD:
                dead.append(message)
            elif message.document not in undecided:  # the sweep decides about those later
                taken.run[message.document] = stored
                message_event(message, "message_received", "Received", INFO)
            if message.order is not None and not gone:
                taken.ordered.append(stored)
        self._tell_dead(poll, dead, now)

    def _tell_dead(self, poll: TenantPoll, dead: Sequence[Message], now: datetime) -> None:
        if not dead:
            return
        self._logs.log(poll.name, [died(message, now, poll.expires) for message in dead])
        poll.count("dead", len(dead))
        for message in dead:
            message_event(
                message, "message_dead", str(message.error), ERROR, reason=message.dead_reason
            )

    # Acked before dispatched.

    def _ack(
        self, poll: TenantPoll, taken: _Taken, session: BrokerSession, now: datetime
    ) -> tuple[list[_Arrival], int, PortError | None]:
        """Acks the stored arrivals, and nacks those of unknown commands where that is set.

        Returns the acked arrivals, how many were nacked, and the broker's failure or None.
        """
        unknown, kept = dict(taken.unknown), []
        nacked: list[Stored] = []
        acks: list[_Arrival] = []
        for arrival in taken.safe:
            stored = unknown.pop(arrival.message.document, None)
            if stored is None or arrival.tag is None:
                acks.append(arrival)
                kept += [stored] if stored else []
            elif self._nack(arrival.tag, stored.message, session):
                nacked.append(stored)
            else:
                acks.append(arrival)  # kept as dead, as without a nack
                kept.append(stored)
        for stored in nacked:
            self._hand_over(poll, stored, now)
        self._tell_dead(poll, [it.message for it in (*kept, *unknown.values())], now)
        acked, failure = self._ack_each(poll, acks, session)
        return acked, len(nacked), failure

    @staticmethod
    def _nack(tag: int, message: Message, session: BrokerSession) -> bool:
        try:
            session.nack(tag)
        except PortError as error:
            text = f"Not nacked, it is kept as dead: {error}"
            message_event(message, "nack_failed", text, WARNING)
            return False
        return True

    def _hand_over(self, poll: TenantPoll, stored: Stored, now: datetime) -> None:
        """Moves to the history what the broker's dead-letter queue has taken.

        The history keeps the content, so nothing is lost if the broker drops it. If it comes again,
        it is a repeat, which is acked. If this commit fails, the message stays dead.
        """
        message = stored.message
        text = f"{message.error}. Handed to the broker's dead-letter queue (nack)"
        settlement = Settlement(
            document=message.document,
            fence=stored.version,
            history=Ended(message, Ending.DISCARDED, now, poll.expires),
            logs=(annotate(message, LogType.WARNING, text, now, poll.expires),),
        )
        try:
            self._messages.commit(poll.name, [settlement])
        except PortError as error:
            why = f"Nacked, and kept as dead: it could not be moved to the history: {error}"
            message_event(message, "message_dead", why, ERROR, reason=message.dead_reason)
            poll.count("dead")
            return
        release(self._contents, message, now)
        poll.count("nacked")
        message_event(message, "message_nacked", text, WARNING)

    def _ack_each(
        self, poll: TenantPoll, safe: Sequence[_Arrival], session: BrokerSession
    ) -> tuple[list[_Arrival], PortError | None]:
        """Acks the stored arrivals over the session that received them; returns what was acked.

        Returns the acked documents, and the broker's failure or None. Each arrival gets its own
        ack, because of two arrivals with one id one may be stored and the other not. After one
        failed ack the others go on; two failures in a row are the broker's.
        """
        acked: list[_Arrival] = []
        in_a_row = 0
        for arrival in safe:
            if arrival.tag is None:
                message_event(arrival.message, "ack_impossible", "It has no delivery tag", WARNING)
                continue
            try:
                session.ack(arrival.tag)
            except PortError as error:
                text = f"Not acked; if it comes again it is known: {error}"
                message_event(arrival.message, "ack_failed", text, WARNING)
                in_a_row += isinstance(error, Unavailable)
                if isinstance(error, CredentialsRefused) or in_a_row == _ACKS_IN_A_ROW:
                    poll.count("acked", len(acked))
                    return acked, error
            else:
                in_a_row = 0
                acked.append(arrival)
        poll.count("acked", len(acked))
        return acked, None


def _readable(name: str) -> str:
    """Shortens a name and escapes what is not ASCII, so that any database takes it."""
    return name[:_NAME_LIMIT].encode("ascii", "backslashreplace").decode()[:_NAME_LIMIT]


@dataclass(frozen=True, slots=True)
class Receiving:
    """Receives with up to `sessions` sessions of a tenant at a time."""

    sessions: int
    clock: Clock
    calls: BrokerCalls
    downstream: Downstream
    idleness: Idleness
    intakes: Intakes

    def turn(self, poll: TenantPoll, push: Push) -> None:
        """Receives one more batch. The session counts as receiving since the turn was pushed."""
        if poll.error or not self.calls(poll, lambda it: self.receive(poll, it, push)):
            poll.leave_receiver()

    def receive(self, poll: TenantPoll, session: BrokerSession, push: Push) -> PortError | None:
        """Receives one batch, and pushes a further turn if more may come. Returns the failure or
        None."""

        def keep_coming() -> None:
            if poll.enter_receiver(self.sessions, self.clock()):
                push(self.turn)

        if poll.state.ordered and not self.intakes.ready(poll):
            poll.leave_receiver()
            return None
        if not poll.begin_batch():
            poll.leave_receiver()
            return None
        goes_on = False
        try:
            received = self.downstream.receive(poll, session, keep_coming)
            goes_on = received.more and received.failure is None
        finally:
            self.downstream.dispatch_acked(poll, ends=True, last=not goes_on)
        if received.messages:
            self.idleness.active(poll.name)
        elif received.failure is None:
            self.idleness.silent(poll.name, self.clock())
        if goes_on:
            push(self.turn)
        elif received.failure is None:
            poll.leave_receiver()
        return received.failure


def _first_part(deliveries: list[Delivery]) -> tuple[list[Delivery], list[Delivery]]:
    """Splits off the deliveries to store at once, at most 8 MB of contents; returns them and the
    rest.

    One answer of the broker may hold more than that, and while a content is being stored, the
    memory holds it several times.
    """
    size = 0
    for number, delivery in enumerate(deliveries):
        size += len(delivery.content)
        if number and size > _GATHER_LIMIT:
            return deliveries[:number], deliveries[number:]
    return deliveries, []


def _bounded(delivery: Delivery) -> tuple[Delivery, str | None]:
    """Returns the delivery, and what is wrong with its envelope or None.

    Names that are too long for a document are cut; the content is then the whole envelope.
    """
    long = [
        name
        for name, value, limit in (
            ("id", delivery.id, _ID_LIMIT),
            ("type", delivery.type, _NAME_LIMIT),
            ("audience", delivery.audience, _NAME_LIMIT),
        )
        if value is not None and len(value) > limit
    ]
    if not long:
        return delivery, delivery.problem
    envelope = {
        "id": delivery.id,
        "type": delivery.type,
        "audience": delivery.audience,
        "content": delivery.content,
    }
    cut = replace(
        delivery,
        type=delivery.type[:_NAME_LIMIT],
        audience=delivery.audience[:_NAME_LIMIT] if delivery.audience else None,
        content=json.dumps(envelope),
    )
    return cut, f"The envelope's {' and '.join(long)} is too long"
