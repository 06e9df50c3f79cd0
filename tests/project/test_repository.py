"""The repository is anybody's: no machine's paths, one gate, help that lists every target."""

import re
import shutil
import subprocess

import pytest

from tests.project.checkout import ROOT, tracked

MAKEFILE = (ROOT / "Makefile").read_text()
MACHINE = re.compile(r"(?<![\w.<}])/(?:work|root|Users|home/[a-z]\w*|mnt|workspace)/(?!\$)")
INDEX = re.compile(r"--(?:extra-)?index-url|--find-links|--trusted-host|(?:PIP|UV)_INDEX")


def texts() -> dict[str, str]:
    """Every tracked text, but for this file, by its path in the checkout."""
    found: dict[str, str] = {}
    for path in tracked():
        data = path.read_bytes()
        name = str(path.relative_to(ROOT))
        if b"\x00" not in data and path.name != "test_repository.py":
            found[name] = data.decode()
    return found


def test_no_path_of_a_machine() -> None:
    """What works here works in another folder, for another user."""
    found = {
        f"{name}: {match.group()}"
        for name, text in texts().items()
        for match in MACHINE.finditer(text)
    }
    assert found == set()


def test_no_package_index() -> None:
    """No file says where packages come from; `make lock` keeps it out of the lock files."""
    assert {name for name, text in texts().items() if INDEX.search(text)} == set()
    assert {"--no-emit-index-url", "--no-emit-find-links"} <= set(MAKEFILE.split())


def targets() -> set[str]:
    return set(re.findall(r"^\.PHONY: (\S+)$", MAKEFILE, re.MULTILINE))


def test_every_target_has_help() -> None:
    """Each target says what it does."""
    described = set(re.findall(r"^([a-z-]+):.*## \S", MAKEFILE, re.MULTILINE))
    assert targets() == described
    assert {"help", "demo", "local", "test", "check", "bench"} <= targets()


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize("arguments", [[], ["help"]])
def test_help_lists_every_target(arguments: list[str]) -> None:
    """`make` alone prints help, and runs nothing."""
    command = ["make", "--no-print-directory", *arguments]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    listed = re.findall(r"^  make (\S+) +\S", ran.stdout, re.MULTILINE)
    assert sorted(listed) == sorted(targets())


def test_the_gate_is_make_test() -> None:
    """CI runs what README tells everyone to run, and nothing else."""
    commands = [
        line.strip()
        for line in (ROOT / ".ci" / "run").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert commands[-1] == "exec make test"
    allowed = re.compile(
        r"set -eu|cd .*|if \[ .* \]; then|fi|\w+=\S+|exec make test( TERRAFORM=\S+)?"
    )
    assert [line for line in commands if not allowed.fullmatch(line)] == []
