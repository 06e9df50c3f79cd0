"""Ports: free ones are free, taken ones are named."""

import socket
from collections.abc import Iterator

import pytest

from infra.local.errors import PortInUseError
from infra.local.ports import HOST, allocate, free_ports, is_free


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server((HOST, 0)) as server:
        yield server.getsockname()[1]


def test_free_ports_are_distinct_and_free() -> None:
    """Each can be listened on."""
    ports = free_ports(20)

    assert len(set(ports)) == 20
    assert all(is_free(port) for port in ports)


def test_ports_to_avoid_are_avoided(monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that a person gave to one program is not given to another."""
    [first, second] = sorted(free_ports(2))
    monkeypatch.setattr("infra.local.ports.CANDIDATES", range(first, second + 1, second - first))

    assert free_ports(1, avoid=[first]) == [second]


def test_a_chosen_port_is_kept_and_the_others_are_free() -> None:
    """Names without a wish get a free port each."""
    [wanted] = free_ports(1)

    ports = allocate(["poll", "publish"], {"poll": wanted})

    assert ports["poll"] == wanted
    assert ports["publish"] != wanted


def test_a_chosen_port_in_use_is_named_with_the_fix(taken: int) -> None:
    """The program, the port, and the variable that changes it."""
    with pytest.raises(
        PortInUseError, match=rf"poll was given port {taken}.*SMARTLINK_LOCAL_PORTS"
    ):
        allocate(["poll"], {"poll": taken})
