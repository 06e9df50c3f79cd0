"""Memory of processes, where the system tells (Linux)."""

import sys
import threading
import time
from pathlib import Path

_FIELDS_GROUP = 2  # of /proc/<pid>/stat, counted behind the name
MIB = 1_048_576


def group_bytes(group: int) -> int:
    """What the processes of a group occupy together: pages that they share count once (PSS),
    as in a container's limit. 0 where /proc is not."""
    return sum(_proportional(pid) for pid in _pids(group))


class Peak:
    """`grown`: by how much this process's peak in the block was above what it had `before`, in
    bytes. 0 where /proc is not."""

    def __init__(self) -> None:
        self.grown = 0
        self.before = 0

    def __enter__(self) -> "Peak":  # noqa: PYI034  (its name is enough)
        if sys.platform == "linux":
            Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
        self.before = _status(Path("/proc/self"), "VmRSS")
        return self

    def __exit__(self, *_: object) -> None:
        self.grown = _status(Path("/proc/self"), "VmHWM") - self.before


def _pids(group: int) -> list[Path]:
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[_FIELDS_GROUP]) == group:
            found.append(stat.parent)
    return found


def _proportional(process: Path) -> int:
    try:
        lines = (process / "smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((_kilobytes(line) for line in lines if line.startswith("Pss:")), 0)


def _status(process: Path, name: str) -> int:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:
        return 0
    return next((_kilobytes(line) for line in lines if line.startswith(f"{name}:")), 0)


def _kilobytes(line: str) -> int:
    return int(line.split()[1]) * 1_024


class Watch:
    """Samples the memory of a group's processes, which are all up by now, while the block runs;
    `peak` is the most it saw, in bytes, and `seen` all of it, with when."""

    def __init__(self, group: int, seconds: float = 0.1) -> None:
        self.peak = 0
        self.seen: list[tuple[float, int]] = []
        self._processes = _pids(group)  # once: looking for them costs more than reading them
        self._seconds = seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="memory", daemon=True)

    def __enter__(self) -> "Watch":  # noqa: PYI034  (its name is enough)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._look()

    def _run(self) -> None:
        while not self._stop.wait(self._seconds):
            self._look()

    def _look(self) -> None:
        self.seen.append((time.monotonic(), sum(map(_proportional, self._processes))))
        self.peak = max(self.peak, self.seen[-1][1])

    def parts(self, number: int) -> list[int]:
        """The peak of each of so many equal parts of the time; none where it was too short."""
        begin, end = self.seen[0][0], self.seen[-1][0]
        peaks = [0] * number
        for at, its in self.seen:
            part = min(int(number * (at - begin) / ((end - begin) or 1)), number - 1)
            peaks[part] = max(peaks[part], its)
        return peaks if all(peaks) else []
