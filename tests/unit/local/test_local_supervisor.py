"""Child processes: seen to be ready, seen to die, and none left behind.

A test knows that a process is gone by the end of a connection that the process held.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.child import _dies_with_parent
from infra.local.errors import NotReadyError
from infra.local.ports import HOST, free_ports
from infra.local.program import Program, answers, listens, said_json, says_json
from infra.local.supervisor import Supervisor, supervised

PATIENCE = 20
CALL_HOME = "import socket, sys; home = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"
STAY = CALL_HOME + "home.recv(1)"
IGNORE_SIGTERM = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + STAY
WITH_CHILD = (
    CALL_HOME + "import subprocess;"
    "subprocess.Popen([sys.executable, '-c', sys.argv[2], sys.argv[1]]); home.recv(1)"
)


class Home:
    """Where the processes of a test call, so that it sees when they are gone."""

    def __init__(self, server: socket.socket) -> None:
        """Listen."""
        self._server = server
        self._callers: list[socket.socket] = []
        self.port = server.getsockname()[1]

    def expect(self, number: int) -> None:
        """Wait until so many processes have called."""
        for _ in range(number):
            caller, _ = self._server.accept()
            caller.settimeout(PATIENCE)
            self._callers.append(caller)

    def all_gone(self) -> bool:
        """Wait until each connection has ended."""
        return all(caller.recv(1) == b"" for caller in self._callers)


@pytest.fixture
def home() -> Iterator[Home]:
    """A place to call."""
    with socket.create_server((HOST, 0)) as server:
        server.settimeout(PATIENCE)
        yield Home(server)


def python(name: str, code: str, *arguments: object, port: int = 1) -> Program:
    """A program of a few lines; ready at once unless it is given a port."""
    command = (sys.executable, "-S", "-c", code, *map(str, arguments))
    ready = (lambda _: True) if port == 1 else listens(port)
    return Program(name, command, port, ready)


def test_what_was_started_is_stopped(tmp_path: Path, home: Home) -> None:
    """At the normal end of the block."""
    with supervised(tmp_path) as supervisor:
        supervisor.start(python("a", STAY, home.port), python("b", STAY, home.port))
        supervisor.start(python("c", STAY, home.port))
        home.expect(3)

    assert home.all_gone()


def test_an_error_stops_everything_too(tmp_path: Path, home: Home) -> None:
    """Also one in the middle of the start: a command that is not there."""
    missing = Program("missing", (str(tmp_path / "nothing"),), 1, listens(1))

    def start() -> None:
        with supervised(tmp_path) as supervisor:
            supervisor.start(python("a", STAY, home.port))
            home.expect(1)
            supervisor.start(python("b", STAY, home.port), missing)
            supervisor.check()

    with pytest.raises(NotReadyError, match="missing"):
        start()

    assert home.all_gone()


def test_a_childs_own_children_go_with_it(tmp_path: Path, home: Home) -> None:
    """A function's server has workers."""
    with supervised(tmp_path) as supervisor:
        supervisor.start(python("a", WITH_CHILD, home.port, STAY))
        home.expect(2)

    assert home.all_gone()


def test_who_ignores_sigterm_is_killed(
    tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a grace, with its children."""
    monkeypatch.setattr("infra.local.supervisor.STOP_SECONDS", 0.05)

    with supervised(tmp_path) as supervisor:
        supervisor.start(python("a", IGNORE_SIGTERM, home.port))
        supervisor.start(python("b", WITH_CHILD, home.port, IGNORE_SIGTERM))
        home.expect(3)

    assert home.all_gone()


def test_the_last_started_is_the_first_stopped(tmp_path: Path, home: Home) -> None:
    """Functions end while the emulators they speak to are still there."""
    order = tmp_path / "order"
    code = (
        "import signal, sys; name, path = sys.argv[2:];"
        "signal.signal(signal.SIGTERM, lambda *_: (print(name, file=open(path, 'a')), sys.exit()));"
    )

    with supervised(tmp_path) as supervisor:
        for name in ("first", "second"):
            supervisor.start(python(name, code + STAY, home.port, name, order))
        home.expect(2)

    assert order.read_text().split() == ["second", "first"]


def test_an_early_death_is_told_with_the_last_words(tmp_path: Path) -> None:
    """Without waiting for the port until the time is over."""
    [port] = free_ports(1)
    program = python(
        "poll", "print('no such', 'module', flush=True); raise SystemExit(3)", port=port
    )

    with supervised(tmp_path) as supervisor:
        children = supervisor.start(program)
        with pytest.raises(NotReadyError) as caught:
            supervisor.wait_ready(children)

    assert str(caught.value).startswith("poll ended with code 3")
    assert str(tmp_path / "poll.log") in str(caught.value)
    assert "no such module" in str(caught.value)


def test_a_death_later_on_is_seen(tmp_path: Path, home: Home) -> None:
    """The stack does not go on with half of its functions; the signal is named."""
    with supervised(tmp_path) as supervisor:
        [child] = supervisor.start(python("poll", STAY, home.port))
        home.expect(1)
        supervisor.check()
        child.ask_to_stop()
        assert home.all_gone()
        child.make_sure(PATIENCE)

        with pytest.raises(NotReadyError, match="poll was ended by SIGTERM"):
            supervisor.check()


def test_who_does_not_become_ready_in_time_is_named(tmp_path: Path, home: Home) -> None:
    """With the port, the time and the log."""
    [port] = free_ports(1)

    with supervised(tmp_path) as supervisor:
        children = supervisor.start(python("poll", STAY, home.port, port=port))
        with pytest.raises(NotReadyError, match=rf"poll was not ready on port {port} within 0 s"):
            supervisor.wait_ready(children, seconds=0)


def test_each_probe_tells_ready_from_not(tmp_path: Path) -> None:
    """A port that listens, a page that is answered, a line that was printed."""
    [port] = free_ports(1)
    log = tmp_path / "log"
    log.write_text("warming up\n[]\n")
    assert not listens(port)(log)
    assert not answers(port)(log)
    assert not says_json("baseUrl")(log)

    command = (sys.executable, "-m", "http.server", str(port), "--bind", HOST, "-d", str(tmp_path))
    with supervised(tmp_path) as supervisor:
        supervisor.wait_ready(supervisor.start(Program("web", command, port, answers(port))))
        assert listens(port)(log)
        assert not answers(port, "/nothing")(log)
    log.write_text('warming up\n{"baseUrl": "http://x"}\n')
    assert said_json(log, "baseUrl") == {"baseUrl": "http://x"}


PARENT = """
import pathlib, sys
from infra.local.program import Program
from infra.local.signals import ending_signals_raise
from infra.local.supervisor import supervised
port, folder, code = sys.argv[1:]
program = Program("a", (sys.executable, "-S", "-c", code, port), 1, lambda _: True)
with ending_signals_raise(), supervised(pathlib.Path(folder)) as supervisor:
    supervisor.start(program, program)
    print("up", flush=True)
    sys.stdin.read()
"""


def parent(folder: Path, home: Home) -> subprocess.Popen[str]:
    """A process that supervises two children, and says when they are there."""
    command = [sys.executable, "-c", PARENT, str(home.port), str(folder), STAY]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "up\n"
    home.expect(2)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_parent_leaves_no_orphan(
    tmp_path: Path, home: Home, number: signal.Signals
) -> None:
    """Ctrl-C, a service manager's stop, a closed terminal."""
    with parent(tmp_path, home) as process:
        process.send_signal(number)

        assert home.all_gone()
        assert process.wait(PATIENCE) != 0


@pytest.mark.skipif(not _dies_with_parent(), reason="needs Linux and util-linux's setpriv")
def test_a_killed_parent_leaves_no_orphan(tmp_path: Path, home: Home) -> None:
    """SIGKILL cannot be caught: the kernel ends the children."""
    with parent(tmp_path, home) as process:
        process.kill()

        assert home.all_gone()


def test_a_supervisor_without_children_is_content(tmp_path: Path) -> None:
    """Before the start nothing can have died."""
    Supervisor(tmp_path).check()


def test_one_child_ends_and_the_others_stay(tmp_path: Path, home: Home) -> None:
    """A function that is restarted; one that has died already is forgotten too."""
    with supervised(tmp_path) as supervisor:
        [ended] = supervisor.start(python("ended", STAY, home.port))
        home.expect(1)
        [dead] = supervisor.start(python("dead", "pass"))
        [stays] = supervisor.start(python("stays", STAY, home.port))
        dead.make_sure(PATIENCE)
        supervisor.end(["ended", "dead", "unknown"])
        assert home.all_gone()
        assert not ended.running
        assert supervisor.children == (stays,)


def test_a_dead_child_is_started_again_in_its_place(tmp_path: Path, home: Home) -> None:
    """The others stay, and its new process is stopped with them."""
    with supervised(tmp_path) as supervisor:
        supervisor.start(python("dies", "pass"), python("stays", STAY, home.port))
        dead, stays = supervisor.children
        home.expect(1)
        while dead.running:
            pass
        again = supervisor.restart(dead)
        assert supervisor.children == (again, stays)
        assert again.program == dead.program
    assert home.all_gone()
