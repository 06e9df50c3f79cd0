"""Changes of files are seen once they have come to rest; a clock and a tree of the test's own."""

import os
from pathlib import Path

import pytest

from infra.local.watch import REST_SECONDS, Stamps, Watch, stamps

A, B, C = Path("a.py"), Path("b.py"), Path("c.py")


class Tree:
    """A tree of files, and a clock."""

    def __init__(self) -> None:
        self.files = {A: (1, 1), B: (1, 1)}
        self.now = 0.0
        self.watch = Watch(self.look, lambda: self.now)

    def look(self) -> Stamps:
        return dict(self.files)

    def after(self, seconds: float) -> set[Path]:
        self.now += seconds
        return set(self.watch.changed())


@pytest.fixture
def tree() -> Tree:
    return Tree()


def test_nothing_changed(tree: Tree) -> None:
    """What is there at the start is no change."""
    assert not tree.after(10)


def test_a_change_is_told_once_it_rests(tree: Tree) -> None:
    """Not while it is written, and only once."""
    tree.files[A] = (2, 1)
    assert not tree.after(1)  # seen for the first time
    assert not tree.after(REST_SECONDS / 2)
    tree.files[A] = (3, 1)
    assert not tree.after(REST_SECONDS)  # written again in the meantime
    assert not tree.after(REST_SECONDS / 2)
    assert tree.after(REST_SECONDS) == {A}
    tree.watch.used()
    assert not tree.after(10)


def test_several_steps_are_one_change(tree: Tree) -> None:
    """A new file, a changed one and a removed one."""
    tree.files = {A: (1, 2), C: (1, 1)}
    tree.after(1)
    assert tree.after(1) == {A, B, C}


def test_what_was_not_used_is_told_again_with_the_next_change(tree: Tree) -> None:
    """A broken file keeps the rest waiting; its repair brings all of it."""
    tree.files |= {A: (2, 1), B: (2, 1)}
    tree.after(1)
    assert tree.after(1) == {A, B}
    assert not tree.after(10)
    tree.files[B] = (3, 1)
    tree.after(1)
    assert tree.after(1) == {A, B}


def test_a_change_taken_back_is_none(tree: Tree) -> None:
    """The files are as they are used: nothing to restart."""
    tree.files[A] = (2, 1)
    tree.after(1)
    assert tree.after(1) == {A}
    tree.files[A] = (1, 1)
    tree.after(1)
    assert not tree.after(1)


def test_stamps_are_of_code_and_data_and_of_those_named(tmp_path: Path) -> None:
    """Hidden files, an editor's dangling lock, byte code and what is not there have none."""
    folder = tmp_path / "functions"
    (folder / "deep").mkdir(parents=True)
    for name in ("main.py", "deep/x.py", ".#main.py", "notes.txt", "x.pyc", "map.json"):
        (folder / name).touch()
    (folder / "gone.py").symlink_to(folder / "nowhere")
    catalog = tmp_path / "catalog.json"
    catalog.touch()
    seen = stamps(folder, [catalog, tmp_path / "missing.json"])
    inside = {folder / "main.py", folder / "deep" / "x.py", folder / "map.json"}
    assert set(seen) == {*inside, catalog}
    os.utime(catalog, ns=(5, 5))
    assert stamps(folder, [catalog])[catalog] == (5, 0)
