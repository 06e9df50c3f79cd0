"""The decorator, and the errors an author raises."""

from functools import partial
from typing import Annotated, Any

import pytest
from pydantic import AliasChoices, AliasPath, BaseModel, Field

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


async def coroutine(content: str, context: Context) -> None:
    """Await something."""


async def generator(content: str, context: Context) -> Any:  # noqa: ANN401, ARG001
    yield Reply("Answer", "")


class Awaiting:
    async def __call__(self, content: str, context: Context) -> None:
        """Await something."""


@pytest.mark.parametrize("function", [coroutine, generator, partial(coroutine), Awaiting()])
def test_what_nobody_would_await_is_refused(function: Any) -> None:  # noqa: ANN401
    """At import: run, it would do nothing."""
    with pytest.raises(TypeError, match="the consumer of Probe is `async`"):
        consumer("Probe")(function)


class Named(Payload):
    one: Annotated[int, Field(validation_alias="valor")] = 0
    two: Annotated[int, Field(validation_alias=AliasChoices("total", AliasPath("sum", "all")))] = 0
    three: Annotated[int, Field(alias="Three")] = 0
    four: int = 0


@pytest.mark.parametrize(
    ("body", "seen"),
    [
        ({"VALOR": 1, "TOTAL": 2, "THREE": 3, "FOUR": 4}, (1, 2, 3, 4)),
        ({"Valor": 1, "Sum": {"all": 2}, "three": 3}, (1, 2, 3, 0)),
        ({"ONE": 1, "Two": 2}, (1, 2, 0, 0)),
        ({"VALOR": 7, "valor": 1}, (1, 0, 0, 0)),  # its very name counts
    ],
)
def test_a_field_is_found_in_any_casing_of_each_of_its_names(
    body: dict[str, object], seen: tuple[int, ...]
) -> None:
    found = Named.model_validate(body)
    assert (found.one, found.two, found.three, found.four) == seen


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
