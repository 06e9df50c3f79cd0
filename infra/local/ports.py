"""Chooses free TCP ports on this machine, and refuses a chosen port that is taken."""

import random
import socket
from collections.abc import Collection

from infra.local.errors import PortInUseError

HOST = "127.0.0.1"
# These are below every system's ephemeral range, so that no outgoing connection takes a port after
# it was chosen and before the child binds it.
CANDIDATES = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do, so that a port with connections in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int, *, avoid: Collection[int] = ()) -> list[int]:
    """Choose free ports at random, so that stacks which start together rarely choose the same."""
    chosen: list[int] = []
    for port in random.sample(CANDIDATES, len(CANDIDATES)):
        if len(chosen) == count:
            break
        if port not in avoid and is_free(port):
            chosen.append(port)
    if len(chosen) < count:
        message = (
            f"fewer than {count} ports are free between {CANDIDATES.start} and {CANDIDATES.stop}"
        )
        raise PortInUseError(message)
    return chosen


def require_free(name: str, port: int) -> None:
    """Raise PortInUseError if another process uses the port that a person chose."""
    if not is_free(port):
        message = (
            f"{name} was given port {port}, which another process is using: "
            f"stop that process or choose another port for {name} in SMARTLINK_LOCAL_PORTS."
        )
        raise PortInUseError(message)


def allocate(names: Collection[str], wanted: dict[str, int]) -> dict[str, int]:
    """Give every name the port that was wanted for it, or a free one."""
    for name, port in wanted.items():
        require_free(name, port)
    others = [name for name in names if name not in wanted]
    return wanted | dict(zip(others, free_ports(len(others), avoid=wanted.values()), strict=True))
