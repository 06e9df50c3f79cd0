"""Dispatches: how messages are put together, and what is none."""

import json
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from smartlink.domain.message import Attempt, Content, Message, Result
from smartlink.domain.order import Order
from smartlink.services.dispatch import (
    Dispatch,
    DispatchError,
    batches,
    decode_dispatch,
    encode_dispatch,
)
from smartlink.settings import LIMITS
from tests.support.samples import NOW, POLICY, content, pending, stored

HALF = LIMITS.dispatch // 2


def sizes(*messages: Message, most: int = 100) -> list[int]:
    """How many messages each batch has."""
    return [len(batch) for batch in batches(map(stored, messages), most)]


def with_errors(*errors: str | None) -> Message:
    late = NOW + timedelta(seconds=1)
    attempts = [
        Attempt(number, NOW, late, Result.RETRY, error) for number, error in enumerate(errors, 1)
    ]
    return replace(pending(), attempt=len(attempts), attempts=tuple(attempts))


def test_a_batch_has_so_many_messages() -> None:
    assert sizes(*[pending()] * 7, most=3) == [3, 3, 1]


def test_a_batch_fits_into_a_pub_sub_message() -> None:
    """What is in the bucket takes no room in it; an attempt's error does, one without takes a
    little; the batch ends before the message that has no room."""
    inline = pending(text="x" * HALF)
    large = replace(pending(), content=Content("0" * 64, 10 * HALF, None, "acme/D-m-1/0"))
    assert sizes(inline, inline) == [1, 1]
    assert sizes(large, large, large) == [3]
    assert sizes(with_errors("e" * HALF), with_errors("e" * HALF, None)) == [1, 1]
    assert sizes(with_errors(None, None), with_errors(None)) == [2]


def test_who_died_with_others_travels_alone() -> None:
    alone = replace(pending(), alone=True)
    assert sizes(pending(), alone, pending()) == [1, 2]


def in_order(*places: tuple[str, bool]) -> list[list[str]]:
    """The batches of these messages, each a key and whether it travels alone, by their places."""
    its = (
        replace(pending(f"m-{number}"), alone=alone, order=Order(key, f"{number:05}", "/lane"))
        for number, (key, alone) in enumerate(places)
    )
    return [
        [it.message.id.removeprefix("m-") for it in batch] for batch in batches(map(stored, its), 3)
    ]


def test_of_a_key_the_first_goes_and_never_who_travels_alone_before_it() -> None:
    """What is left out follows when those before it have ended."""
    assert in_order(("a", False), ("a", True), ("a", False)) == [["0"]]
    assert in_order(("a", True), ("a", False)) == [["0"]]
    assert in_order(("a", False), ("b", True), ("b", False), ("a", True), ("c", False)) == [
        ["0"],
        ["1"],
        ["4"],
    ]
    assert in_order(*[("a", False)] * 4) == [["0", "1", "2"]]


@pytest.mark.parametrize("since", [None, NOW])
def test_a_dispatch_tells_since_when_the_name_is_its_customers(since: datetime | None) -> None:
    """One of an older release does not: then nothing under the name is its predecessor's."""
    dispatch = Dispatch("acme", "Probe", POLICY, (stored(pending()),), since)
    envelope = encode_dispatch(dispatch)
    assert decode_dispatch(envelope.data).since == since
    assert ("since" in json.loads(envelope.data)) is (since is not None)


@pytest.mark.parametrize("name", ["attempts", "factor", "interval"])
@pytest.mark.parametrize("value", [0, -1])
def test_each_part_of_a_policy_must_be_usable(name: str, value: int) -> None:
    """One alone that is not makes the whole no dispatch: nothing is run under it."""
    dispatch = Dispatch("acme", "Probe", POLICY, (stored(pending()),))
    document = json.loads(encode_dispatch(dispatch).data)
    assert decode_dispatch(json.dumps(document).encode()).policy == POLICY
    document["policy"][name] = value
    with pytest.raises(DispatchError, match="ValueError"):
        decode_dispatch(json.dumps(document).encode())


@pytest.mark.parametrize("text", ["x" * 10_000, "é" * 10_000, "€" * 10_000, "😀" * 10_000])
def test_a_dispatch_is_no_larger_than_its_batch_was_taken_to_be(text: str) -> None:
    """Letters beyond ASCII are not escaped: they would take up to three times their bytes."""
    message = replace(with_errors("e", "f"), content=content(text))
    batch = tuple(stored(message) for _ in range(10))
    size = len(encode_dispatch(Dispatch("acme", "Probe", POLICY, batch)).data)
    assert 10 * len(text.encode()) < size < 10 * (len(text.encode()) + 2_000)
