"""TCP ports on this machine: free ones, and a clear word when a chosen one is taken."""

import random
import socket
from collections.abc import Collection

from infra.local.errors import PortInUseError

HOST = "127.0.0.1"
# Below every system's ephemeral range, so that no outgoing connection takes a port between the
# moment it is chosen and the moment the child binds it.
CANDIDATES = range(20_000, 32_000)


def is_free(port: int) -> bool:
    """Tell whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do it: a port whose last connections linger in TIME_WAIT counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_ports(count: int, *, avoid: Collection[int] = ()) -> list[int]:
    """Choose ports nobody listens on, at random so that stacks started together rarely meet."""
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
    """Refuse a port chosen by a person that another process listens on."""
    if not is_free(port):
        message = (
            f"{name} was given port {port}, which another process is using: "
            f"stop that process or choose another port for {name} in SMARTLINK_LOCAL_PORTS."
        )
        raise PortInUseError(message)


def allocate(names: Collection[str], wanted: dict[str, int]) -> dict[str, int]:
    """Give every name its wanted port, if it has one, or a free one."""
    for name, port in wanted.items():
        require_free(name, port)
    others = [name for name in names if name not in wanted]
    return wanted | dict(zip(others, free_ports(len(others), avoid=wanted.values()), strict=True))
