"""A function that dies is started anew, as Cloud Run starts another instance."""

import time
from collections.abc import Callable

from infra.local.child import Child
from infra.local.functions import function_names
from infra.local.stack import RunningStack

_FIRST_WAIT, _LONGEST_WAIT = 1.0, 60.0  # seconds; doubled at each death
_STEADY_SECONDS = 120.0  # after so long a death is the first one again


class Restarts:
    """Looks after the functions of a stack; what else dies ends the stack, as it held its state."""

    def __init__(
        self,
        stack: RunningStack,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`say` gets a warning for each death, with the end of the log."""
        self._stack = stack
        self._say = say
        self._clock = clock
        self._deaths: dict[str, tuple[int, float]] = {}  # how many in a row, and when the last was
        self._due: dict[str, float] = {}  # when a dead function is started again

    def look(self) -> None:
        """Start what is due. Raises NotReadyError if something else has died."""
        names = set(function_names(self._stack.catalog))
        for child in self._stack.supervisor.children:
            name = child.program.name
            if child.running:
                continue
            if name not in names:
                self._stack.supervisor.check()
            elif name not in self._due:
                self._note(child)
            elif self._clock() >= self._due[name]:
                del self._due[name]
                self._stack.supervisor.restart(child)
                self._stack.show()

    def _note(self, child: Child) -> None:
        name, now = child.program.name, self._clock()
        deaths, last = self._deaths.get(name, (0, now))
        deaths = 1 if now - last > _STEADY_SECONDS else deaths + 1
        self._deaths[name] = deaths, now
        wait = min(_FIRST_WAIT * 2 ** (deaths - 1), _LONGEST_WAIT)
        self._due[name] = now + wait
        self._say(f"Warning: {child.explain_death()}\nIt is started again in {wait:g} s.")
