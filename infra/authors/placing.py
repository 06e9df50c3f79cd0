"""Writes several files, either all of them or none."""

from collections.abc import Mapping
from pathlib import Path


def place(created: Mapping[Path, str], replaced: Mapping[Path, str]) -> None:
    """Create files that must not exist yet, then replace others; undo everything after a failure.

    Raises FileExistsError and other errors of the file system.
    """
    before = {path: path.read_bytes() for path in replaced}
    folders: list[Path] = []
    made: list[Path] = []
    try:
        for path, text in created.items():
            _make_folder(path.parent, folders)
            with path.open("x", encoding="utf-8") as file:
                made.append(path)
                file.write(text)
        for path, text in replaced.items():
            write_whole(path, text.encode())
    except BaseException:  # also after Ctrl-C
        for path in made:
            path.unlink(missing_ok=True)
        for folder in reversed(folders):
            folder.rmdir()
        for path, content in before.items():
            if path.read_bytes() != content:
                write_whole(path, content)
        raise


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that readers see the old file or the new one, and never a half of it."""
    draft = path.with_name(f".{path.name}.draft")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _make_folder(folder: Path, made: list[Path]) -> None:
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    for each in reversed(missing):
        each.mkdir()
        made.append(each)
