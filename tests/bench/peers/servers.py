"""PostgreSQL and Redis for the peers: found on this machine, started on free ports."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from infra.local.checkout import ROOT
from infra.local.errors import LocalStackError, MissingPartError
from infra.local.ports import HOST
from infra.local.program import Program, listens

INSTALLED = ROOT / ".bench" / "servers"  # where `install` puts what PATH lacks
USER = "postgres"  # the server refuses to run as root


@dataclass(frozen=True)
class Servers:
    """The programs that run them."""

    initdb: Path
    postgres: Path
    psql: Path
    redis: Path
    redis_environment: Mapping[str, str] = field(default_factory=dict)

    def postgres_program(self, data: Path, port: int) -> Program:
        """Run PostgreSQL with its default settings, but for two.

        Its statistics follow within a second: a job table fills and empties in each run, and a
        plan for the state before it makes each fetch of a job look through all of them. And no
        commit waits for the disk: Firestore's emulator keeps everything in memory and waits for
        none either, and this machine's disk is not what is compared.
        """
        enough = "max_connections=1000"  # on a machine of many cores, where workers are many
        fresh = "autovacuum_naptime=1s"
        unwaiting = "synchronous_commit=off"
        where = (f"listen_addresses={HOST}", "unix_socket_directories=")
        settings = (*where, enough, fresh, unwaiting)
        options = (part for setting in settings for part in ("-c", setting))
        command = (*_as_user(), str(self.postgres), "-D", str(data), "-p", str(port), *options)
        return Program("postgres", command, port, lambda _log: self._answers(port))

    def redis_program(self, data: Path, port: int) -> Program:
        """Run Redis with its log of writes synced each second, as its documentation recommends
        for durability: a crash of the machine may lose a second, which the inbox then fixes.
        """
        durable = ("--appendonly", "yes", "--appendfsync", "everysec", "--save", "")
        where = ("--bind", HOST, "--port", str(port), "--dir", str(data))
        command = (str(self.redis), *where, *durable)
        return Program("redis", command, port, listens(port), self.redis_environment)

    def query(self, port: int, database: str, sql: str) -> str:
        """Have psql run this; rows are lines, columns are parted by tabs."""
        options = ("-X", "-q", "-A", "-t", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-f", "-")
        where = ("-h", HOST, "-p", str(port), "-U", USER, "-d", database)
        command = [str(self.psql), *options, *where]
        asked = subprocess.run(command, input=sql, capture_output=True, text=True, check=False)
        if asked.returncode:
            message = f"PostgreSQL refused in {database}: {asked.stderr.strip()}"
            raise LocalStackError(message)
        return asked.stdout

    @contextmanager
    def cluster(self) -> Iterator[Path]:
        """Make an empty cluster in a temporary folder of its user's."""
        with tempfile.TemporaryDirectory(prefix="bench-postgres-") as folder:
            if os.getuid() == 0:
                shutil.chown(folder, USER)
            options = ("-U", USER, "--auth", "trust", "-E", "UTF8", "--locale", "C", "--no-sync")
            command = [*_as_user(), str(self.initdb), "-D", folder, *options]
            made = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
            if made.returncode:
                message = f"initdb failed: {made.stderr.strip()}"
                raise LocalStackError(message)
            yield Path(folder)

    def _answers(self, port: int) -> bool:
        try:
            return bool(self.query(port, "postgres", "SELECT 1;"))
        except LocalStackError:
            return False


def find_servers() -> Servers:
    """Find every program, or raise MissingPartError that says which package has it."""
    names = ("initdb", "postgres", "psql")
    initdb, postgres, psql = (_find(name, _postgres_folders(), "postgresql") for name in names)
    if os.getuid() == 0:
        _require_user()
    redis = _find("redis-server", [INSTALLED / "usr" / "bin"], "redis-server")
    libraries = [str(path) for path in (INSTALLED / "usr" / "lib").glob("*-linux-*")]
    environment = {}
    if redis.is_relative_to(INSTALLED) and libraries:
        environment["LD_LIBRARY_PATH"] = ":".join(libraries)
    return Servers(initdb, postgres, psql, redis, environment)


def _postgres_folders() -> list[Path]:
    """Debian keeps the server's programs out of PATH; the newest version comes first."""
    folders = Path("/usr/lib/postgresql").glob("*/bin")
    return sorted(folders, key=lambda folder: float(folder.parent.name), reverse=True)


def _find(name: str, folders: list[Path], package: str) -> Path:
    found = shutil.which(name) or shutil.which(name, path=":".join(map(str, folders)))
    if found is None:
        looked = "no such program on PATH" + "".join(f" or in {folder}" for folder in folders)
        fix = f"Install it (Debian: apt-get install {package})."
        raise MissingPartError(name, looked=looked, fix=fix)
    return Path(found)


def _require_user() -> None:
    try:
        pwd.getpwnam(USER)
    except KeyError as error:
        part, fix = f"The user {USER}", "Add it, or run the bench as somebody else."
        raise MissingPartError(part, looked="this is root", fix=fix) from error
    if shutil.which("setpriv") is None:
        part, fix = "setpriv", "Install it (Debian: apt-get install util-linux)."
        raise MissingPartError(part, looked="no such program on PATH", fix=fix)


def _as_user() -> tuple[str, ...]:
    """Become the server's user, if we are root; a change of user forgets who kills the orphans."""
    if os.getuid() != 0:
        return ()
    user = (f"--reuid={USER}", f"--regid={USER}", "--init-groups", "--pdeathsig=KILL")
    return ("setpriv", *user, "--")
