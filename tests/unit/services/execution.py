"""Runs a function as a consumer on one message, as a call of `consume` does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from smartlink.adapters.in_memory import InMemoryContents, InMemoryEffects, InMemorySecrets
from smartlink.consumer import Returned, consumer
from smartlink.domain import lifecycle
from smartlink.domain.message import Claim, Message, Stored, Version
from smartlink.domain.outcome import Done, Finished, Reject, Retry, Unknown, Unwritten
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention
from smartlink.services.consuming.execute import Execution
from smartlink.services.consuming.once import Once
from smartlink.services.contents import keep
from tests.support.world import START

LEASE = timedelta(minutes=10)
Function = Callable[[Any, Any], Returned]


@dataclass(slots=True)
class Call:
    """What surrounds the message."""

    personal: bool = False
    now: datetime = START
    start_by: datetime = START + timedelta(minutes=5)
    contents: InMemoryContents = field(default_factory=InMemoryContents)
    secrets: InMemorySecrets = field(default_factory=InMemorySecrets)
    effects: InMemoryEffects = field(default_factory=InMemoryEffects)
    hold: bool = False
    timeout: timedelta = timedelta(minutes=1)
    ids: Iterator[int] = field(default_factory=count)

    def clock(self) -> datetime:
        return self.now

    def wait(self, most: float) -> None:
        self.now += timedelta(seconds=most)

    def new_id(self) -> str:
        return f"{next(self.ids):032x}"

    def message(self, content: str, **parts: Any) -> Message:  # noqa: ANN401
        plain = lifecycle.received(
            message_id="m-1",
            command="Probe",
            content=keep(self.contents, "acme", "D-m-1", content),
            now=START,
            due=START,
            personal=self.personal,
            **parts,
        )
        return lifecycle.claimed(plain, Claim("c", 1, START), timedelta(minutes=10))

    def finish(self, function: Function, content: str = "{}", **parts: object) -> Finished:
        execution = Execution(
            consumer("Probe")(function),
            "acme",
            RetryPolicy(attempts=5, hold_unknown=self.hold),
            self.start_by,
            self.contents,
            self.secrets,
            Once(
                self.effects,
                Retention(90, timedelta(days=30)),
                LEASE,
                self.clock,
                self.new_id,
                self.wait,
            ),
            self.clock,
            self.timeout,
        )
        return execution(Stored(self.message(content, **parts), Version("v")))

    def done(self, function: Function, content: str = "{}", **parts: object) -> Done:
        outcome = self.finish(function, content, **parts).outcome
        assert isinstance(outcome, Done), outcome
        return outcome

    def retry(self, function: Function, content: str = "{}") -> Retry:
        outcome = self.finish(function, content).outcome
        assert isinstance(outcome, Retry), outcome
        return outcome

    def unknown(self, function: Function, content: str = "{}") -> Unknown:
        outcome = self.finish(function, content).outcome
        assert isinstance(outcome, Unknown), outcome
        return outcome

    def unwritten(self, function: Function, content: str = "{}") -> Unwritten:
        outcome = self.finish(function, content).outcome
        assert isinstance(outcome, Unwritten), outcome
        return outcome

    def reject(self, function: Function, content: str = "{}") -> Reject:
        outcome = self.finish(function, content).outcome
        assert isinstance(outcome, Reject), outcome
        return outcome
