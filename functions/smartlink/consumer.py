"""The interface for authors of consumers.

    from smartlink.consumer import Context, FatalError, Payload, Reply, RetryableError, consumer

    class DataRequest(Payload):
        requestID: str

    @consumer("SGDPDataCommand")
    def answer(request: DataRequest, context: Context) -> Reply:
        context.log.info("Found %d rows", 3)
        return Reply("SGDPDataResponse", {"requestID": request.requestID}, audience="SGDP")

The annotation of the first parameter decides what the function gets. With `str` it gets the whole
content as a text. With a pydantic model it gets the parsed body of the content: TOTVS's `content`,
CloudEvents' `data`, or else the whole content. With `Xml[Model]` that body is XML.
"""

import codecs
import inspect
import math
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Protocol, overload

from pydantic import (
    AliasChoices,
    AliasPath,
    BaseModel,
    ConfigDict,
    TypeAdapter,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from smartlink.domain.copies import Copies
from smartlink.domain.message import LogType
from smartlink.domain.outcome import Line
from smartlink.domain.payload import Style
from smartlink.domain.titular import TitularKeys

if TYPE_CHECKING:  # few consumers call anybody, and the others do not load it
    from requests import Session

MOST_REPLY_BYTES = 2_359_296
"""All replies of one message together, as Firestore stores them with the message's end in one
commit. A reply counts REPLY_OVERHEAD, its type, audience and correlation id, three times the length
of the message's id, and its content. Contents beyond the first 1,048,576 bytes go to the bucket and
count nothing here."""
REPLY_OVERHEAD = 1_600  # bytes
MOST_REPLIES = MOST_REPLY_BYTES // REPLY_OVERHEAD
"""No message has more replies. MOST_REPLY_BYTES may be reached earlier: a reply with an empty
content and usual names counts some 2,000 bytes."""


class RetryableError(Exception):
    """The work failed, but may succeed later: the message is executed again, by RM's formula.

    The text of this error is stored. Write it for the operator, without personal data. Of any
    other exception it is not known how far the work went, so it counts as UnknownOutcomeError. If
    the command is marked `personal`, the text of such an exception is not stored, because it may
    quote the content.
    """


class UnknownOutcomeError(Exception):
    """Nobody knows whether the work was done: a bank did not answer in time, for example.

    The command's `unknownOutcome` in the catalogue decides what follows. With `retry` the message
    is executed again. With `hold` the message is dead until a person has looked. The text of this
    error is stored: write it without personal data.
    """


class FatalError(Exception):
    """The work can never succeed: the message is dead until an operator acts. A reason is
    required."""

    def __init__(self, reason: str) -> None:
        if not reason.strip():
            message = "FatalError needs a reason: the operator reads it"
            raise ValueError(message)
        super().__init__(reason)


class WrongTypeError(TypeError):
    """A reply or a log line holds a value of a wrong type. The text names the place and the type.

    It is raised where the author makes the reply or the line. If the author does not catch it, the
    run has failed as by any other exception.
    """


class Payload(BaseModel):
    """A payload model that finds its fields in any casing and ignores unknown fields.

    A null for a field that has a default and whose type takes no None means the default.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    @model_validator(mode="before")
    @classmethod
    def _any_casing(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        own, names = _own_names(cls)
        others: dict[object, object] = {}
        cased: dict[object, object] = {}
        exact: dict[object, object] = {}
        for key, item in value.items():
            name = own.get(key.lower()) if isinstance(key, str) else None
            if name is None:
                others[key] = item
                continue
            cased[name] = item
            if key in names:
                exact[key] = item
        found = {**others, **cased, **exact}
        absent = _absent_if_null(cls)
        return {name: it for name, it in found.items() if it is not None or name not in absent}


@cache
def _absent_if_null(model: type[Payload]) -> frozenset[str]:
    """Returns the names on the wire of the fields for which a null means the default."""
    validators = model.__pydantic_decorators__.field_validators.values()
    own = {name for it in validators if it.info.mode != "after" for name in it.info.fields}
    names: set[str] = set()
    for name, info in model.model_fields.items():
        if info.is_required() or name in own or "*" in own or _takes_none(info):
            continue
        aliases = _aliases(info.validation_alias)
        names |= {name, *(alias for alias in aliases if isinstance(alias, str))}
    return frozenset(names)


def _takes_none(info: FieldInfo) -> bool:
    """Tells whether the field's type itself says what a None is."""
    kind: Any = Annotated[info.annotation, *info.metadata] if info.metadata else info.annotation
    try:
        adapter = TypeAdapter(kind)
    except Exception:  # noqa: BLE001  (a type that is complete only within its model: left alone)
        return True
    try:
        adapter.validate_python(None)
    except Exception:  # noqa: BLE001  (an author's validator, too, that did not think of None)
        return False
    return True


@cache
def _own_names(model: type[Payload]) -> tuple[Mapping[str, str], frozenset[str]]:
    """Returns the names of a model's fields on the wire, by lower case; and the set of these names.

    A field's own name means its first alias. Each of several aliases means itself.
    """
    own: dict[str, str] = {}
    names: list[str] = []
    for name, info in model.model_fields.items():
        aliases = _aliases(info.validation_alias)
        # The field's own name is accepted too. A path has no single name that it could mean.
        whole = [alias for alias in aliases if isinstance(alias, str)]
        own[name.lower()] = whole[0] if whole else name
        names += whole or [name]
        names += [str(alias.path[0]) for alias in aliases if isinstance(alias, AliasPath)]
    own |= {name.lower(): name for name in names}
    return own, frozenset(names)


def _aliases(alias: str | AliasPath | AliasChoices | None) -> list[str | AliasPath]:
    if alias is None:
        return []
    return alias.choices if isinstance(alias, AliasChoices) else [alias]


@dataclass(frozen=True, slots=True)
class Reply:
    """A message for the broker. A content that is not a text is written as JSON."""

    type: str
    content: str | BaseModel | Mapping[str, object] | list[object] = field(repr=False)
    audience: str | None = None
    correlation_id: str | None = None  # default: that of the message, else its id

    def __post_init__(self) -> None:
        """Raises WrongTypeError here, so that the traceback shows the author's line."""
        whose = f"the reply {self.type[:80]!r}" if isinstance(self.type, str) else "a reply"
        _check_text(f"{whose}: type", self.type)
        for name in ("audience", "correlation_id"):
            _check_text(f"{whose}: {name}", getattr(self, name), optional=True)


@dataclass(frozen=True, slots=True)
class Continue:
    """Ends this step of a long work, sends its replies, and lets a further step follow.

    The next step is a message of its own, with the same command, audience and correlation id. Its
    content is `payload`, without an envelope; a payload that is not a text is written as JSON. It
    has its own attempts and its own time-out. It is stored in the commit that ends this step: both
    happen, or neither. A work has at most `maxSteps` steps (in the catalogue; 100 unless said): the
    one after the last is dead (`steps-exhausted`) until an operator redrives or discards it.
    """

    payload: str | BaseModel | Mapping[str, object] | list[object] = field(repr=False)
    replies: "Reply | Iterable[Reply]" = field(default=(), repr=False)


def _check_text(what: str, value: object, *, optional: bool = False) -> None:
    if not (isinstance(value, str) or (optional and value is None)):
        text = f"{what} is a {type(value).__name__}, it must be a str{' or None' * optional}"
        raise WrongTypeError(text)


@dataclass(slots=True)
class Logger:
    """Logs lines about the message. Only `GTotvsLinkLog` gets the values; Cloud Logging does not.

    Cloud Logging gets the template alone, because a value may be personal data. So write
    `log.info("Found %s", value)`, and never an f-string.
    """

    template: Callable[[LogType, str], None] = field(repr=False)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    lines: list[Line] = field(default_factory=list, repr=False)
    limit: int = 100  # lines; a consumer in a loop must not fill the database

    def info(self, template: str, *values: object, debug: str | None = None) -> None:
        """Logs a line with LOGTYPE 0. `debug` goes to `DATADEBUG`."""
        self._add(LogType.INFORMATION, template, values, debug)

    def warning(self, template: str, *values: object, debug: str | None = None) -> None:
        """Logs a line with LOGTYPE 1. `debug` goes to `DATADEBUG`."""
        self._add(LogType.WARNING, template, values, debug)

    def error(self, template: str, *values: object, debug: str | None = None) -> None:
        """Logs a line with LOGTYPE 2. `debug` goes to `DATADEBUG`."""
        self._add(LogType.ERROR, template, values, debug)

    def _add(
        self, kind: LogType, template: str, values: tuple[object, ...], debug: str | None
    ) -> None:
        number = min(len(self.lines) + 1, self.limit)
        _check_text(f"log line {number}: its template", template)
        _check_text(f"log line {number}: debug", debug, optional=True)
        if len(self.lines) >= self.limit:
            return
        if len(self.lines) == self.limit - 1:
            template, values, debug = "Further lines are dropped", (), None
        text = _formatted(template, values)
        self.lines.append(Line(kind, text[:4_000], self.now(), debug[:16_000] if debug else None))
        self.template(kind, template)


def _formatted(template: str, values: tuple[object, ...]) -> str:
    """Formats a line. It never raises, so that a wrong template or value does not fail the
    message."""
    if not values:
        return template
    try:
        return template % values
    except Exception:  # noqa: BLE001  (a value's own code runs: it may raise anything)
        with suppress(Exception):
            return f"{template} {values!r}"
        return f"{template} (its values cannot be written)"


def _no_secret(name: str, fresh: bool) -> bytes:  # noqa: ARG001, FBT001  (as `Context.secret` calls it)
    message = f"secret: {name!r} is not declared"
    raise FatalError(message)


class Http(Protocol):
    """See Context.http."""

    def __call__(self, key: str = "", *, timeout: float = ..., retries: int = ...) -> "Session":
        """Makes a session for an effect of this name."""
        ...


def _no_http(key: str = "", *, timeout: float = 10, retries: int = 2) -> "Session":  # noqa: ARG001
    message = "http: this context was made by hand, and calls nobody"
    raise FatalError(message)


def _no_room(replies: Iterable[Reply]) -> int:  # noqa: ARG001
    return 0


_B = typing.TypeVar("_B", bound=BaseModel)


@dataclass(frozen=True, slots=True, kw_only=True)
class _CallContext:
    """What any consumer may know of the call that runs it, and whose secrets it may read."""

    tenant: str
    command: str
    now: datetime
    _time_left: Callable[[], float] = field(default=lambda: math.inf, repr=False)
    _secret: Callable[[str, bool], bytes] = field(default=_no_secret, repr=False)
    erp_secret: Callable[[], bytes] = field(repr=False)
    """Returns the secret `smartlink-erp-<tenant>`. Raises RetryableError if it cannot be read."""

    @property
    def time_left(self) -> float:
        """The seconds until this run's time-out, which ends the process. It is never negative."""
        return max(self._time_left(), 0.0)

    @overload
    def secret(self, name: str, *, fresh: bool = ...) -> bytes: ...

    @overload
    def secret(self, name: str, model: type[_B], *, fresh: bool = ...) -> _B: ...

    def secret(
        self, name: str, model: type[BaseModel] | None = None, *, fresh: bool = False
    ) -> bytes | BaseModel:
        """Returns the secret `smartlink-<name>-<tenant>`, as bytes or as a model of its JSON.

        The catalogue's entry of the command declares the name in `secrets`: FatalError if not.
        Raises RetryableError if the secret cannot be read or does not fit the model. A process
        keeps it for five minutes. `fresh` reads it again: after the other side has refused it.
        """
        payload = self._secret(name, fresh)
        if model is None:
            return payload
        try:
            return model.model_validate_json(payload)
        except ValidationError as error:
            problems = "; ".join(
                f"{'.'.join(map(str, it['loc'])) or 'the payload'}: {it['type']}"
                for it in error.errors(
                    include_input=False, include_url=False, include_context=False
                )
            )
            text = f"The secret smartlink-{name}-{self.tenant} does not fit: {problems}"
        raise RetryableError(text)  # outside: no traceback may lead to the payload


@dataclass(frozen=True, slots=True, kw_only=True)
class Context(_CallContext):
    """What the consumer may know of the message besides its content, and what it may call."""

    message_id: str
    attempt: int  # 1 the first time
    attempts: int  # the limit of attempts in force
    correlation_id: str | None
    audience: str | None
    received: datetime
    style: Style | None  # of the content; None for a raw consumer's opaque text
    header: Mapping[str, object] = field(repr=False)  # names lower-cased
    log: Logger = field(repr=False)
    once: Callable[[str, Callable[[], object]], Any] = field(repr=False)
    """`once(key, effect)` calls `effect()`, unless it was done under this key before, and returns
    its result, which is the same each time.

    The key names the effect within the tenant and the command: an order's number, for example. The
    result is kept as JSON, at most 64 KB, for two retentions of the history: it must not be
    personal data. `functions/README.md` says what `once` cannot promise.

    While another message does the same effect, this message is handed back and spends no attempt.
    If an earlier run began the effect and did not record its end, a command with `hold` gets
    UnknownOutcomeError; any other command does the effect again. If `effect` raises RetryableError
    or FatalError, it says that it has done nothing.
    """
    http: Http = field(default=_no_http, repr=False)
    """`with context.http("a name of the effect") as session:` gives a session of `requests`.

    Each wait takes at most `timeout` seconds, and less where the run ends sooner. GET, HEAD and
    OPTIONS are tried again. All other calls are sent once, with an Idempotency-Key that is the
    same in each run of the message: it is made from the message, the name, the method and the URL
    without its query. No error of the session quotes a path, a query, a header or a body.
    """
    room_for: Callable[[Iterable[Reply]], int] = field(default=_no_room, repr=False)
    """`room_for(replies)` tells how many of these replies, from the first on, can be stored with
    this message's end. Ask it before you return: what has no room ends the message dead. The others
    are the next step's. It reads no further than the first reply that has no room."""
    step: int = 1  # 2 or more: the message is a later step of a work, see Continue
    traceparent: str | None = None
    """The message's trace (W3C): a call of another system that carries it as its header of this
    name belongs to the same trace."""
    answered_first: Callable[[str, Callable[[object], bool]], None] = field(
        default=lambda _command, _fits: None, repr=False
    )
    """`answered_first(command, fits)` lets this message wait while a live message of that command
    came before it, or together with it, and `fits(body)`. It is handed back then, and no attempt
    is spent. It looks once: what comes later it does not see.
    """
    titular_keys: Callable[[], TitularKeys] = field(default=TitularKeys, repr=False)
    """The keys of the secret `smartlink-titular-<tenant>`; none if there is no such secret.
    Raises RetryableError when it cannot be read."""
    concerns: Callable[[Iterable[str]], None] = field(default=lambda _titulares: None, repr=False)
    """Says whom the message is about, in hashes by these keys and never otherwise. The settlement
    writes them as `Titular`, by which an operator finds a person's requests."""
    copies: Copies | None = None  # until when copies live on; None: it is not known here


Returned = Reply | Iterable[Reply] | Continue | None


@dataclass(frozen=True, slots=True)
class Consumer:
    """An author's function, with its command and its payload model."""

    command: str
    function: Callable[[typing.Any, Context], Returned]
    payload: type[BaseModel] | None  # None: the function gets the content as a text
    xml: bool = False  # whether the body is XML
    encoding: str | None = None  # of contents that are not UTF-8

    def __call__(self, payload: object, context: Context) -> Returned:
        """Calls the author's function."""
        return self.function(payload, context)


def _is_async(function: Callable[..., object]) -> bool:
    """Tells whether a call returns something to await; also for a partial or a callable object."""
    called = (function, getattr(function, "__call__", None))  # noqa: B004  (looked at, not called)
    return any(inspect.iscoroutinefunction(it) or inspect.isasyncgenfunction(it) for it in called)


class _XmlBody:
    """Marks a payload whose body is XML."""


_M = typing.TypeVar("_M")
_P = typing.TypeVar("_P")
Xml = Annotated[_M, _XmlBody]
"""`Xml[Model]` as the annotation of a payload: its body is XML.

The root's name is not looked at. Attributes and child elements are the model's fields, without
their namespaces; an element that occurs again, or whose field is a list, is a list. An element with
a text and attributes has its text as the field `text`, if its field is a model. `xsi:nil` is null.
A DTD is refused, and so are entities of its own.
"""


def consumer(
    command: str, *, encoding: str | None = None
) -> Callable[[Callable[[_P, Context], Returned]], Consumer]:
    """Makes a function the consumer of a command, as the attribute on the class does in RM.

    `encoding` says how to read a content whose bytes are not UTF-8, such as "windows-1252". It does
    not change a content that is UTF-8.

    Raises TypeError if the function does not take (payload, context), or if the payload has no
    usable annotation. Raises ValueError if there is no such encoding.
    """
    if encoding is not None:
        _check_encoding(command, encoding)

    def stamp(function: Callable[[_P, Context], Returned]) -> Consumer:
        name = _first_parameter(command, function, "(payload, context)")
        kind = typing.get_type_hints(function, include_extras=True).get(name)
        what = f"the consumer of {command}: annotate {name}"
        payload, xml = _payload(kind, what)
        return Consumer(command, function, payload, xml, encoding)

    return stamp


def _first_parameter(command: str, function: Callable[..., object], taken: str) -> str:
    """Returns its name. Raises TypeError if the function cannot be a consumer."""
    parameters = list(inspect.signature(function).parameters)
    if len(parameters) != 2:  # noqa: PLR2004  (payload and context)
        message = f"the consumer of {command} takes {taken}, not {parameters}"
        raise TypeError(message)
    if _is_async(function):
        message = (
            f"the consumer of {command} is `async`: the relay runs each message in a thread of "
            f"its own and awaits nothing. Write `def`; for an async library, `asyncio.run(…)` "
            f"within it"
        )
        raise TypeError(message)
    return parameters[0]


def _payload(kind: Any, what: str) -> tuple[type[BaseModel] | None, bool]:  # noqa: ANN401
    """Returns the model, None for a text, and whether the body is XML. Raises TypeError."""
    marks: tuple[object, ...] = ()
    if typing.get_origin(kind) is Annotated:
        kind, *rest = typing.get_args(kind)
        marks = tuple(rest)
    xml = _XmlBody in marks
    if kind is str and not xml:
        return None, False
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return kind, xml
    message = (
        f"{what} as str (the content as it came) "
        f"or as a pydantic model, or as Xml[…] of one, not {kind!r}"
    )
    raise TypeError(message)


def _check_encoding(command: str, encoding: str) -> None:
    """Raises ValueError for what is no encoding that a content may have.

    A content is found in bytes that are read as ASCII, so its encoding must contain ASCII.
    """
    ascii_bytes = bytes(range(128))
    try:
        codecs.lookup(encoding)
        fits = ascii_bytes.decode(encoding) == ascii_bytes.decode("ascii")
    except (LookupError, UnicodeError):
        fits = False
    if not fits:
        message = (
            f"the consumer of {command}: {encoding!r} is no encoding that a content may have: "
            f'write one like "windows-1252"'
        )
        raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchContext(_CallContext):
    """What a batch consumer may know of all its messages, and what it may call.

    `time_left` is that of the whole call.
    """

    @classmethod
    def of(cls, context: Context, time_left: Callable[[], float] | None = None) -> "BatchContext":
        """Makes it of the context of any of the messages."""
        return cls(
            tenant=context.tenant,
            command=context.command,
            now=context.now,
            _time_left=time_left or context._time_left,  # noqa: SLF001  (of the same base)
            _secret=context._secret,  # noqa: SLF001
            erp_secret=context.erp_secret,
        )


@dataclass(slots=True)
class Item(typing.Generic[_M]):
    """One message of a batch. The consumer says once what became of it."""

    payload: _M = field(repr=False)
    context: Context  # of this message: its log, `once`, `http`, ids
    _said: Callable[[], Returned] | None = field(default=None, repr=False)

    def done(self, returned: Returned = None) -> None:
        """Says that its work is done, with what a consumer of one message would return."""
        self._say(lambda: returned)

    def retry(self, reason: str) -> None:
        """Says that it failed, but may succeed later. See RetryableError."""
        self._say(partial(_raise, RetryableError(reason)))

    def fatal(self, reason: str) -> None:
        """Says that it can never succeed. See FatalError."""
        self._say(partial(_raise, FatalError(reason)))

    def unknown(self, reason: str) -> None:
        """Says that nobody knows whether its work is done. See UnknownOutcomeError."""
        self._say(partial(_raise, UnknownOutcomeError(reason)))

    def _say(self, said: Callable[[], Returned]) -> None:
        if self._said is not None:
            message = f"item: what became of {self.context.message_id} was said already"
            raise ValueError(message)
        self._said = said

    @property
    def said(self) -> Callable[[], Returned] | None:
        """What was said, as a function that returns or raises it; None if nothing was."""
        return self._said


def _raise(error: Exception) -> typing.NoReturn:
    raise error


_Many = Callable[[list[Item[Any]], BatchContext], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchConsumer(Consumer):
    """An author's function for many messages at once. `function` runs it on one alone."""

    many: _Many
    at_most: int


def batch_consumer(
    command: str, *, at_most: int, encoding: str | None = None
) -> Callable[[Callable[[list[Item[_P]], BatchContext], None]], BatchConsumer]:
    """Makes a function the consumer of a command that gets up to `at_most` messages at once.

    It says of each item what became of it: `item.done(reply)`, `item.retry("…")` or
    `item.fatal("…")`. If it raises, nothing that it said counts. Those of which nothing counts run
    again at once, each alone, and no attempt is spent for that. `timeoutSeconds` is the time-out of
    one call.

    Raises TypeError and ValueError as `consumer` does, and if `at_most` is not 2 to 1,000.
    """
    if encoding is not None:
        _check_encoding(command, encoding)
    if type(at_most) is not int or not 2 <= at_most <= 1_000:  # noqa: PLR2004
        message = f"the consumer of {command}: at_most is 2 to 1,000 messages, not {at_most!r}"
        raise ValueError(message)

    def stamp(function: Callable[[list[Item[_P]], BatchContext], None]) -> BatchConsumer:
        name = _first_parameter(command, function, "(items, context)")
        kind = typing.get_type_hints(function, include_extras=True).get(name)
        what = f"the consumer of {command}: annotate {name} as list[Item[…]], and its payload"
        inner = typing.get_args(kind)[0] if typing.get_origin(kind) is list else None
        if typing.get_origin(inner) is not Item:
            message = f"the consumer of {command}: annotate {name} as list[Item[…]], not {kind!r}"
            raise TypeError(message)
        payload, xml = _payload(typing.get_args(inner)[0], what)
        alone = partial(_alone, function)
        return BatchConsumer(command, alone, payload, xml, encoding, many=function, at_most=at_most)

    return stamp


def _alone(many: _Many, payload: object, context: Context) -> Returned:
    """Runs the function on one message, and returns or raises what it says of it."""
    item = Item(payload, context)
    called(many, [item], BatchContext.of(context))
    if item.said is None:
        text = "The consumer said nothing of it: item.done, item.retry or item.fatal"
        raise UnknownOutcomeError(text)
    return item.said()


def called(many: _Many, items: list[Item[Any]], context: BatchContext) -> None:
    """Calls the function. Raises WrongTypeError if it returns something, as nobody would see
    it."""
    returned: object = many(items, context)  # type: ignore[func-returns-value]
    if returned is not None:
        message = (
            f"the batch consumer returned a {type(returned).__name__}: it returns nothing, a reply "
            f"goes into item.done(…)"
        )
        raise WrongTypeError(message)
