"""What the author of a consumer uses.

    from smartlink.consumer import Context, FatalError, Payload, Reply, RetryableError, consumer

    class DataRequest(Payload):
        requestID: str

    @consumer("SGDPDataCommand")
    def answer(request: DataRequest, context: Context) -> Reply:
        context.log.info("Found %d rows", 3)
        return Reply("SGDPDataResponse", {"requestID": request.requestID}, audience="SGDP")

The first parameter's annotation decides what the function gets: `str` is the content as it
came; a pydantic model is what the content's body (TOTVS's `content`, CloudEvents' `data`, or
else the whole of it) is parsed into.
"""

import inspect
import typing
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from smartlink.domain.copies import Copies
from smartlink.domain.message import LogType
from smartlink.domain.outcome import Line
from smartlink.domain.payload import Style
from smartlink.domain.titular import TitularKeys


class RetryableError(Exception):
    """It may work later: the message is executed again, by RM's formula.

    Any other exception counts as this one too, but of a command marked `personal` its text is
    stored nowhere, as it may quote the content. This one's text is stored: write it for the
    operator, without personal data.
    """


class UnknownOutcomeError(Exception):
    """Whether the work was done is not known: a bank did not answer in time, say.

    What follows, the command's `unknownOutcome` in the catalogue decides: `retry`, or `hold`,
    which leaves the message dead until a person has looked. Its text is stored, as that of
    RetryableError.
    """


class FatalError(Exception):
    """It will never work: the message is dead until an operator acts. A reason is required."""

    def __init__(self, reason: str) -> None:
        if not reason.strip():
            message = "FatalError needs a reason: the operator reads it"
            raise ValueError(message)
        super().__init__(reason)


class WrongTypeError(TypeError):
    """A reply, or a log line, holds what it cannot: the text names what and where, no value.

    It is raised where the author makes it; the run has failed then as by any other exception.
    """


class Payload(BaseModel):
    """A payload model that finds its fields in any casing and ignores those it does not know."""

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
        return {**others, **cased, **exact}


@cache
def _own_names(model: type[Payload]) -> tuple[Mapping[str, str], frozenset[str]]:
    """The names that a model's fields have on the wire, by their lower case; and all of them."""
    own = {name.lower(): info.alias or name for name, info in model.model_fields.items()}
    own |= {name.lower(): name for name in own.values()}
    return own, frozenset(own.values())


@dataclass(frozen=True, slots=True)
class Reply:
    """A message for the broker. A content that is no text is written as JSON."""

    type: str
    content: str | BaseModel | Mapping[str, object] | list[object] = field(repr=False)
    audience: str | None = None
    correlation_id: str | None = None  # default: the message's own, else its id

    def __post_init__(self) -> None:
        """Raises WrongTypeError: here, the traceback shows the line that is wrong."""
        whose = f"the reply {self.type[:80]!r}" if isinstance(self.type, str) else "a reply"
        _check_text(f"{whose}: type", self.type)
        for name in ("audience", "correlation_id"):
            _check_text(f"{whose}: {name}", getattr(self, name), optional=True)


def _check_text(what: str, value: object, *, optional: bool = False) -> None:
    if not (isinstance(value, str) or (optional and value is None)):
        text = f"{what} is a {type(value).__name__}, it must be a str{' or None' * optional}"
        raise WrongTypeError(text)


@dataclass(slots=True)
class Logger:
    """Lines about the message: whole in `GTotvsLinkLog`; Cloud Logging gets the bare template.

    So write `log.info("Found %s", value)`, never an f-string: a value may be personal data.
    """

    template: Callable[[LogType, str], None] = field(repr=False)
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC), repr=False)
    lines: list[Line] = field(default_factory=list, repr=False)
    limit: int = 100  # lines; a consumer in a loop must not fill the database

    def info(self, template: str, *values: object, debug: str | None = None) -> None:
        """LOGTYPE 0. `debug` goes to `DATADEBUG`."""
        self._add(LogType.INFORMATION, template, values, debug)

    def warning(self, template: str, *values: object, debug: str | None = None) -> None:
        """LOGTYPE 1."""
        self._add(LogType.WARNING, template, values, debug)

    def error(self, template: str, *values: object, debug: str | None = None) -> None:
        """LOGTYPE 2."""
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
    """A line that is written wrongly, or tells of what cannot be told, fails no message."""
    if not values:
        return template
    try:
        return template % values
    except Exception:  # noqa: BLE001  (a value's own code runs: it may raise anything)
        with suppress(Exception):
            return f"{template} {values!r}"
        return f"{template} (its values cannot be written)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What is known of the message besides its content."""

    tenant: str
    message_id: str
    command: str
    attempt: int  # 1 the first time
    attempts: int  # the limit in force
    correlation_id: str | None
    audience: str | None
    received: datetime
    now: datetime
    style: Style | None  # of the content; None for a raw consumer's opaque text
    header: Mapping[str, object] = field(repr=False)  # names lower-cased
    log: Logger = field(repr=False)
    erp_secret: Callable[[], bytes] = field(repr=False)
    """The secret `smartlink-erp-<tenant>`. Raises RetryableError when it cannot be read."""
    once: Callable[[str, Callable[[], object]], Any] = field(repr=False)
    """`once(key, effect)` calls `effect()` unless it was done under that key before, and answers
    its result, then as now. The key is the tenant's and the command's own: an order's number,
    say. The result goes through JSON, 64 KB at most, and is kept as long as the history: an id,
    no personal data. See `functions/README.md` for what it cannot promise.

    While another message is at it, this one is handed back, and no attempt is spent. If an
    earlier run began the effect and did not say how it ended, UnknownOutcomeError is raised (of
    a command with `hold`; else the effect is repeated). RetryableError and FatalError from
    `effect` mean that nothing was done.
    """
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


Returned = Reply | Iterable[Reply] | None


@dataclass(frozen=True, slots=True)
class Consumer:
    """A function stamped with its command."""

    command: str
    function: Callable[[typing.Any, Context], Returned]
    payload: type[BaseModel] | None  # None: the content as it came

    def __call__(self, payload: object, context: Context) -> Returned:
        """The function itself."""
        return self.function(payload, context)


_P = typing.TypeVar("_P")


def consumer(command: str) -> Callable[[Callable[[_P, Context], Returned]], Consumer]:
    """Stamps a function as the consumer of a command (RM: the attribute on the class)."""

    def stamp(function: Callable[[_P, Context], Returned]) -> Consumer:
        parameters = list(inspect.signature(function).parameters)
        if len(parameters) != 2:  # noqa: PLR2004  (payload and context)
            message = f"the consumer of {command} takes (payload, context), not {parameters}"
            raise TypeError(message)
        kind = typing.get_type_hints(function).get(parameters[0])
        if kind is str:
            return Consumer(command, function, None)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return Consumer(command, function, kind)
        message = (
            f"the consumer of {command}: annotate {parameters[0]} as str (the content as it came) "
            f"or as a pydantic model, not {kind!r}"
        )
        raise TypeError(message)

    return stamp
