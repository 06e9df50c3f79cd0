"""Upstream: the outbox. The relay claims due documents, sends them, and settles them.

Each message is sent at least once: if the broker did not confirm a message, it is sent again.
`send` carries no id, so receivers recognise a repeat only by an id inside the content.

    refused by the broker; or its content by the bucket      costs an attempt
    failed again (5xx, time-out), and the broker accepted    costs an attempt: the message is
      other messages since its last failure                    at fault
    failed otherwise                                         costs none: the broker may be at fault

A message that failed waits, and the next one is sent. Two failures in a row end the poll's sending.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smartlink.domain import lifecycle, settlement
from smartlink.domain.identity import Direction
from smartlink.domain.message import Claim, DeadReason, Message, State, Stored
from smartlink.domain.settlement import Retention, Settlement
from smartlink.domain.traceparent import traceparent_of
from smartlink.observability import ERROR, INFO, WARNING, event, message_event, surprise
from smartlink.ports import (
    BrokerSession,
    Busy,
    Clock,
    Contents,
    CredentialsRefused,
    InOrder,
    LogSink,
    Messages,
    NewId,
    NotFound,
    Place,
    PortError,
    Refused,
    Unavailable,
    Wait,
)
from smartlink.services.claim import claim_all
from smartlink.services.contents import load_bytes, release
from smartlink.services.in_flight import InFlight
from smartlink.services.order import key_of, unsent_before, wake
from smartlink.services.patience import persist
from smartlink.services.polling.broker_calls import BrokerCalls
from smartlink.services.polling.outgoing import Outgoing, by_key, chunk_size
from smartlink.services.polling.pages import DuePages, Page
from smartlink.services.polling.states import States
from smartlink.services.polling.tenant_poll import Push, TenantPoll
from smartlink.services.repeats import Repeats
from smartlink.services.settle import Pending, bury, settle_all
from smartlink.settings import Settings

LEASE = timedelta(minutes=5)  # much longer than a poll's time-out
_BEHIND = timedelta(microseconds=1)


class _BucketError(Unavailable):
    """The bucket does not deliver the content now. The broker is not at fault."""


class Upstream:
    """Sends a tenant's messages."""

    def __init__(
        self,
        messages: Messages,
        logs: LogSink,
        contents: Contents,
        retention: Retention,
        clock: Clock,
        new_id: NewId,
        wait: Wait,
        in_flight: InFlight,
    ) -> None:
        self._messages = messages
        self._contents = contents
        self._retention = retention
        self._clock = clock
        self._new_id = new_id
        self._wait = wait
        self._in_flight = in_flight
        self._repeats = Repeats(messages, logs, contents)

    def send(
        self,
        poll: TenantPoll,
        due: Sequence[Stored],
        session: BrokerSession,
        accepted: Callable[[], None],
    ) -> PortError | None:
        """Claims, sends and settles these messages.

        It calls `accepted` for each message that the broker accepts, so that other sessions may
        send too. Returns RAC's refusal of the tenant's credentials, or None.
        """
        due = self._without_repeats(poll, due)
        claim = Claim(self._new_id(), len(due), self._clock())
        claimed = claim_all(
            self._messages,
            poll.name,
            due,
            claim,
            lambda message: lifecycle.leased(message, claim, LEASE),
        )
        mine = {stored.message.document: stored for stored in claimed}
        pending: list[Pending] = []
        failure: PortError | None = None
        held: dict[str, datetime] = {}  # until when the other replies of these keys wait
        for wanted in due:
            stored, key = mine.get(wanted.message.document), key_of(wanted)
            if stored is None:
                if key is not None:
                    held[key] = self._clock()
                continue
            if key is not None and key in held:
                settled = self._behind(stored, held[key])
            elif failure is None and poll.may_send() and self._clock() < poll.deadline:
                settled, failure = self._send(poll, stored, session, accepted)
            else:
                settled = self._give_back(stored, failure)
            if key is not None and settled.live is not None:
                held[key] = settled.live.due or self._clock() + lifecycle.LONGEST_WAIT
            pending.append(Pending(settled, claim.id, stored))
        self._settle(poll, pending)
        return failure

    def in_turn(self, poll: TenantPoll, due: Sequence[Stored]) -> list[Stored]:
        """Leaves out the replies that come after others of their key, which are not sent yet and
        are not due. They are due again right behind those.

        What is dead from now on is such a one, too: it holds back its key. Those behind one that
        another poll sends just now stay due: the next tick finds it sent.
        """
        due = self._without_exhausted(poll, due)
        ordered = [it for group in by_key(due) for it in group if it.message.order is not None]
        before = unsent_before(self._messages, poll.name, ordered) if ordered else {}
        if not before:
            return due
        now = self._clock()
        waiting = []
        for stored in ordered:
            first = before.get(stored.message.document)
            if first is None or _is_sent(first):
                continue
            until = _until(first, now)
            if stored.message.due is None or stored.message.due < until:
                waiting.append(Stored(lifecycle.queued(stored.message, until), stored.version))
        if waiting:
            self._messages.swap(poll.name, waiting)
        poll.count("repliesWait", len(before))
        return [it for it in due if it.message.document not in before]

    def _behind(self, stored: Stored, until: datetime) -> Settlement:
        """Gives back a reply whose predecessor was not sent."""
        live = lifecycle.queued(stored.message, max(until, self._clock()))
        return Settlement(document=live.document, fence=stored.version, live=live)

    def _without_repeats(self, poll: TenantPoll, due: Sequence[Stored]) -> list[Stored]:
        """Leaves out repeats of published messages: `publish` may have crashed before it dropped
        them."""
        published = [it for it in due if it.message.published and it.message.attempt == 0]
        ended = self._repeats.before(poll.name, published)
        for stored in published:
            if stored.message.document in ended:
                previous = ended[stored.message.document]
                self._repeats.drop(poll, stored, previous, self._clock())
        return [stored for stored in due if stored.message.document not in ended]

    def _without_exhausted(self, poll: TenantPoll, due: Sequence[Stored]) -> list[Stored]:
        """Declares dead the messages that have had all attempts of a lowered limit; returns the
        others."""
        limit = poll.policy.attempts
        over = [
            Stored(lifecycle.beyond(stored.message, limit), stored.version)
            for stored in due
            if stored.message.attempt >= limit
        ]
        if over:
            bury(self._messages, poll, over, self._clock())
        return [stored for stored in due if stored.message.attempt < limit]

    def _send(
        self,
        poll: TenantPoll,
        stored: Stored,
        session: BrokerSession,
        accepted: Callable[[], None],
    ) -> tuple[Settlement, PortError | None]:
        error = self._try(poll, stored.message, session)
        if error is None:
            poll.sent(self._clock())
            accepted()
            sent = settlement.sent(stored, self._clock(), poll.policy, self._retention)
            return sent, None
        refused = error if isinstance(error, CredentialsRefused) else None
        return self._unsent(poll, stored, error), refused

    def _unsent(self, poll: TenantPoll, stored: Stored, error: PortError) -> Settlement:
        match error:
            case CredentialsRefused() | Busy():
                return self._give_back(stored, error)
            case Refused():
                return settlement.refused(
                    stored, str(error), self._clock(), poll.policy, self._retention
                )
            case _BucketError():
                return self._back_off(stored, self._clock(), error)
            case _:
                return self._failed(poll, stored, error)

    def _try(self, poll: TenantPoll, message: Message, session: BrokerSession) -> PortError | None:
        content = message.content
        size = content.size if content.text is None else 0  # a text is in memory already
        try:
            with self._in_flight.hold(size, (poll.ends - self._clock()).total_seconds()):
                session.trace(traceparent_of(poll.name, message))
                session.send(message.type, message.audience, self._content(message))
        except PortError as error:
            return error
        except Exception as error:  # noqa: BLE001  (one message's surprise must not stop its tenant)
            surprise("send_failed", "Unexpected: it is tried again", error)
            return Unavailable(f"An unexpected {type(error).__name__} while it was sent")
        return None

    def _content(self, message: Message) -> bytes:
        try:
            return load_bytes(self._contents, message.content)
        except NotFound:
            text = f"Its content {message.content.object} is no longer in the bucket"
            raise Refused(text) from None
        except Refused as error:
            text = f"Its content {message.content.object} cannot be read: {error}"
            raise Refused(text) from None
        except PortError as error:
            raise _BucketError(*error.args) from None

    def _failed(self, poll: TenantPoll, stored: Stored, error: PortError) -> Settlement:
        """Decides whether a failed send costs the message an attempt.

        It does if the broker accepted another message since this one failed last, unless the end of
        the poll cut the send off. Otherwise the broker may be at fault.
        """
        before, now = stored.message.failure, self._clock()
        at = poll.send_failed(now)
        if before is None or now >= poll.ends or not poll.state.sent_since(before.at):
            return self._back_off(stored, at, error)
        noted = Stored(lifecycle.send_failed(stored.message, at), stored.version)
        return settlement.failed_alone(noted, str(error), now, poll.policy, self._retention)

    def _back_off(self, stored: Stored, at: datetime, error: PortError) -> Settlement:
        """Makes the message wait, longer after each failure. It costs no attempt."""
        noted = Stored(lifecycle.send_failed(stored.message, at), stored.version)
        message_event(noted.message, "message_unsent", f"Not sent, it waits: {error}", WARNING)
        return self._give_back(noted, error)

    def _give_back(self, stored: Stored, error: PortError | None) -> Settlement:
        text = str(error) if error else None
        live = lifecycle.unsent(
            stored.message, lifecycle.send_again(stored.message, self._clock()), text
        )
        return Settlement(document=live.document, fence=stored.version, live=live)

    def _settle(self, poll: TenantPoll, pending: Sequence[Pending]) -> None:
        """Settles until all is written or the poll ends: what is not settled is sent once more."""
        left = list(pending)

        def settled() -> bool:
            left[:] = self._settle_once(poll, left)
            return not left

        if not persist(settled, poll.deadline, self._clock, self._wait):
            for unknown in left:
                text = "Not settled, the database did not answer: it is sent again after its lease"
                event("settle_failed", text, ERROR, document=unknown.settlement.document)
                poll.count("unsettled")

    def _settle_once(self, poll: TenantPoll, pending: Sequence[Pending]) -> list[Pending]:
        """Settles once; returns the settlements to try again."""
        settled = settle_all(self._messages, poll.name, pending)
        for written in settled.written:
            try:
                self._note(poll, written)
            except Exception as error:  # noqa: BLE001  (this message is settled; others are not yet)
                document = written.document
                surprise("settle_surprised", "What follows a settlement", error, document=document)
        for lost in settled.lost:
            text = "Its lease had run out and another has it: this outcome is void"
            event("settle_lost", text, WARNING, document=lost.document)
        return [*settled.unknown, *(self._buried(poll, *refused) for refused in settled.refused)]

    def _note(self, poll: TenantPoll, written: Settlement) -> None:
        if written.history is not None:
            message = written.history.message
            message_event(message, "message_sent", "Sent", INFO, attempt=message.attempt)
            poll.count("sent")
            release(self._contents, message, self._clock())
            if message.attempt > 1 or message.redriven is not None or message.failure is not None:
                self._let_go(poll, message)
        elif written.live is not None and written.live.state is State.DEAD:
            live = written.live
            text = written.logs[-1].text if written.logs else f"Dead: {live.error}"
            message_event(live, "message_dead", text, ERROR, reason=live.dead_reason)
            poll.count("dead")
        elif written.live is not None and written.logs:
            message_event(written.live, "message_refused", written.logs[-1].text, WARNING)
            poll.count("refused")

    def _let_go(self, poll: TenantPoll, message: Message) -> None:
        """Makes due what was put off behind a reply that was sent earlier than it had to wait,
        because of an operator's act."""
        if message.order is None:
            return
        try:
            wake(self._messages, poll.name, [message.order.key], self._clock())
        except PortError as error:
            text = f"What waited behind it is sent when its own wait is over: {error}"
            message_event(message, "turn_not_given", text, WARNING)

    def _buried(self, poll: TenantPoll, refused: Pending, text: str) -> Pending:
        """Returns a settlement that declares dead a message whose outcome the database refused.

        A dead message is not sent again. If the database refuses that settlement too, the next one
        has no log line. If the message was not sent, nothing changes: its lease ends.
        """
        stored, live = refused.stored, refused.settlement.live
        if stored is None:
            return refused
        lines = refused.settlement.logs
        expires: datetime | None = poll.expires
        if refused.settlement.history is not None:
            text = f"It was sent. {text}"
        elif live is not None and live.dead_reason is DeadReason.UNWRITTEN_OUTCOME:
            text, lines, expires = live.error or text, (), None
        elif not lines:
            return refused  # the message was not sent: it is due at the end of its lease
        sent = Stored(replace(stored.message, attempt=stored.message.attempt + 1), stored.version)
        buried = settlement.unwritten(sent, text, self._clock(), expires, lines)
        return Pending(buried, refused.claim, stored)


def _is_sent(first: InOrder) -> bool:
    """Tells whether a poll has the reply, which it sends within its minute."""
    return first.stored is not None and first.stored.message.state is State.RUNNING


def _until(first: InOrder, now: datetime) -> datetime:
    """Returns when those behind the first reply of a key are due: right behind it. Nobody knows
    when a dead one is sent, or an unreadable one."""
    due = first.stored.message.due if first.stored is not None else None
    return now + lifecycle.LONGEST_WAIT if due is None else due + _BEHIND


@dataclass(frozen=True, slots=True)
class Sending:
    """Sends a tenant's outbox; each turn sends one chunk.

    Once the broker has accepted a message, further sessions join, as many as chunks wait, and send
    side by side. So a broker that has just stopped accepting holds up one session, not all.
    """

    settings: Settings
    clock: Clock
    calls: BrokerCalls
    pages: DuePages
    states: States
    upstream: Upstream

    def begin(self, poll: TenantPoll, page: Page) -> Sequence[Stored]:
        """Begins with the first page; returns the chunk to send at once, which may be empty.

        If no send was accepted since the last one failed, one message is sent in a later turn, and
        the others follow only if the broker accepts it. So a broker that does not answer costs one
        call in each poll.
        """
        due = self.upstream.in_turn(poll, page.due)
        sessions = self.settings.receivers
        poll.outgoing = Outgoing(
            due,
            chunk_size(self.settings.due_page, sessions),
            page.end,
            sessions=sessions,
            probing=bool(due) and not poll.state.sends,
        )
        return poll.outgoing.take_first()

    def go_on(self, poll: TenantPoll, push: Push, chunk: Sequence[Stored]) -> None:
        """Pushes the turns for what is left, after the first chunk has been sent."""
        if chunk:
            self._ended(poll, push)
        if poll.outgoing.probing:
            push(self._probe)
        else:
            self._join(poll, push)

    def send(
        self, poll: TenantPoll, push: Push, chunk: Sequence[Stored], session: BrokerSession
    ) -> PortError | None:
        """Sends a chunk; returns RAC's refusal of the tenant's credentials, or None."""
        failure = self.upstream.send(poll, chunk, session, lambda: self._join(poll, push))
        self.states.sending(poll)
        if poll.accepted:
            self.states.succeeded(poll, self.clock())
        return failure

    def _join(self, poll: TenantPoll, push: Push) -> None:
        """Pushes turns for the sessions that join, and for the next page if no chunk waits."""
        if not poll.may_send():
            return
        for _ in range(poll.outgoing.join()):
            push(self._turn)
        place = poll.outgoing.next_place()
        if place is not None:
            push(lambda poll, push: self._next_page(poll, push, place))

    def _turn(self, poll: TenantPoll, push: Push) -> None:
        """Sends one chunk."""
        if not poll.may_send():
            poll.outgoing.leave()
            return
        chunk = poll.outgoing.take()
        try:
            if chunk:
                self._talk(poll, push, chunk)
        finally:
            self._join(poll, push)

    def _probe(self, poll: TenantPoll, push: Push) -> None:
        """Sends one message. If it was neither accepted nor failed, because the broker refused it,
        say, that tells nothing of the others: the next one is tried."""
        if not (poll.may_send() and poll.outgoing.waits):
            return
        [tried] = poll.outgoing.take_one()
        self._talk(poll, push, [tried])
        if poll.accepted:
            self._join(poll, push)
        elif not poll.send_has_failed:
            poll.outgoing.leave_out(key_of(tried))
            push(self._probe)

    def _talk(self, poll: TenantPoll, push: Push, chunk: Sequence[Stored]) -> None:
        try:
            self.calls(poll, lambda session: self.send(poll, push, chunk, session))
        finally:
            self._ended(poll, push)

    def _ended(self, poll: TenantPoll, push: Push) -> None:
        if poll.outgoing.sent():
            push(self._place)

    def _next_page(self, poll: TenantPoll, push: Push, place: Place) -> None:
        """Reads the next page, while the last chunks of the page before are being sent.

        It begins behind that page, so it shows nothing that is not claimed yet.
        """
        if poll.may_send():
            page = self.pages.next(poll, self.clock(), Direction.UPSTREAM, place)
            poll.outgoing.read(page)
            self._place(poll, push)

    def _place(self, poll: TenantPoll, push: Push) -> None:
        """Makes chunks of the page that was read, unless it has to wait for what is being sent."""
        page = poll.outgoing.placeable()
        if page is not None:
            poll.outgoing.add(self.upstream.in_turn(poll, page.due), page.end)
            self._join(poll, push)
