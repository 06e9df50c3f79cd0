"""CPU seconds of processes, where the system tells (Linux); zeros where /proc is not."""

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

# Fields of /proc/<pid>/stat, counted behind the name.
_PARENT, _GROUP = 1, 2
_OWN = slice(11, 13)  # user and system
_WITH_ENDED = slice(11, 15)  # and both of the children that it has waited for


def group_seconds(group: int) -> float:
    """Add up what the living processes of a group have used."""
    return _seconds(_ticks(its, _OWN) for _, its in _stats() if int(its[_GROUP]) == group)


def tree_seconds(roots: Sequence[int]) -> dict[int, float]:
    """Add up what each process, its children and theirs have used, those that ended included.

    PostgreSQL's backends are groups of their own.
    """
    children: dict[int, list[int]] = defaultdict(list)
    used: dict[int, int] = {}
    for pid, fields in _stats():
        children[int(fields[_PARENT])].append(pid)
        used[pid] = _ticks(fields, _WITH_ENDED)

    def tree(pid: int) -> Iterator[int]:
        yield used.get(pid, 0)
        for child in children[pid]:
            yield from tree(child)

    return {root: _seconds(tree(root)) for root in roots}


def _stats() -> Iterator[tuple[int, list[str]]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            yield int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended


def _ticks(fields: Sequence[str], which: slice) -> int:
    return sum(map(int, fields[which]))


def _seconds(ticks: Iterator[int]) -> float:
    return sum(ticks) / os.sysconf("SC_CLK_TCK")
