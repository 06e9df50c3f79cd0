"""All of it or nothing, whatever fails in between."""

from pathlib import Path

import pytest

from infra.authors.placing import place


def tree(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text() if path.is_file() else "(folder)"
        for path in folder.rglob("*")
    }


def test_everything_appears(tmp_path: Path) -> None:
    """New files with their folders, and the replaced one."""
    (tmp_path / "list").write_text("old")
    place({tmp_path / "a" / "b": "new"}, {tmp_path / "list": "longer"})
    assert tree(tmp_path) == {"list": "longer", "a": "(folder)", "a/b": "new"}


@pytest.mark.parametrize("text", ["\ud800", "taken"])
def test_a_failure_takes_all_back(tmp_path: Path, text: str) -> None:
    """A file that exists, or a text that cannot be written, in the middle of it."""
    (tmp_path / "taken").write_text("mine")
    (tmp_path / "list").write_text("old")
    before = tree(tmp_path)
    second = tmp_path / "taken" if text == "taken" else tmp_path / "c"
    with pytest.raises((FileExistsError, UnicodeEncodeError)):
        place({tmp_path / "a" / "b": "new", second: text}, {tmp_path / "list": "longer"})
    assert tree(tmp_path) == before


def test_a_list_that_cannot_be_written_takes_all_back(tmp_path: Path) -> None:
    """What was replaced before it stands as it was."""
    for name in ("one", "two"):
        (tmp_path / name).write_text("old")
    before = tree(tmp_path)
    with pytest.raises(UnicodeEncodeError):
        place({tmp_path / "a": "new"}, {tmp_path / "one": "longer", tmp_path / "two": "\ud800"})
    assert tree(tmp_path) == before
