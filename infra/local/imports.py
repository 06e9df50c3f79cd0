"""Which files a module brings with it: read from its import statements, not by importing it."""

import ast
from collections.abc import Iterator
from pathlib import Path


def reached(folder: Path, module: str) -> frozenset[Path]:
    """The files of the folder that loading the module may read, itself included.

    A file that is named but not there counts too: its removal is a change. What a module imports
    by other means than an import statement is not seen; a file that does not parse imports nothing.
    """
    found: set[Path] = set()
    waiting = [module]
    while waiting:
        for path in _files(folder, waiting.pop()):
            if path not in found:
                found.add(path)
                waiting += _imported(path, folder)
    return frozenset(found)


def _files(folder: Path, module: str) -> Iterator[Path]:
    """Where a module may stand, and the packages around it."""
    place = folder
    for part in module.split("."):
        place = place / part
        yield place / "__init__.py"
    yield place.with_suffix(".py")


def _imported(path: Path, folder: Path) -> Iterator[str]:
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    package = path.relative_to(folder).parent.parts
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            around = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*around, *filter(None, [node.module])))
            if base:
                yield base
            yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)
