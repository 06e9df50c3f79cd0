"""Runs a consumer on one message and makes an outcome of what it returns or raises."""

import inspect
import re
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from time import monotonic

from pydantic import BaseModel, ValidationError

from smartlink.consumer import (
    MOST_REPLIES,
    MOST_REPLY_BYTES,
    REPLY_OVERHEAD,
    Consumer,
    Context,
    Continue,
    FatalError,
    Logger,
    Reply,
    RetryableError,
    Returned,
    UnknownOutcomeError,
    WrongTypeError,
)
from smartlink.domain.copies import Copies
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.message import LogType, Message, Stored
from smartlink.domain.outcome import (
    Answer,
    Done,
    Finished,
    HandBack,
    Line,
    NextStep,
    Outcome,
    Reject,
    Retry,
    Unknown,
    Unwritten,
)
from smartlink.domain.payload import Payload, PayloadError
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import next_step_id, reply_id
from smartlink.domain.titular import TitularKeys
from smartlink.domain.traceparent import traceparent_of
from smartlink.observability import WARNING, bound, describe, event, message_trace, surprise
from smartlink.ports import Clock, ComesFirst, Contents, ErpSecrets, NotFound, PortError, Refused
from smartlink.services.consuming.answered_first import AnsweredFirst
from smartlink.services.consuming.argument import argument_of
from smartlink.services.consuming.calls import CallsOf, MakeSession, nobody_is_called
from smartlink.services.consuming.once import Once
from smartlink.services.consuming.own_secrets import OwnSecrets
from smartlink.services.consuming.reply_content import ContentError, content_text
from smartlink.services.consuming.titulares import Titulares
from smartlink.services.contents import inline_size, keep, load, withdraw

_SEVERITY = {LogType.INFORMATION: 20, LogType.WARNING: 30, LogType.ERROR: 40}
_INLINE_REPLIES = 1_048_576  # bytes of contents in the replies' documents: one commit holds all
_NAME_LIMIT = 512  # characters of a reply's type, audience or correlation id
_CONTROL = re.compile("[\x00-\x1f\x7f]")
_HASH = re.compile("[0-9a-f]{64}")  # of Titular
_LATER = timedelta(minutes=1)  # until a message looks again whether it is its turn
_TITULARES = 500  # hashes that are stored with a message, 32 KB: the first that came
_NO_SEGMENT = {".", ".."}  # no segment of the path of `send`: URLs resolve them
_NOT_RUN = "The consumer returned a {}, which nobody awaits: none of it was run"
_NO_REPLY = "The consumer returned {}; it may return Reply, several of them, Continue, or nothing"


_Written = tuple[Reply, str, int]  # a reply, its content as text, and the room for that


class _ReplyError(ValueError):
    """The consumer returned something that cannot be sent as a reply, or be a next step."""


class _NoRoomError(_ReplyError):
    """A reply cannot be stored at once with those before it."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is decided of a work in steps, apart from its consumer."""

    most: int = 100  # that a work may have
    grace: timedelta = timedelta(minutes=2)  # how long a step's dispatch may stay unclaimed


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a consumer gets of a message."""

    argument: object
    context: Context


@dataclass(frozen=True, slots=True)
class Told:
    """What a consumer tells of a message while it runs."""

    log: Logger
    lines: list[Line]
    titular: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Execution:
    """Runs the consumer on each message of one call. It never raises."""

    consumer: Consumer
    tenant: str
    policy: RetryPolicy
    start_by: datetime  # a message that has not started by then is handed back
    contents: Contents
    erp: ErpSecrets
    once: Once
    clock: Clock
    timeout: timedelta  # of one message, which the runner watches
    answered_first: AnsweredFirst | None = None  # None: no message waits for another
    titulares: Titulares | None = None  # None: nobody has keys
    copies: Copies | None = None
    secrets: OwnSecrets | None = None  # None: the command declares none
    http: MakeSession = nobody_is_called
    steps: Steps = Steps()
    alone: bool = False  # what is too late to start is to run without others

    def __call__(self, stored: Stored) -> Finished:
        """Runs the consumer on the message; hands the message back if it is too late to start."""
        if self.clock() > self.start_by:
            return Finished(HandBack(alone=self.alone), self.clock())
        told = self.told()
        return self.finished(stored.message, told, lambda: self._outcome(stored.message, told))

    def told(self) -> Told:
        """Makes what keeps what a consumer tells of a message."""
        lines: list[Line] = []  # the author's code may put anything in it
        return Told(Logger(_to_cloud_logging, self.clock, lines), lines)

    def finished(self, message: Message, told: Told, outcome: Callable[[], Outcome]) -> Finished:
        """Makes the outcome, whatever is raised, with what was told of the message."""
        own = message_trace(self.tenant, message)
        with bound(tenant=self.tenant, messageId=message.id, attempt=message.attempt, **own):
            try:
                found = outcome()
            except BaseException as error:  # noqa: BLE001  (SystemExit too is one message's failure)
                found = _unexpected(message, error)
        kept = tuple(line for line in told.lines if type(line) is Line)
        return Finished(found, self.clock(), kept, _told(told.titular))

    def _outcome(self, message: Message, told: Told) -> Outcome:
        prepared = self.prepared(message, told)
        if not isinstance(prepared, Prepared):
            return prepared
        argument, context = prepared.argument, prepared.context
        return self.concluded(message, lambda: self.consumer(argument, context))

    def prepared(self, message: Message, told: Told) -> Prepared | Outcome:
        """Returns what the consumer gets; or the outcome of a message that it cannot get."""
        try:
            text = load(self.contents, message.content)
        except NotFound:
            return Reject(f"Its content {message.content.object} is no longer in the bucket")
        except Refused as error:
            return Retry(f"Its content {message.content.object} cannot be read: {error}")
        except PortError as error:
            return HandBack(str(error))
        try:
            payload, argument = argument_of(self.consumer, text)
        except (PayloadError, ValidationError) as error:
            return Reject(_invalid(error))
        return Prepared(argument, self._context(message, payload, told))

    def concluded(self, message: Message, run: Callable[[], Returned]) -> Outcome:
        """Makes an outcome of what the run returns or raises; it may raise what is unexpected."""
        try:
            return self._run(message, run)
        except _ReplyError as error:
            return Unwritten(str(error))

    def _run(self, message: Message, run: Callable[[], Returned]) -> Outcome:
        try:
            returned = run()
            following = returned.payload if isinstance(returned, Continue) else None
            replies = _gathered(message, _replies(returned))
            step = None if following is None else _step_text(following)
        except (FatalError, RetryableError, UnknownOutcomeError) as error:
            return _verdict(error)
        except PortError as error:
            return self._port_failed(error)
        except WrongTypeError as error:
            return Unknown(str(error), _frames(error))
        try:
            return self._done(message, replies, step)
        except PortError as error:
            text = f"A reply could not be kept: {error}"
            lasting = isinstance(error, Refused) or self.policy.hold_unknown
            return Unknown(text) if lasting else HandBack(text)

    def _port_failed(self, error: PortError) -> Outcome:
        """What a call of the relay's own, in the consumer's run, came to."""
        if isinstance(error, ComesFirst):
            return HandBack(str(error), self.clock() + _LATER)
        return Unknown(str(error)) if isinstance(error, Refused) else HandBack(str(error))

    def _context(self, message: Message, payload: Payload | None, told: Told) -> Context:
        time_left = self.time_left()
        traceparent = traceparent_of(self.tenant, message)
        calls = CallsOf(self.tenant, message.document, traceparent, time_left)
        return Context(
            tenant=self.tenant,
            message_id=message.id,
            command=message.type,
            attempt=message.attempt,
            attempts=self.policy.limit,
            correlation_id=message.correlation_id,
            audience=message.audience,
            received=message.received,
            now=self.clock(),
            style=payload.style if payload else None,
            header=payload.header if payload else {},
            _time_left=time_left,
            http=partial(self.http, calls),
            _secret=self._own_secret,
            room_for=partial(_room_for, message),
            step=message.step.number if message.step else 1,
            log=told.log,
            erp_secret=self._erp_secret,
            once=partial(self.once, self.tenant, message, self.policy),
            traceparent=traceparent,
            answered_first=partial(self._answered_first, message),
            titular_keys=self._titular_keys,
            concerns=partial(_concern, told.titular),
            copies=self.copies,
        )

    def time_left(self) -> Callable[[], float]:
        """Returns what tells how much of the time-out is left. The runner's watch began now."""
        ends = monotonic() + self.timeout.total_seconds()
        return lambda: ends - monotonic()

    def _answered_first(
        self, message: Message, command: str, fits: Callable[[object], bool]
    ) -> None:
        if self.answered_first is not None:
            self.answered_first(self.tenant, message, command, fits)

    def _titular_keys(self) -> TitularKeys:
        return self.titulares.keys(self.tenant) if self.titulares else TitularKeys()

    def _own_secret(self, name: str, fresh: bool) -> bytes:  # noqa: FBT001  (as the context calls it)
        if self.secrets is None:
            text = f"secret: {name!r} is not declared"
            raise FatalError(text)
        return self.secrets(self.tenant, name, fresh)

    def _erp_secret(self) -> bytes:
        try:
            return unmarked(self.erp.erp(self.tenant))
        except PortError as error:
            text = f"The secret smartlink-erp-{self.tenant} cannot be read: {error}"
            raise RetryableError(text) from None

    def _done(self, message: Message, replies: Sequence[_Written], step: str | None) -> Done:
        answers: list[Answer] = []
        try:
            self._keep(message, replies, answers)
            if step is None:
                return Done(tuple(answers))
            document = document_id(Direction.DOWNSTREAM, next_step_id(message))
            content = keep(self.contents, self.tenant, document, step)
        except BaseException:  # after any failure no document will refer to these contents
            withdraw(self.contents, [answer.content for answer in answers])
            raise
        return Done(tuple(answers), NextStep(content, self.steps.most, self.steps.grace))

    def _keep(self, message: Message, replies: Sequence[_Written], answers: list[Answer]) -> None:
        """Stores the content of each reply, and then appends the reply to `answers`."""
        for number, (reply, text, room) in enumerate(replies, start=1):
            document = document_id(Direction.UPSTREAM, reply_id(message, number))
            content = keep(self.contents, self.tenant, document, text, room)
            answers.append(Answer(reply.type, content, reply.audience, reply.correlation_id))


def _concern(titular: dict[str, None], hashes: Iterable[str]) -> None:
    """Take nothing but hashes: what is none of ours is no thing to be stored in the open."""
    given = list(hashes)
    if not all(isinstance(it, str) and _HASH.fullmatch(it) for it in given):
        text = "concerns: it takes what the titular_keys hash, and nothing else"
        raise WrongTypeError(text)
    titular.update(dict.fromkeys(given))


def _told(titular: Mapping[str, None]) -> tuple[str, ...]:
    """The hashes that are stored, in one order whatever the consumer's."""
    if len(titular) > _TITULARES:
        text = f"Of {len(titular)} hashes of Titular {_TITULARES} are stored"
        event("titular_cut", text, WARNING, hashes=len(titular))
    return tuple(sorted(islice(titular, _TITULARES)))


def _verdict(error: FatalError | RetryableError | UnknownOutcomeError) -> Outcome:
    text = str(error) or f"{type(error).__name__} without a text"
    match error:
        case FatalError():
            return Reject(text)
        case UnknownOutcomeError():
            return Unknown(text)
        case _:
            return Retry(text)


def _unexpected(message: Message, error: BaseException) -> Unknown:
    surprise("consumer_failed", "The consumer raised an unexpected exception", error)
    if message.personal:
        return Unknown(f"Unexpected {describe(error)}", _frames(error))
    trace = "".join(traceback.format_exception(error, limit=-20))
    return Unknown(f"Unexpected {describe(error)}: {_text_of(error)}"[:1_000], trace[-16_000:])


def _frames(error: BaseException) -> str:
    return "".join(traceback.format_list(traceback.extract_tb(error.__traceback__)[-20:]))


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:  # noqa: BLE001  (an author's `__str__`)
        return "its text cannot be had"


def _to_cloud_logging(kind: LogType, template: str) -> None:
    event("consumer_log", template, _SEVERITY[kind])


def _replies(returned: Returned) -> Iterable[Reply]:
    if returned is None:
        return ()
    if inspect.iscoroutine(returned):
        returned.close()  # otherwise Python warns, in a log that the author may not see
    if inspect.isawaitable(returned) or inspect.isasyncgen(returned):
        raise WrongTypeError(_NOT_RUN.format(type(returned).__name__))
    if isinstance(returned, Continue):
        if isinstance(returned.replies, Continue):
            raise _ReplyError(_NO_REPLY.format("a Continue within a Continue"))
        return _replies(returned.replies)
    if isinstance(returned, Reply):
        return (returned,)
    if isinstance(returned, str | bytes | Mapping | BaseModel) or not isinstance(
        returned, Iterable
    ):
        raise _ReplyError(_NO_REPLY.format(type(returned).__name__))
    return returned


def _step_text(payload: object) -> str:
    try:
        return content_text(payload)
    except ContentError as error:
        text = f"The next step: its content {error}"
        raise _ReplyError(text) from None


def _room_for(message: Message, replies: Iterable[Reply]) -> int:
    """See Context.room_for. Raises WrongTypeError for what is no reply."""
    number = 0
    try:
        for number, _ in enumerate(_written(message, replies), start=1):  # noqa: B007
            pass
    except _NoRoomError:
        return number
    except _ReplyError as error:
        raise WrongTypeError(str(error)) from None
    return number


def _gathered(message: Message, replies: Iterable[Reply]) -> list[_Written]:
    """Gathers the replies. Raises _ReplyError for one that can never be stored or sent."""
    if isinstance(replies, Sized) and len(replies) > MOST_REPLIES:
        text = (
            f"The consumer returned more than {MOST_REPLIES:,} replies, the most that Firestore "
            f"can store at once with the message's end: return fewer, each with more in it, or a "
            f"Continue with the rest"
        )
        raise _ReplyError(text)
    return list(_written(message, replies))


def _written(message: Message, replies: Iterable[Reply]) -> Iterator[_Written]:
    """Yields the replies, each with the room that its content has in its document.

    A generator runs here, perhaps an endless one. It goes no further than the reply that is too
    much, which comes before MOST_REPLIES.
    """
    room, left = _INLINE_REPLIES, MOST_REPLY_BYTES
    for number, reply in enumerate(replies, start=1):
        if not isinstance(reply, Reply):
            raise _ReplyError(_NO_REPLY.format(type(reply).__name__))
        _check_names(number, reply)
        written = _text(number, reply)
        inline = inline_size(written, room)
        left -= inline + _overhead(message, reply)
        if left < 0:
            text = (
                f"Reply {number}: with those before it, it is too large to be stored at once, "
                f"{MOST_REPLY_BYTES:,} bytes with their names: return fewer replies, each with "
                f"more in it, or a Continue with the rest (context.room_for tells)"
            )
            raise _NoRoomError(text)
        yield reply, written, room
        room -= inline


def _check_names(number: int, reply: Reply) -> None:
    for name in ("type", "audience", "correlation_id"):
        value = getattr(reply, name)
        problem = _name_problem(name, value) if value is not None or name == "type" else None
        if problem is not None:
            text = f"Reply {number}: {name} {problem}"
            raise _ReplyError(text)


def _name_problem(name: str, value: object) -> str | None:
    """Says what is wrong with a reply's type, audience or correlation id; None if it is usable.

    Type and audience are segments of the path of `send`.
    """
    if not isinstance(value, str):
        return f"is a {type(value).__name__}, it must be a str"
    if not 0 < len(value) <= _NAME_LIMIT:
        return f"must have 1 to {_NAME_LIMIT} characters"
    if _CONTROL.search(value):
        return "must have no control characters"
    if name != "correlation_id" and value in _NO_SEGMENT:
        return f"cannot be {value!r}: no path of the broker can hold it"
    try:
        value.encode()
    except UnicodeEncodeError:
        return "has half of a surrogate pair, which UTF-8 cannot carry"
    return None


def _overhead(message: Message, reply: Reply) -> int:
    names = (reply.type, reply.audience, reply.correlation_id or message.correlation_id)
    texts = sum(len((name or message.id).encode("utf-8", "surrogatepass")) for name in names)
    return REPLY_OVERHEAD + texts + 3 * len(message.document)


def _text(number: int, reply: Reply) -> str:
    try:
        return content_text(reply.content)
    except ContentError as error:
        text = f"Reply {number}: its content {error}"
        raise _ReplyError(text) from None


def _invalid(error: PayloadError | ValidationError) -> str:
    """Says which fields of a payload are wrong, and never what they hold."""
    if isinstance(error, PayloadError):
        return str(error)
    problems = (
        f"{'.'.join(str(part) for part in item['loc']) or 'the body'}: {item['type']}"
        for item in error.errors(include_input=False, include_url=False, include_context=False)
    )
    return f"The content does not fit the command: {'; '.join(list(problems)[:20])}"
