"""Planned failures of the in-memory adapters."""

from collections.abc import Callable
from threading import Lock


class Faults:
    """Makes chosen calls fail: `faults.fail("commit", Unavailable("down"))`."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._planned: list[tuple[str, Exception, bool, Callable[[str], bool]]] = []

    def fail(
        self,
        call: str,
        error: Exception,
        *,
        times: int = 1,
        applied: bool = False,
        when: Callable[[str], bool] = lambda _: True,
    ) -> None:
        """Makes the next `times` calls raise; if `applied`, only after they took effect.

        `when` gets what the call is for, mostly a tenant's name, and tells whether to raise.
        """
        with self._lock:
            self._planned += [(call, error, applied, when)] * times

    def clear(self) -> None:
        """Cancels all planned failures."""
        with self._lock:
            self._planned.clear()

    def before(self, call: str, subject: str) -> None:
        """Raises what is planned for a call before it takes effect."""
        self._raise(call, subject, applied=False)

    def after(self, call: str, subject: str) -> None:
        """Raises what is planned for a call after it took effect."""
        self._raise(call, subject, applied=True)

    def _raise(self, call: str, subject: str, *, applied: bool) -> None:
        with self._lock:
            for index, (name, error, late, when) in enumerate(self._planned):
                if name == call and late is applied and when(subject):
                    del self._planned[index]
                    raise error
