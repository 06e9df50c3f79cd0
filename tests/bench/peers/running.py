"""The peers on a stack: their servers and processes, and what stands in their databases."""

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.local.addresses import Addresses
from infra.local.errors import LocalStackError, MissingPartError
from infra.local.program import Program
from infra.local.supervisor import Supervisor
from tests.bench.ledger import Place
from tests.bench.peers.programs import (
    BIN,
    PEERS,
    Work,
    peer_programs,
    procrastinate_schema,
    require_packages,
)
from tests.bench.peers.servers import Servers, find_servers

_SCHEMA = Path(__file__).with_name("schema.sql")
_TABLES = "inbox, history, logs, outbox"
_REMOVE_OLD_JOBS = """
    DELETE FROM procrastinate_jobs
    WHERE status = 'succeeded' AND id <= (SELECT max(id) FROM procrastinate_jobs) - 2000;
"""


def lacking() -> str | None:
    """Say what this machine lacks for the peers."""
    try:
        find_servers()
        require_packages()
    except MissingPartError as error:
        return str(error)
    return None


@dataclass(frozen=True)
class Books:
    """One peer's tables, read by psql: nothing of the peer's own tells how it did."""

    servers: Servers
    port: int
    database: str

    def read(self, place: Place) -> dict[str, datetime]:
        """When each row was written."""
        sql = f"SELECT id, extract(epoch FROM at) FROM {place.collection};"  # noqa: S608 - our own name
        rows = (line.split("\t") for line in self._query(sql).splitlines())
        return place.ids({name: datetime.fromtimestamp(float(at), UTC) for name, at in rows})

    def count(self, place: Place) -> int:
        """How many rows there are."""
        return int(self._query(f"SELECT count(*) FROM {place.collection};"))  # noqa: S608

    def rows(self, table: str, where: str = "true") -> list[tuple[str, str, float]]:
        """Every tenant's rows of a table: the tenant, the id, and when it was written."""
        column = {"logs": "message_id"}.get(table, "id")
        at = "received_at" if table == "inbox" else "at"
        sql = f"SELECT tenant, {column}, extract(epoch FROM {at}) FROM {table} WHERE {where};"  # noqa: S608 - our own names
        lines = (line.split("\t") for line in self._query(sql).splitlines())
        return [(tenant, name, float(when)) for tenant, name, when in lines]

    def dead(self) -> dict[str, int]:
        """The attempts of each message that was given up."""
        sql = "SELECT id, attempts FROM inbox WHERE status = 'dead' AND due_at IS NULL;"
        rows = (line.split("\t") for line in self._query(sql).splitlines())
        return {name: int(attempts) for name, attempts in rows}

    def clear(self) -> None:
        """Empty them; what earlier runs left for later, PostgreSQL does now.

        The queue keeps its newest finished jobs: PostgreSQL plans badly for a table that it has
        seen empty, and, after some ten thousand, for one that only grows.
        """
        self._query(f"TRUNCATE {_TABLES};")
        if self.database == "procrastinate":
            self._query(_REMOVE_OLD_JOBS)
            self._query("VACUUM ANALYZE procrastinate_jobs, procrastinate_events;")
        self._query("CHECKPOINT;")

    def _query(self, sql: str) -> str:
        return self.servers.query(self.port, self.database, sql)


@dataclass(frozen=True)
class Peers:
    """Where the peers' servers are."""

    servers: Servers
    cluster: Path
    folder: Path
    ports: Mapping[str, int]

    def programs(self) -> list[Program]:
        """List the servers."""
        return [
            self.servers.postgres_program(self.cluster, self.ports["postgres"]),
            self.servers.redis_program(self.folder, self.ports["redis"]),
        ]

    def start(self, supervisor: Supervisor, addresses: Addresses, retry_minutes: float = 3) -> None:
        """Make the tables, then start every peer, with a tenant of its name; the servers are up."""
        programs = []
        for peer in PEERS:
            work = Work((peer,), retry_minutes=retry_minutes)
            programs += self.prepared(peer, addresses, work)
        supervisor.wait_ready(supervisor.start(*programs))

    def prepared(self, peer: str, addresses: Addresses, work: Work) -> list[Program]:
        """Make a peer's database; answer its programs."""
        self.servers.query(self.ports["postgres"], "postgres", f"DROP DATABASE IF EXISTS {peer};")
        self.servers.query(self.ports["postgres"], "postgres", f"CREATE DATABASE {peer};")
        self.servers.query(self.ports["postgres"], peer, _SCHEMA.read_text(encoding="utf-8"))
        programs = peer_programs(peer, addresses, self.ports, self.folder, work)
        if peer == "procrastinate":
            _apply_procrastinate(programs)
        return programs

    def books(self, peer: str) -> Books:
        """Look at one peer's tables."""
        return Books(self.servers, self.ports["postgres"], peer)

    def clear(self) -> None:
        """Empty every peer's tables."""
        for peer in PEERS:
            self.books(peer).clear()


def _apply_procrastinate(programs: list[Program]) -> None:
    """Have Procrastinate make its own tables."""
    command, environment = procrastinate_schema(programs)
    made = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if made.returncode:
        message = f"{BIN}/procrastinate schema --apply failed: {made.stderr.strip()}"
        raise LocalStackError(message)
