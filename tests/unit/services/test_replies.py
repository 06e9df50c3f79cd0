"""What a consumer may return, and what becomes of it."""

import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, Field

from smartlink.consumer import Context, Reply, RetryableError
from smartlink.domain.identity import content_hash
from smartlink.domain.outcome import HandBack
from smartlink.domain.payload import read_json
from smartlink.ports import Unavailable
from smartlink.testing.payloads import as_text
from tests.unit.services.execution import Call, Function

CANARY = "canary-529"


def returning(returned: Any) -> Function:  # noqa: ANN401
    def answer(content: str, context: Context) -> Any:  # noqa: ANN401, ARG001
        return returned

    return answer


def nested(depth: int) -> list[object]:
    outer: list[object] = []
    for _ in range(depth):
        outer = [outer]
    return outer


def circle() -> list[object]:
    inner: list[object] = []
    inner += [inner, inner]
    return inner


class Answer(BaseModel):
    request_id: str = Field(default="r", serialization_alias="requestID")
    text: object = None


@pytest.mark.parametrize(
    ("returned", "types"),
    [
        (None, []),
        ([], []),
        ((), []),
        (Reply("A", ""), ["A"]),
        ([Reply("A", ""), Reply("B", "")], ["A", "B"]),
        ((Reply(kind, "") for kind in "AB"), ["A", "B"]),
        ({Reply("A", "x"): 1}.keys(), ["A"]),
    ],
)
def test_nothing_one_or_several(returned: object, types: list[str]) -> None:
    """A reply, any iterable of them, or nothing."""
    assert [answer.type for answer in Call().done(returning(returned)).answers] == types


def test_a_generator_may_fail_after_its_first_reply() -> None:
    """Its replies are sent together or not at all."""

    def some(content: str, context: Context) -> Iterator[Reply]:  # noqa: ARG001
        yield Reply("A", "")
        message = "down"
        raise RetryableError(message)

    assert Call().retry(some).error == "down"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("", ""),
        ("as it is: ação \x00", "as it is: ação \x00"),
        ({"a": [1, None, "ç"]}, '{"a":[1,null,"ç"]}'),
        ([], "[]"),
        (Answer(), '{"requestID":"r","text":null}'),
        (Answer(text={"b": 1.5}), '{"requestID":"r","text":{"b":1.5}}'),
        ({"a": "\ud83d"}, '{"a":"\\ud83d"}'),
        (Answer(text="\ud83d"), '{"requestID":"r","text":"\\ud83d"}'),
    ],
)
def test_a_content_is_text_or_json(content: Any, text: str) -> None:  # noqa: ANN401
    """A text as it is, anything else as JSON, a model by its aliases; no character is lost."""
    (answer,) = Call().done(returning(Reply("A", content, "APP", "c"))).answers
    assert answer.content.text == text
    assert answer.content.sha256 == content_hash(text)
    assert (answer.audience, answer.correlation_id) == ("APP", "c")


def test_a_large_reply_goes_to_the_bucket() -> None:
    """Over 256 KB, under a name of the tenant and the reply."""
    call = Call()
    (answer,) = call.done(returning(Reply("A", {"text": "x" * 300_000}))).answers
    assert answer.content.text is None
    assert answer.content.object is not None
    assert answer.content.object.startswith("acme/U-")
    assert len(json.loads(call.contents.objects[answer.content.object])["text"]) == 300_000


class Free(BaseModel):
    anything: object
    listed: list[object]
    named: dict[str, object] = Field(alias="Named")
    inner: "Free | None" = None
    at: datetime | None = None


@pytest.mark.parametrize("number", ["10.10", "12345678901234567.89", "1E2", "-0", "1e400", "0.5"])
def test_a_model_that_passes_numbers_on_writes_them_as_they_came(number: str) -> None:
    """What it declares as a float is one; where it takes anything, every digit stays."""
    body = f'{{"anything":{number},"listed":[{number},[1]],"Named":{{"a":{{"b":{number}}}}}'
    model = Free.model_validate(read_json(f'{body},"inner":{body}}},"at":"2026-01-15T00:00:00Z"}}'))
    (answer,) = Call().done(returning(Reply("A", model))).answers
    inner = f'{body},"inner":null,"at":null}}'
    assert answer.content.text == f'{body},"inner":{inner},"at":"2026-01-15T00:00:00Z"}}'
    assert as_text(model) == answer.content.text
    (listed,) = Call().done(returning(Reply("A", [model]))).answers
    assert listed.content.text == f"[{answer.content.text}]"


def test_a_bucket_that_is_down_returns_the_attempt() -> None:
    """The reply could not be kept: the message runs again, at no cost."""
    call = Call()
    call.contents.faults.fail("put", Unavailable("the bucket is down"))
    outcome = call.finish(returning(Reply("A", "x" * 300_000))).outcome
    assert isinstance(outcome, HandBack)
    assert "the bucket is down" in (outcome.error or "")


@pytest.mark.parametrize(
    ("returned", "named"),
    [
        (CANARY, "str"),
        (CANARY.encode(), "bytes"),
        (7, "int"),
        (True, "bool"),
        (object(), "object"),
        ({"type": CANARY}, "dict"),
        (Answer(text=CANARY), "Answer"),
        (Answer, "ModelMetaclass"),
        ([Reply("A", ""), CANARY], "str"),
        ([None], "NoneType"),
        ([[Reply("A", "")]], "list"),
    ],
)
def test_anything_else_is_named(returned: object, named: str) -> None:
    """The author reads what kind of thing was returned; its value is not repeated."""
    error = Call().unwritten(returning(returned)).error
    assert f"The consumer returned {named};" in error
    assert CANARY not in error


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (Reply("", ""), "Reply 1: type"),
        (Reply("x" * 513, ""), "Reply 1: type"),
        (Reply("A", "", ""), "Reply 1: audience"),
        (Reply("A", "", "x" * 513), "Reply 1: audience"),
        (Reply("A", "", None, ""), "Reply 1: correlation_id"),
        (Reply("A", "", None, "x" * 513), "Reply 1: correlation_id"),
        (Reply("A", {"a": {CANARY}}), "Reply 1: its content"),
        (Reply("A", {"a": float("nan")}), "Reply 1: its content"),
        (Reply("A", [object()]), "Reply 1: its content"),
        (Reply("A", Answer(text=b"\xff")), "Reply 1: its content"),
        (Reply("A", CANARY.encode()), "Reply 1: its content"),  # type: ignore[arg-type]
    ],
)
def test_a_reply_that_cannot_be_sent_is_named(reply: Reply, named: str) -> None:
    """By its number and part; the work is done, so it never runs again, and nothing of it is
    stored."""
    error = Call().unwritten(returning([reply])).error
    assert error.startswith(named)
    assert CANARY not in error


def test_what_a_contract_has_a_form_for_is_written_in_it() -> None:
    """Wherever it stands; a number keeps its digits."""

    class Kind(Enum):
        SALE = 7

    content = {
        "total": Decimal("12345678901234567.890"),
        "large": Decimal("1E+3"),
        "parts": [{"on": date(2026, 1, 15), "at": time(10, 20)}, (Answer(text="x"),)],
        "sent": datetime(2026, 1, 15, 12, tzinfo=UTC),
        "batch": UUID(int=1),
        "kind": Kind.SALE,
    }
    call = Call()
    (answer,) = call.done(returning(Reply("A", content))).answers
    assert answer.content.text == (
        '{"total":12345678901234567.890,"large":1000,'
        '"parts":[{"on":"2026-01-15","at":"10:20:00"},[{"requestID":"r","text":"x"}]],'
        '"sent":"2026-01-15T12:00:00+00:00",'
        '"batch":"00000000-0000-0000-0000-000000000001","kind":7}'
    )


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"items": [{}, {"total": 1j}]}, "at items[1].total is a complex"),
        ({"total": Decimal("NaN")}, "at total is a Decimal"),
        ({"when": timedelta(1)}, "at when is a timedelta"),
        ({"a": {"b": float("inf")}}, "at a.b is a float that is not finite"),
        ({"a": {(1, 2): 3}}, "at a has a key that is a tuple"),
        ({"12345678901": {CANARY}}, "at … is a set"),
        ([object()], "at [0] is a object"),
        (Answer(text=b"\xff"), "at text holds a bytes"),
        (nested(100_000), "is nested too deeply"),
        (circle(), "cannot be written as JSON (ValueError)"),
        (7.5j, "is a complex"),
    ],
)
def test_the_part_of_a_content_that_is_wrong_is_named(content: Any, said: str) -> None:  # noqa: ANN401
    """By its keys and its type, never by its value; a key that may be a value is not named."""
    error = Call().unwritten(returning([Reply("A", ""), Reply("B", content)])).error
    assert error.startswith(f"Reply 2: its content {said}")
    assert CANARY not in error
    assert "12345678901" not in error


def test_any_mapping_is_an_object() -> None:
    """The annotation says so."""
    (answer,) = Call().done(returning(Reply("A", MappingProxyType({"a": 1})))).answers
    assert answer.content.text == '{"a":1}'


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Reply(("A",), ""), "a reply: type is a tuple"),  # type: ignore[arg-type]
        (lambda: Reply(None, ""), "a reply: type is a NoneType"),  # type: ignore[arg-type]
        (lambda: Reply(b"A", ""), "a reply: type is a bytes"),  # type: ignore[arg-type]
        (lambda: Reply("A", "", ["APP"]), "the reply 'A': audience is a list"),  # type: ignore[arg-type]
        (lambda: Reply("A", "", None, 7), "the reply 'A': correlation_id is a int"),  # type: ignore[arg-type]
    ],
)
@pytest.mark.parametrize("personal", [False, True])
def test_a_reply_of_wrong_types_fails_where_it_is_made(
    make: Callable[[], Reply],
    said: str,
    personal: bool,  # noqa: FBT001
) -> None:
    """The run fails; the text is stored, of a personal command too, and the line is told."""

    def answer(content: str, context: Context) -> Reply:  # noqa: ARG001
        return make()

    unknown = Call(personal=personal).unknown(answer)
    assert unknown.error.startswith(said)
    assert "in answer" in (unknown.debug or "")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply("..", ""), "type cannot be '..'"),
        (Reply("A", "", "."), "audience cannot be '.'"),
        (Reply("A\n", ""), "type must have no control characters"),
        (Reply("A", "", "\ud83d"), "audience has half of a surrogate pair"),
        (Reply("A", "", None, "\ud83d"), "correlation_id has half of a surrogate pair"),
    ],
)
def test_a_name_that_the_broker_cannot_take_is_refused_here(reply: Reply, said: str) -> None:
    """Not at each attempt to send it, when nobody knows any more who made it."""
    assert Call().unwritten(returning(reply)).error.startswith(f"Reply 1: {said}")


def test_replies_without_an_end_are_not_gathered() -> None:
    """They would take the memory that the other messages need, until the process ends."""
    given = iter(range(20_000))
    endless = (Reply("A", str(number)) for number in given)
    error = Call().unwritten(returning(endless)).error
    assert re.fullmatch(r"Reply 1[34]\d\d: with those before it, .*2,359,296 bytes.*", error)
    assert next(given) == int(error[6:10])  # it went no further than the reply that is told


def test_the_number_of_a_list_is_looked_at_first() -> None:
    """Before any of it is written."""
    error = Call().unwritten(returning([Reply("A", "")] * 1_475)).error
    assert error.startswith("The consumer returned more than 1,474 replies, the most that")


def test_a_generator_is_closed_where_its_replies_are_too_much() -> None:
    """So its `finally` runs, and no further work of its own."""
    seen: list[int | str] = []

    def pages(content: str, context: Context) -> Iterator[Reply]:  # noqa: ARG001
        try:
            for number in range(20_000):
                seen.append(number)
                yield Reply("Page", {"rows": "x" * 5_000})
        finally:
            seen.append("closed")

    error = Call().unwritten(pages).error
    assert seen[-1] == "closed"
    assert len(seen) == int(error[6:].partition(":")[0]) + 1


def test_more_replies_than_a_commit_holds_are_the_consumers_own_error() -> None:
    """What it did not return at all cannot be lost; which one was too much is told."""
    error = Call().unwritten(returning([Reply("A", "x" * 90) for _ in range(1_450)])).error
    assert re.fullmatch(r"Reply 1[34]\d\d: with those before it, .*2,359,296 bytes.*", error)


def test_the_second_reply_is_named_too() -> None:
    """The number is that of the reply."""
    replies = [Reply("A", ""), Reply("", "")]
    assert Call().unwritten(returning(replies)).error.startswith("Reply 2: type")
