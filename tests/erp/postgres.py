"""A PostgreSQL server of the tests' own, on a Unix socket in a temporary folder."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 60
# Nothing of it outlives the tests, so nothing has to reach the disk.
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
}


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """Where it listens."""

    folder: Path

    def url(self, database: str, user: str = "postgres") -> str:
        return f"postgresql+psycopg://{user}@/{database}?host={self.folder}"


def find_binaries() -> Path | None:
    """Look for the folder of `initdb` and `pg_ctl`: on the PATH, else where Debian puts it."""
    found = [Path(path) for path in os.environ.get("PATH", "").split(os.pathsep) if path]
    found += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return next((it for it in found if all((it / b).exists() for b in ("initdb", "pg_ctl"))), None)


def not_root() -> dict[str, Any]:
    """Say as whom to run it: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    account = names.get("postgres") or names["nobody"]
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextmanager
def running_postgres(settings: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """Start a server, with further settings. A machine without PostgreSQL skips; the gate must
    not."""
    binaries = find_binaries()
    if binaries is None:
        message = "PostgreSQL is not installed: no initdb on the PATH or in /usr/lib/postgresql"
        if "CI" in os.environ:
            raise FileNotFoundError(message)
        pytest.skip(message)
    who = not_root()
    # The path of a socket has at most 107 characters, and its folder must be open to the account.
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    try:
        if who:
            os.chown(folder, who["user"], who["group"])
        data = folder / "data"
        init = ["initdb", "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
        _run(binaries, [*init, "--locale=C"], folder, who)
        options = {**SETTINGS, **(settings or {}), "unix_socket_directories": str(folder)}
        written = " ".join(f"-c {name}='{value}'" for name, value in options.items())
        control = ["pg_ctl", "-D", data, "-w", "-t", PATIENCE]
        _run(binaries, [*control, "-l", folder / "log", "-o", written, "start"], folder, who)
        try:
            yield PostgresServer(folder)
        finally:
            _run(binaries, [*control, "-m", "immediate", "stop"], folder, who)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(binaries: Path, command: list[object], folder: Path, who: Mapping[str, Any]) -> None:
    name, *arguments = map(str, command)
    # To a file: the server inherits the pipe, and would keep it open.
    with (folder / f"{name}.out").open("a+b") as out:
        ran = subprocess.run(
            [str(binaries / name), *arguments],
            cwd=folder,
            env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C"},
            stdout=out,
            stderr=subprocess.STDOUT,
            timeout=2 * PATIENCE,
            check=False,
            **who,
        )
        out.seek(0)
        assert ran.returncode == 0, f"{name}: {out.read().decode(errors='replace')}"
