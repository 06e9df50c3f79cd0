"""Messages that take their process with them: they harm nobody else, and end up dead."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from infra.local.emulators import firestore_emulator
from smartlink.domain.lifecycle import CRASHED
from smartlink.domain.message import DeadReason, Result, State
from tests.contract.backends import started
from tests.poison.relay import Relay, processes, relay

ENDINGS = {
    "exit": (3, CRASHED),
    "kill": (-9, CRASHED),
    "overflow": (-11, CRASHED),
    "loop": (70, "It ran past its time-out of 1 s"),
    "recurse": (0, "RecursionError"),
    "eat": (0, "MemoryError"),
}
"""How a process with this poison in it ends, and the reason that the operator reads."""


Start = Callable[[int], Relay]


@pytest.fixture(scope="module")
def start() -> Iterator[Start]:
    """Starts a relay with an attempt limit."""
    with ExitStack() as stack:
        firestore = started(firestore_emulator(), stack)
        process = stack.enter_context(processes(firestore))
        yield lambda limit: relay(firestore, process, limit)


def rounds(world: Relay) -> None:
    """Until nothing is dispatched any more."""
    for _ in range(12):
        if not world.round():
            return
    raise AssertionError(world.codes)


@pytest.mark.parametrize(("poison", "limit"), [*((name, 1) for name in ENDINGS), ("kill", 2)])
def test_poison_dies_alone(start: Start, poison: str, limit: int) -> None:
    """In one batch with good messages before and behind: those are executed once each, at their
    first attempt, also where there is only one; it is dead after its last, and its document and
    its log say of what."""
    code, reason = ENDINGS[poison]
    world = start(limit)
    before, bad, behind = world.offer("before", poison, "behind")
    rounds(world)
    for good in (before, behind):
        ended = world.ended(good)
        assert ended is not None
        assert [it.result for it in ended.message.attempts] == [Result.DONE]
        assert ended.message.attempt == 1
    stored = world.live(bad)
    assert stored is not None
    message = stored.message
    assert (message.state, message.dead_reason) == (State.DEAD, DeadReason.EXHAUSTED)
    assert message.attempt == limit
    assert reason in (message.error or "")
    assert any(reason in line.text for line in world.store.logs("acme"))
    assert code in world.codes


def test_two_poisons_in_one_batch_are_sorted_out(start: Start) -> None:
    """Each shows itself when it is alone; the good one is executed."""
    world = start(1)
    first, good, second = world.offer("exit", "good", "kill")
    rounds(world)
    ended = world.ended(good)
    assert ended is not None
    assert ended.message.attempt == 1
    for bad in (first, second):
        stored = world.live(bad)
        assert stored is not None
        assert (stored.message.state, stored.message.attempt) == (State.DEAD, 1)
