"""Starts programs, waits until they are ready, and stops all of them."""

import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra.local.child import Child
from infra.local.errors import NotReadyError
from infra.local.program import Program
from infra.local.signals import ending_signals_held

READY_SECONDS = 60.0
STOP_SECONDS = 5.0
PROBE_INTERVAL = 0.02


class Supervisor:
    """The running children, in stages. The children of a stage start and stop together."""

    def __init__(self, logs: Path) -> None:
        """`logs` is the folder of the logs."""
        self._logs = logs
        self._stages: list[list[Child]] = []

    @property
    def children(self) -> tuple[Child, ...]:
        """Every child, in the order in which they started."""
        return tuple(child for stage in self._stages for child in stage)

    def start(self, *programs: Program) -> tuple[Child, ...]:
        """Start a stage. It does not wait; `wait_ready` does."""
        stage: list[Child] = []
        self._stages.append(stage)
        for program in programs:
            with ending_signals_held():
                stage.append(Child(program, self._logs))
        return tuple(stage)

    def wait_ready(self, children: Collection[Child], seconds: float = READY_SECONDS) -> None:
        """Wait until all of them are ready. Raises NotReadyError, also if any other child dies."""
        deadline = time.monotonic() + seconds
        waiting = list(children)
        while waiting := [child for child in waiting if not child.ready()]:
            self.check()
            if time.monotonic() > deadline:
                late = waiting[0]
                message = (
                    f"{late.program.name} was not ready on port {late.program.port} within "
                    f"{seconds:.0f} s. The end of {late.log}:\n{late.tail()}"
                )
                raise NotReadyError(message)
            time.sleep(PROBE_INTERVAL)
        # If another program has the port, it answers the probe, and our child dies.
        self.check()

    def check(self) -> None:
        """Raise NotReadyError if a child has died."""
        for child in self.children:
            if not child.running:
                raise NotReadyError(child.explain_death())

    def restart(self, child: Child) -> Child:
        """Start a dead child's program again, in its place; what it left of its group is ended."""
        with ending_signals_held():
            _stop([child])
            again = Child(child.program, self._logs, again=True)
            self._stages = [
                [again if it is child else it for it in stage] for stage in self._stages
            ]
        return again

    def end(self, names: Collection[str]) -> None:
        """Stop and forget the children of these names, dead ones too; the others go on."""
        ending = [child for child in self.children if child.program.name in names]
        with ending_signals_held():
            _stop(ending)
            kept = ([child for child in stage if child not in ending] for stage in self._stages)
            self._stages = [stage for stage in kept if stage]

    def stop(self) -> None:
        """Stop every stage, the last first, and wait until all children are gone."""
        with ending_signals_held():
            while self._stages:
                _stop(self._stages.pop())


def _stop(children: Sequence[Child]) -> None:
    """Stop children together, and wait until all of them are gone."""
    for child in reversed(children):
        child.ask_to_stop()
    deadline = time.monotonic() + STOP_SECONDS
    for child in reversed(children):
        child.make_sure(max(0.0, deadline - time.monotonic()))


@contextmanager
def supervised(logs: Path) -> Iterator[Supervisor]:
    """Stop all that was started in the block, however the block ends."""
    supervisor = Supervisor(logs)
    try:
        yield supervisor
    finally:
        supervisor.stop()
