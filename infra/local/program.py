"""Describes a program of the stack: what to run, and how to find out that it is ready."""

import json
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from infra.local.ports import HOST

PROBE_SECONDS = 1.0


@dataclass(frozen=True)
class Program:
    """One process. Its log has its name. `ready` gets the log's path and tells if it is ready."""

    name: str
    command: tuple[str, ...]
    port: int
    ready: Callable[[Path], bool]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None


def listens(port: int) -> Callable[[Path], bool]:
    """Make a probe that tells whether the port accepts connections."""

    def ready(_log: Path) -> bool:
        try:
            socket.create_connection((HOST, port), PROBE_SECONDS).close()
        except OSError:
            return False
        return True

    return ready


def answers(port: int, path: str = "/") -> Callable[[Path], bool]:
    """Make a probe that tells whether a GET is answered with 200."""

    def ready(_log: Path) -> bool:
        connection = HTTPConnection(HOST, port, timeout=PROBE_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200  # noqa: PLR2004 - HTTP's OK
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    return ready


def said_json(log: Path, key: str) -> dict[str, object] | None:
    """Find the line of JSON with this key that a program printed when it was ready."""
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            said = json.loads(line)
        except ValueError:
            continue
        if isinstance(said, dict) and key in said:
            return said
    return None


def says_json(key: str) -> Callable[[Path], bool]:
    """Make a probe that tells whether the program printed a line of JSON with this key."""
    return lambda log: said_json(log, key) is not None
