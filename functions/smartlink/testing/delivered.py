"""How a delivery went, and what a test may claim of it. A failed claim lists what there was."""

from dataclasses import dataclass, field
from typing import Any, NoReturn, Self, TypeVar, overload

from pydantic import TypeAdapter, ValidationError

from smartlink.domain.message import LogType
from smartlink.domain.outcome import (
    Done,
    HandBack,
    Line,
    Outcome,
    Reject,
    Retry,
    Unknown,
    Unwritten,
)
from smartlink.testing.payloads import body_of

_SHOWN = 500  # characters of a reply or a line in a failure's text
_ANY = object()
_Model = TypeVar("_Model")


@dataclass(frozen=True, slots=True)
class Sent:
    """A reply as the broker would get it."""

    type: str
    text: str
    audience: str | None = None
    correlation_id: str | None = None

    @property
    def body(self) -> Any:  # noqa: ANN401  (a test looks into it without casts)
        """The parsed body of the reply, without the envelope; a text that is not JSON stays a
        text."""
        return body_of(self.text)


@dataclass(frozen=True, slots=True)
class Delivered:
    """How a delivery went. Its claims raise AssertionError if they do not hold."""

    verdict: Outcome
    replies: tuple[Sent, ...] = ()
    lines: tuple[Line, ...] = ()
    debug: str | None = field(default=None, repr=False)
    """The stack of an unexpected exception."""
    next_step: str | None = field(default=None, repr=False)
    """The content of the message that continues this one; None if the work is at its end."""
    batch: "tuple[Delivered, ...]" = ()
    """How the further messages of `deliver(…, batch=…)` went, in their order."""

    @property
    def reason(self) -> str:
        """Why the message was not done; empty if it was done."""
        return "" if isinstance(self.verdict, Done) else self.verdict.error or ""

    def done(self) -> Self:
        """Claims that the message was executed."""
        return self._claim("Done", Done, "")

    def must_retry(self, text: str = "") -> Self:
        """Claims that it failed by RetryableError with a reason that contains the text."""
        return self._claim(f"a retry because of {text!r}", Retry, text)

    def is_fatal(self, text: str = "") -> Self:
        """Claims that it can never succeed: by FatalError, or by a payload that does not fit."""
        return self._claim(f"fatal because of {text!r}", Reject, text)

    def outcome_unknown(self, text: str = "") -> Self:
        """Claims that it may have done some work: by UnknownOutcomeError or an unexpected
        exception."""
        return self._claim(f"an unknown outcome because of {text!r}", Unknown, text)

    def outcome_unwritten(self, text: str = "") -> Self:
        """It did its work and returned what can never be stored or sent."""
        return self._claim(f"an unwritten outcome because of {text!r}", Unwritten, text)

    def handed_back(self, text: str = "") -> Self:
        """Claims that it was handed back without its own fault, so that it costs no attempt."""
        return self._claim(f"handed back because of {text!r}", HandBack, text)

    @overload
    def replied(
        self, kind: str, *, audience: object = ..., correlation_id: object = ...
    ) -> Any: ...  # noqa: ANN401  (a test looks into it without casts)

    @overload
    def replied(
        self,
        kind: str,
        model: type[_Model],
        *,
        audience: object = ...,
        correlation_id: object = ...,
    ) -> _Model: ...

    def replied(
        self,
        kind: str,
        model: Any = None,
        *,
        audience: object = _ANY,
        correlation_id: object = _ANY,
    ) -> Any:
        """Claims that it sent exactly one such reply; returns the reply's parsed body.

        With a `model`, such as a pydantic model or `list[str]`, the body must fit it, and the
        answer is of that type.
        """
        __tracebackhide__ = True
        self.done()
        found = [
            reply
            for reply in self.replies
            if reply.type == kind
            and audience in (_ANY, reply.audience)
            and correlation_id in (_ANY, reply.correlation_id)
        ]
        if len(found) != 1:
            wanted = [f"one reply {kind!r}"]
            wanted += [] if audience is _ANY else [f"to {audience!r}"]
            wanted += [] if correlation_id is _ANY else [f"with correlation {correlation_id!r}"]
            self._fail(f"expected {' '.join(wanted)}, found {len(found)}")
        body = found[0].body
        return body if model is None else self._fitted(kind, model, body)

    @overload
    def continued(self) -> Any: ...  # noqa: ANN401  (a test looks into it without casts)

    @overload
    def continued(self, model: type[_Model]) -> _Model: ...

    def continued(self, model: Any = None) -> Any:
        """Claims that it returned Continue; returns the parsed payload of the next step.

        With a `model`, the payload must fit it, and the answer is of that type.
        """
        __tracebackhide__ = True
        self.done()
        if self.next_step is None:
            self._fail("expected a next step")
        body = body_of(self.next_step)
        return body if model is None else self._fitted("the next step", model, body)

    def replied_nothing(self) -> Self:
        """Claims that it was executed and sent no reply."""
        __tracebackhide__ = True
        self.done()
        if self.replies:
            self._fail("expected no reply")
        return self

    def logged(self, text: str, kind: LogType | None = None) -> Line:
        """Claims that it logged a line with this text; returns the first such line."""
        __tracebackhide__ = True
        found = [it for it in self.lines if text in it.text and kind in {None, it.type}]
        if not found:
            of_kind = "" if kind is None else f" of {kind.name}"
            self._fail(f"expected a log line{of_kind} with {text!r}")
        return found[0]

    def __str__(self) -> str:
        """Lists the outcome, the replies and the log lines."""
        reason = f": {self.reason}" if self.reason else ""
        parts = [f"outcome: {type(self.verdict).__name__}{reason}"]
        parts += [
            f"reply: {it.type} to {it.audience or '(anyone)'}"
            f" (correlation {it.correlation_id!r}): {it.text[:_SHOWN]}"
            for it in self.replies
        ] or ["replies: none"]
        if self.next_step is not None:
            parts.append(f"next step: {self.next_step[:_SHOWN]}")
        parts += [f"log {it.type.name}: {it.text[:_SHOWN]}" for it in self.lines] or ["log: empty"]
        parts += [self.debug] if self.debug else []
        return "\n".join(parts)

    def _claim(self, wanted: str, kind: type[Outcome], text: str) -> Self:
        __tracebackhide__ = True
        if not isinstance(self.verdict, kind) or text not in self.reason:
            self._fail(f"expected {wanted}")
        return self

    def _fitted(self, kind: str, model: type[_Model], body: object) -> _Model:
        __tracebackhide__ = True
        try:
            return TypeAdapter(model).validate_python(body)
        except ValidationError as error:
            self._fail(f"expected {kind!r} to fit {model}: {error}")

    def _fail(self, expected: str) -> NoReturn:
        __tracebackhide__ = True
        message = f"{expected}; there was:\n{self}"
        raise AssertionError(message)
