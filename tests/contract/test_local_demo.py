"""The demo and the stack by their commands, as people start them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.checkout import ROOT
from tests.support.emulators import needs_emulators

PATIENCE = 150


def command(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """Start the command with a folder of its own."""
    quick = {"SMARTLINK_LOCAL_DIR": str(folder), "SMARTLINK_LOCAL_TICK_SECONDS": "0.3"}
    return subprocess.Popen(
        [sys.executable, "-m", "infra.local", *arguments],
        cwd=ROOT,
        env={**os.environ, **quick, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("mode", "emulators", "first_line"),
    [
        pytest.param("emulators", "auto", "on the official emulators", marks=needs_emulators),
        ("in-process", "none", "in one process, on the in-memory adapters"),
    ],
)
def test_the_demo_processes_every_request(
    tmp_path: Path, mode: str, emulators: str, first_line: str
) -> None:
    """Sixty requests there and back, on the emulators or without: the numbers are the same."""
    with command(tmp_path, "demo", "--json", SMARTLINK_LOCAL_EMULATORS=emulators) as process:
        out, said = process.communicate(timeout=PATIENCE)

    assert process.returncode == 0, out + said
    assert first_line in said.splitlines()[0]
    document = json.loads(out)
    assert document["mode"] == mode
    assert {row["before"] for row in document["requests"]} == {"Em Processamento"}
    assert {row["after"] for row in document["requests"]} == {"Processada"}
    assert len(document["requests"]) == 60
    for people in document["anonymised"].values():
        assert (people["before"], people["after"]) == (0, 8)
    assert document["collections"]["GTotvsLinkMessage"] == 0
    assert document["collections"]["GTotvsLinkMessageExec"] == 120
    [retried] = document["retried"]
    assert retried["attempts"] == 3
    assert len(retried["errors"]) == 2


@needs_emulators
def test_the_stack_stays_until_ctrl_c_and_runs_once(tmp_path: Path) -> None:
    """A second start is refused; Ctrl-C is the normal end, and leaves no trace of running."""
    with command(tmp_path, "up") as first:
        assert first.stdout is not None
        assert any("Ctrl-C stops it all" in line for line in first.stdout)
        pids = json.loads((tmp_path / "stack.json").read_text())["pids"]

        with command(tmp_path, "up") as second:
            _, said = second.communicate(timeout=PATIENCE)
        assert second.returncode == 1
        assert f"running already: see {tmp_path}/stack.json (process {pids['stack']})" in said

        first.send_signal(signal.SIGINT)
        first.communicate(timeout=PATIENCE)
    assert first.returncode == 0
    assert not (tmp_path / "stack.json").exists()
