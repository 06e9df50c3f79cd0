"""An instance that was frozen, as idle ones are, goes on where it was."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest

from infra.local.checkout import FUNCTIONS
from infra.local.child import Child
from infra.local.ports import HOST, free_ports
from infra.local.program import Program, listens
from infra.local.supervisor import Supervisor, supervised

_TIMEOUT = {"CLOUD_RUN_TIMEOUT_SECONDS": "1"}  # as Cloud Run sets it, but for the number
_SECONDS = 30.0  # that anything may take here; nothing takes nearly so long

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the workers")


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    with supervised(tmp_path / "logs") as running:
        yield running


def serving(supervisor: Supervisor, name: str, folder: Path, target: str) -> Child:
    """A function, as it is served in the cloud."""
    [port] = free_ports(1)
    command = (sys.executable, "-m", "functions_framework", "--source", "main.py")
    options = ("--target", target, "--host", HOST, "--port", str(port))
    program = Program(
        name,
        (*command, *options),
        port,
        listens(port),
        environment={**_TIMEOUT, "PYTHONPATH": ""},
        folder=folder,
    )
    [child] = supervisor.start(program)
    supervisor.wait_ready([child])
    return child


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _SECONDS
    while not condition():
        assert time.monotonic() < deadline, "it does not happen"
        os.sched_yield()


def workers(child: Child) -> list[int]:
    """The processes that the server has begun."""
    told = Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text(encoding="ascii")
    return [int(pid) for pid in told.split()]


def said(child: Child) -> str:
    return child.log.read_text(encoding="utf-8")


def status(child: Child) -> int:
    connection = HTTPConnection(HOST, child.program.port, timeout=_SECONDS)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_worker_outlives_a_freeze_of_any_length(supervisor: Supervisor, tmp_path: Path) -> None:
    """What it has kept is there, and nothing alarms. Beside it, so that it is known when the
    time-out has struck, a function that has left it as it was."""
    plain = tmp_path / "plain"
    plain.mkdir()
    source = "def hello(request):\n    return 'hello'\n"
    (plain / "main.py").write_text(source, encoding="ascii")
    ours = serving(supervisor, "ours", FUNCTIONS, "publish")
    other = serving(supervisor, "other", plain, "hello")
    until(lambda: len(workers(ours)) == len(workers(other)) == 1)
    assert status(ours) == 405
    [worker], [killed] = workers(ours), workers(other)
    for frozen in (worker, killed):
        os.kill(frozen, signal.SIGSTOP)
    until(lambda: workers(other) not in ([], [killed]))  # two looks of its server's later
    assert "CRITICAL" in said(other)
    os.kill(worker, signal.SIGCONT)
    assert status(ours) == 405
    assert workers(ours) == [worker]
    assert "CRITICAL" not in said(ours)
