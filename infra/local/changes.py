"""Which functions a change touches."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from infra.local.functions import consumer, function_names
from infra.local.imports import reached
from smartlink.domain.catalog import Catalog

# What a deployment passes to them holds the catalogue: which commands there are, and their topics.
_READ_THE_COMMANDS = ("poll", "poll_shard", "publish")


@dataclass(frozen=True, slots=True)
class Change:
    """Functions by the names of their processes, and topics."""

    started: tuple[str, ...] = ()
    restarted: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    topics_removed: tuple[str, ...] = ()
    commands: tuple[str, ...] = ()  # whose consumers are loaded anew

    def __bool__(self) -> bool:
        """Tell whether there is anything to do."""
        return bool(self.started or self.restarted or self.removed)

    def __str__(self) -> str:
        """Say what was done."""
        parts = {"added": self.started, "removed": self.removed, "restarted": self.restarted}
        return "; ".join(f"{done} {', '.join(names)}" for done, names in parts.items() if names)


def change_of(
    files: Collection[Path], folder: Path, before: Catalog, after: Catalog, down: Collection[str]
) -> Change:
    """Decide what files that changed in the folder, and a new catalogue, ask for.

    `down`: functions that could not be started the last time, and shall be tried again.
    """
    wanted, had = function_names(after), function_names(before)
    touched = {*down, *_touched(files, folder, before, after)}
    fresh = [name for name in wanted if name not in had]
    return Change(
        started=tuple(fresh),
        restarted=tuple(name for name in wanted if name in touched and name not in fresh),
        removed=tuple(name for name in had if name not in wanted),
        topics_removed=tuple(sorted(_topics(before) - _topics(after))),
        commands=tuple(
            command for command in after.commands if consumer(command) in {*fresh, *touched}
        ),
    )


def _touched(
    files: Collection[Path], folder: Path, before: Catalog, after: Catalog
) -> Iterator[str]:
    if before.functions != after.functions or any(_of_all(path, folder) for path in files):
        yield from function_names(after)
        return
    if before.commands != after.commands:
        yield from _READ_THE_COMMANDS
    for command, entry in after.commands.items():
        reach = reached(folder, entry.module)
        if before.commands.get(command) != entry or any(
            _reads(reach, path, folder / "consumers") for path in files
        ):
            yield consumer(command)


def _reads(reach: Collection[Path], path: Path, shared: Path) -> bool:
    """Tell whether a consumer that brings these files imports this one, or has it as its data.

    Data belongs to the package around it; directly among the consumers it is everybody's.
    """
    if path.suffix == ".py":
        return path in reach
    if path.parent == shared:
        return True
    packages = {it.parent for it in reach if shared in it.parent.parents}
    return not packages.isdisjoint(path.parents)


def _of_all(path: Path, folder: Path) -> bool:
    """Tell the code of every function from that of some consumers, and from the tests' kit."""
    if not path.is_relative_to(folder):
        return False
    parts = path.relative_to(folder).parts
    return parts[0] != "consumers" and parts[:2] != ("smartlink", "testing")


def _topics(catalog: Catalog) -> set[str]:
    topics = {command.topic for command in catalog.commands.values()}
    return topics | {str(catalog.functions.poll_shard.topic)}
