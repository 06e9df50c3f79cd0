"""`stack.json`: one stack for each folder."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from infra.cli.errors import UsageError
from infra.cli.target import find_target
from infra.local.errors import AlreadyRunningError, SettingError
from infra.local.stack_file import sole_stack


def test_it_shows_a_stack_that_is_up_and_goes_with_it(tmp_path: Path) -> None:
    """Programs find addresses and process ids in it."""
    with sole_stack(tmp_path) as file:
        file.write({"project": "p"}, {"poll": 42})

        shown = json.loads((tmp_path / "stack.json").read_text())

    assert shown == {"project": "p", "pids": {"stack": os.getpid(), "poll": 42}}
    assert not (tmp_path / "stack.json").exists()


def test_a_second_stack_is_refused_and_leaves_the_first_alone(tmp_path: Path) -> None:
    """The message names the file, the process and two ways out."""
    with sole_stack(tmp_path) as file:
        file.write({}, {})

        with (
            pytest.raises(
                AlreadyRunningError, match=rf"process {os.getpid()}.*SMARTLINK_LOCAL_DIR"
            ),
            sole_stack(tmp_path),
        ):
            pytest.fail("two stacks in one folder")

        assert file.path.exists()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    """And how to name another."""
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(SettingError, match=r"/file cannot be written: .*SMARTLINK_LOCAL_DIR"),
        sole_stack(tmp_path / "file"),
    ):
        pytest.fail("a stack in a file")


def test_the_file_of_a_killed_stack_does_not_stand_in_the_way(tmp_path: Path) -> None:
    """What may still run of it is known; a broken file is as good as none."""
    stale = {"pids": {"stack": 2**22 + 1, "poll": os.getpid()}}
    (tmp_path / "stack.json").write_text(json.dumps(stale))

    with sole_stack(tmp_path) as file:
        assert file.leftovers == [os.getpid()]
    (tmp_path / "stack.json").write_text("{")
    with sole_stack(tmp_path) as file:
        assert file.leftovers == []


def test_the_command_line_finds_the_stack_that_a_demo_left_up(tmp_path: Path) -> None:
    """By the same folder; a stack of `make local` goes before it, one that ended is none."""
    place = {"SMARTLINK_LOCAL_DIR": str(tmp_path)}

    def runs(folder: Path, project: str, pid: int) -> None:
        folder.mkdir(exist_ok=True)
        stack = {
            "project": project,
            "pids": {"stack": pid},
            "emulators": {},
            "configUri": "gs://c/f",
            "buckets": {"contents": "c"},
            "baseUrl": "http://127.0.0.1:1",
            "racTokenUrl": "http://127.0.0.1:1/token",
        }
        (folder / "stack.json").write_text(json.dumps(stack))

    ended = subprocess.Popen([sys.executable, "-S", "-c", ""])
    ended.wait()
    runs(tmp_path, "local", ended.pid)
    with pytest.raises(UsageError, match="no local stack"):
        find_target(None, None, place)
    runs(tmp_path / "demo", "demo", os.getpid())
    assert find_target(None, None, place).project == "demo"
    runs(tmp_path, "local", os.getpid())
    assert find_target(None, None, place).project == "local"
