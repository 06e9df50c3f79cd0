"""The proxies misbehave as they are told: otherwise the chaos were none."""

import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import pytest

from infra.local.ports import HOST, free_ports
from tests.chaos.proxy import Mode, Proxy, proxies

PATIENCE = 10
ANSWER = b"answer of some length"
MOMENT = 0.2


@pytest.fixture
def heard() -> list[bytes]:
    """What reached the server behind."""
    return []


@pytest.fixture
def route(heard: list[bytes]) -> Iterator[tuple[int, Proxy]]:
    """A proxy's port, and the proxy, before a server that answers each request."""
    with socket.create_server((HOST, 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    threading.Thread(target=answer, args=(connection,), daemon=True).start()

        def answer(connection: socket.socket) -> None:
            with connection, suppress(OSError):
                while data := connection.recv(100):
                    heard.append(data)
                    connection.sendall(ANSWER)

        threading.Thread(target=serve, daemon=True).start()
        [port] = free_ports(1)
        with proxies({"server": (port, server.getsockname()[1])}) as made:
            yield port, made["server"]


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), PATIENCE)


def ask(connection: socket.socket) -> bytes:
    connection.sendall(b"question")
    return connection.recv(100)


def ask_on(connection: socket.socket) -> None:
    while ask(connection):
        pass


def test_it_passes_everything_on(route: tuple[int, Proxy]) -> None:
    """Both ways, on a connection that stays."""
    with connect(route[0]) as connection:
        assert [ask(connection), ask(connection)] == [ANSWER, ANSWER]


def test_a_cut_breaks_old_connections_and_new_ones(route: tuple[int, Proxy]) -> None:
    """And later ones work again."""
    port, proxy = route
    with connect(port) as connection:
        assert ask(connection) == ANSWER
        proxy.set(Mode.CUT)
        with pytest.raises(ConnectionError):
            ask_on(connection)
    with pytest.raises(ConnectionError), connect(port) as connection:  # perhaps cut at once
        ask_on(connection)
    proxy.set(Mode.PASS)
    with connect(port) as connection:
        assert ask(connection) == ANSWER
    assert proxy.counts[Mode.CUT] >= 2


def test_a_stall_holds_everything_back_until_it_ends(
    route: tuple[int, Proxy], heard: list[bytes]
) -> None:
    """The connection stays, and nothing is lost."""
    port, proxy = route
    with connect(port) as connection:
        assert ask(connection) == ANSWER
        proxy.set(Mode.STALL)
        connection.settimeout(MOMENT)
        with pytest.raises(TimeoutError):
            ask(connection)
        assert heard == [b"question"]
        proxy.set(Mode.PASS)
        connection.settimeout(PATIENCE)
        assert connection.recv(100) == ANSWER


def test_a_lost_answers_request_took_effect(route: tuple[int, Proxy], heard: list[bytes]) -> None:
    """The server has it, the caller has a reset."""
    port, proxy = route
    with connect(port) as connection:
        assert ask(connection) == ANSWER
        proxy.set(Mode.LOSE)
        with pytest.raises(ConnectionError):
            ask_on(connection)
    assert len(heard) >= 2
    assert proxy.counts[Mode.LOSE] == 1


def test_a_truncated_answer_begins_well(route: tuple[int, Proxy]) -> None:
    """And then the connection ends."""
    port, proxy = route
    with connect(port) as connection:
        proxy.set(Mode.TRUNCATE)
        got = ask(connection)
        assert ANSWER.startswith(got)
        assert len(got) < len(ANSWER)
        assert connection.recv(100) == b""


def test_a_forgotten_connection_is_silent_and_a_new_one_works(route: tuple[int, Proxy]) -> None:
    """As behind a NAT that lost its table."""
    port, proxy = route
    with connect(port) as old:
        assert ask(old) == ANSWER
        proxy.set(Mode.BLACKHOLE)
        old.settimeout(MOMENT)
        with pytest.raises(TimeoutError):
            ask(old)
        with connect(port) as new:
            assert ask(new) == ANSWER
    assert proxy.counts[Mode.BLACKHOLE] == 1
    assert proxy.connections == 2
