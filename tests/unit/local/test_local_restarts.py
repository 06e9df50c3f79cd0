"""A function that died is started again; the rest of the stack goes on."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from infra.local.errors import NotReadyError
from infra.local.functions import load_catalog
from infra.local.restarts import Restarts


@dataclass(eq=False)
class FakeChild:
    name: str
    running: bool = True
    program: Any = None

    def __post_init__(self) -> None:
        self.program = SimpleNamespace(name=self.name)

    def explain_death(self) -> str:
        return f"{self.name} was ended by SIGKILL. The end of its log: its last words"


@dataclass
class FakeStack:
    """As much of a stack and its supervisor as is looked at."""

    children: list[FakeChild]
    catalog: Any = field(default_factory=load_catalog)
    shown: int = 0

    @property
    def supervisor(self) -> "FakeStack":
        return self

    def check(self) -> None:
        for child in self.children:
            if not child.running:
                raise NotReadyError(child.explain_death())

    def restart(self, child: FakeChild) -> None:
        self.children[self.children.index(child)] = FakeChild(child.name)

    def show(self) -> None:
        self.shown += 1


def looking(stack: FakeStack) -> tuple[Restarts, list[str], list[float]]:
    said: list[str] = []
    now = [100.0]
    return Restarts(stack, said.append, lambda: now[0]), said, now  # type: ignore[arg-type]


def test_a_dead_function_is_told_once_and_started_again() -> None:
    """With how it died and the end of its log; `stack.json` shows the new process."""
    stack = FakeStack([FakeChild("firestore"), FakeChild("publish")])
    restarts, said, now = looking(stack)
    stack.children[1].running = False
    restarts.look()
    restarts.look()
    assert said == [
        """Warning: publish was ended by SIGKILL. The end of its log: its last words
It is started again in 1 s."""
    ]
    assert not stack.children[1].running
    now[0] += 1
    restarts.look()
    assert stack.children[1].running
    assert stack.shown == 1


def test_one_that_dies_again_and_again_is_left_alone_for_longer() -> None:
    """Up to a minute; one that ran for long begins anew."""
    stack = FakeStack([FakeChild("publish")])
    restarts, said, now = looking(stack)
    for _ in range(9):
        stack.children[0].running = False
        restarts.look()
        now[0] += float(said[-1].split()[-2])
        restarts.look()
        assert stack.children[0].running
    waits = [line.split()[-2] for line in said]
    assert waits == ["1", "2", "4", "8", "16", "32", "60", "60", "60"]
    now[0] += 1_000
    stack.children[0].running = False
    restarts.look()
    assert said[-1].endswith("It is started again in 1 s.")


def test_what_holds_the_state_ends_the_stack() -> None:
    """An emulator that died has forgotten everything."""
    stack = FakeStack([FakeChild("firestore", running=False), FakeChild("publish")])
    restarts, said, _ = looking(stack)
    with pytest.raises(NotReadyError, match="firestore was ended"):
        restarts.look()
    assert said == []
