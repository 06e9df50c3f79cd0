"""The decorator, and the errors an author raises."""

from typing import Any

import pytest
from pydantic import BaseModel

from smartlink.consumer import (
    Consumer,
    Context,
    FatalError,
    Payload,
    Reply,
    Returned,
    consumer,
)


class Request(Payload):
    number: int


class Plain(BaseModel):
    number: int


def raw(content: str, context: Context) -> None:
    """Take the content as it came."""


def typed(request: Request, context: Context) -> Reply:  # noqa: ARG001
    return Reply("Answer", {"number": request.number})


def plain(request: Plain, context: Context) -> list[Reply]:  # noqa: ARG001
    return []


@pytest.mark.parametrize(("function", "payload"), [(raw, None), (typed, Request), (plain, Plain)])
def test_the_annotation_decides(
    function: Any,  # noqa: ANN401
    payload: type[BaseModel] | None,
) -> None:
    """`str` is the content as it came; a model is what its body is parsed into."""
    stamped = consumer("Probe")(function)
    assert isinstance(stamped, Consumer)
    assert (stamped.command, stamped.payload) == ("Probe", payload)


def test_a_stamped_function_can_still_be_called() -> None:
    """Authors call it in their own tests."""
    stamped = consumer("Probe")(typed)
    answer = stamped(Request(number=7), None)  # type: ignore[arg-type]
    assert answer == Reply("Answer", {"number": 7})


def no_annotation(request, context: Context) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """Say nothing of what it takes."""


def number(request: int, context: Context) -> None:
    """Take what no content is."""


def either(request: str | Request, context: Context) -> None:
    """Take this or that."""


def mapping(request: dict[str, object], context: Context) -> None:
    """Take a dict."""


@pytest.mark.parametrize("function", [no_annotation, number, either, mapping])
def test_any_other_annotation_is_refused(function: Any) -> None:  # noqa: ANN401
    """At import, with the command, the parameter and the fix."""
    with pytest.raises(TypeError, match=r"consumer of Probe: annotate request as str .* model"):
        consumer("Probe")(function)


def lonely(content: str) -> None:
    """Take no context."""


def crowded(content: str, context: Context, more: int) -> None:
    """Take more than there is."""


@pytest.mark.parametrize("function", [lonely, crowded])
def test_a_consumer_takes_two_parameters(function: Any) -> None:  # noqa: ANN401
    """At import, with the parameters that it has."""
    with pytest.raises(TypeError, match=r"consumer of Probe takes \(payload, context\), not \["):
        consumer("Probe")(function)


@pytest.mark.parametrize("reason", ["", " ", "\n"])
def test_a_fatal_error_needs_a_reason(reason: str) -> None:
    """As RM's does: the operator reads it."""
    with pytest.raises(ValueError, match="reason"):
        FatalError(reason)


def test_a_reply_shows_no_content() -> None:
    """Invariant 10: a reply that lands in a log or an error shows no content."""
    returned: Returned = Reply("Answer", "canary-529", audience="APP")
    assert "canary-529" not in repr(returned)
    assert "APP" in repr(returned)
