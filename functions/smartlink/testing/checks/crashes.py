"""Checks that a message survives a run that breaks off, at the seams and around an effect."""

from smartlink.adapters.in_memory.faults import Faults
from smartlink.ports import Unavailable
from smartlink.testing.checks.again import recovers, worth_it
from smartlink.testing.examination import Examination, NotRunError

_SEAMS = 25  # crashes at most
_WRITES_OF_ONE = 2  # writes of one `once`: at the begin and at the end
_DOUBLED = (
    "between an effect and its record the process may end: give the command "
    '"unknownOutcome": "hold" in the catalogue (hold=True here), or make the effect itself '
    "repeatable: pass the key on to the other side."
)


def crash(exam: Examination) -> str:
    """Ends the process at each seam in turn, and delivers the message again."""
    worth_it(exam)
    seams = exam.first.watch.seams[:_SEAMS]
    if not seams:
        reason = "it calls nothing of the context, so there is no seam to crash at"
        raise NotRunError(reason)
    held = sum(_crashed(exam, number, name) for number, name in enumerate(seams))
    return _said(f"at {len(seams)} seams, each run again", held)


def _crashed(exam: Examination, number: int, name: str) -> bool:
    scenario = exam.scenario()
    start = scenario.snapshot()
    scenario.deliver(exam.text, crash_at=number)
    doubled = _DOUBLED if name.startswith("once") else ""
    return recovers(exam, scenario, start, f"a crash at {name}", doubled)


def once(exam: Examination) -> str:
    """Fails the writes of `once`, from each write on until the call ends, and delivers again.

    Either the records are not written, or they are written and the answers are lost.
    """
    worth_it(exam)
    if "crash" in exam.failed:
        reason = "a crash does harm already: fix that first"
        raise NotRunError(reason)
    effects = exam.first.watch.seams.count("once: begun")
    if not effects:
        reason = "it does nothing by context.once"
        raise NotRunError(reason)
    writes = range(min(effects * _WRITES_OF_ONE, _SEAMS))
    held = sum(_unwritten(exam, write, lost) for write in writes for lost in (False, True))
    return _said(f"{2 * len(writes)} failing writes, each run again", held)


class _Down(Faults):
    """Fails every write from the write `first` on, because `once` tries each one again."""

    def __init__(self, first: int, *, lost: bool) -> None:
        super().__init__()
        self._before, self._lost = first, lost

    def before(self, call: str, subject: str) -> None:
        """See Faults."""
        super().before(call, subject)
        if call == "write":
            self._before -= 1
            self._fail(lost=False)

    def after(self, call: str, subject: str) -> None:
        """See Faults."""
        super().after(call, subject)
        if call == "write":
            self._fail(lost=True)

    def _fail(self, *, lost: bool) -> None:
        if self._before < 0 and lost is self._lost:
            message = "the database is down"
            raise Unavailable(message)


def _unwritten(exam: Examination, write: int, lost: bool) -> bool:  # noqa: FBT001  (a private table)
    scenario = exam.scenario()
    start = scenario.snapshot()
    scenario.effects.faults = _Down(write, lost=lost)
    scenario.deliver(exam.text)
    scenario.effects.faults = Faults()
    how = "answers lost" if lost else "failures"
    return recovers(exam, scenario, start, f"{how} from write {write + 1} of once on", _DOUBLED)


def _said(text: str, held: int) -> str:
    return f"{text}; held for a person: {held}" if held else text
