"""Sees that files have changed, once whoever writes them has come to rest."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

# Editors write a file in several steps, and a new command is several files.
REST_SECONDS = 0.4

# Code, and what consumers read beside it.
SUFFIXES = frozenset({".py", ".json", ".toml", ".yaml", ".yml", ".csv", ".sql"})

Stamps = Mapping[Path, tuple[int, int]]  # of a file: time of its change in ns, size


def stamps(folder: Path, others: Iterable[Path] = ()) -> Stamps:
    """Read the stamps of a folder's code and data, and of others; a hidden file is an editor's."""
    found: dict[Path, tuple[int, int]] = {}
    inside = (path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    for path in (*inside, *others):
        if path.name.startswith("."):
            continue
        try:
            state = path.stat()
        except OSError:  # it went away between the two looks
            continue
        found[path] = (state.st_mtime_ns, state.st_size)
    return found


class Watch:
    """Tells each change once; a change that could not be used is told again with the next one."""

    def __init__(self, look: Callable[[], Stamps], clock: Callable[[], float]) -> None:
        """Begin with what is there now; `clock` gives seconds."""
        self._look = look
        self._clock = clock
        self._used = self._told = self._seen = look()
        self._since = clock()

    def changed(self) -> frozenset[Path]:
        """The files that differ from what is in use: changed, new or gone. Mostly empty."""
        now, seen = self._clock(), self._look()
        if seen != self._seen:
            self._seen, self._since = seen, now
            return frozenset()
        if seen == self._told or now - self._since < REST_SECONDS:
            return frozenset()
        self._told = seen
        every = {*self._used, *seen}
        return frozenset(path for path in every if self._used.get(path) != seen.get(path))

    def used(self) -> None:
        """Take what was told last as what is in use."""
        self._used = self._told
