"""A deployment on the in-memory adapters, as far as the operations under test reach into it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from smartlink.adapters.in_memory import (
    InMemoryContents,
    InMemoryJobs,
    InMemoryMessages,
    InMemoryPublisher,
    InMemorySecrets,
)
from smartlink.domain.message import (
    EndedSummary,
    Listed,
    LogLine,
    LogType,
    Message,
    Summary,
    Unreadable,
)
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import Tenant, TenantEntry
from smartlink.operations.ports import (
    AuditLog,
    AuditRecord,
    Deployment,
    EndedQuery,
    Identity,
    Purgeable,
    RawDocument,
)
from smartlink.ports import Contents, NotFound, PortError, Unavailable
from smartlink.settings import Settings, load_settings
from tests.support.samples import NOW
from tests.support.world import catalog


class Store(InMemoryMessages):
    """What operators ask more, of one tenant's few messages."""

    def __init__(self) -> None:
        super().__init__()
        self.old: dict[Purgeable, int] = dict.fromkeys(Purgeable, 0)
        self.lines: list[tuple[str, LogLine]] = []

    def scan(
        self, tenant: str, equal: Mapping[str, str], *, after: str = ""
    ) -> Iterator[Listed | Unreadable]:
        self.faults.before("scan", tenant)
        odd = self.unreadable(tenant, list(self.live(tenant)))
        for document, stored in sorted(self.live(tenant).items()):
            if document <= after:
                continue
            message = stored.message
            own = {
                "Comando": message.type,
                "Situacao": message.state,
                "Direcao": message.direction,
                "SolicitacaoId": message.request_id,
                "NaFila": message.queued or None,
            }
            if all(own.get(name) == value for name, value in equal.items()):
                yield odd.get(document) or Listed(message, stored.version)

    def about(
        self, tenant: str, titulares: Sequence[str]
    ) -> tuple[list[Listed], list[EndedSummary], Sequence[RawDocument]]:
        def fits(message: Summary) -> bool:
            return not set(titulares).isdisjoint(message.titular)

        live = [Listed(it.message, it.version) for it in self.live(tenant).values()]
        ended = self.ended(tenant).values()
        return (
            [it for it in live if fits(it.message)],
            [
                EndedSummary(it.message, it.ending, it.ended, it.expires)
                for it in ended
                if fits(it.message)
            ],
            [],
        )

    def lines_of(self, tenant: str, message_id: str) -> list[LogLine]:
        return [it for it in self.logs(tenant) if it.message_id == message_id]

    def count_live(self, tenant: str, equal: Mapping[str, str]) -> int:
        return len(list(self.scan(tenant, equal)))

    def scan_ended(
        self, tenant: str, wanted: EndedQuery, *, page: int = 1
    ) -> Iterator[EndedSummary]:
        assert (wanted, page > 0) == (EndedQuery(since=wanted.since), True)
        yield from (
            EndedSummary(it.message, it.ending, it.ended, it.expires)
            for it in sorted(self.ended(tenant).values(), key=lambda it: it.ended, reverse=True)
            if wanted.since is None or it.ended >= wanted.since
        )

    def has_documents(self, tenant: str) -> bool:
        return bool(self.live(tenant) or self.lines)

    def has_command(self, tenant: str, command: str) -> bool:
        return any(it.message.type == command for it in self.live(tenant).values())

    def newest_lines(
        self,
        tenant: str,
        since: datetime | None = None,
        least: LogType = LogType.INFORMATION,
        *,
        page: int = 1,
    ) -> Iterator[tuple[str, LogLine]]:
        assert page > 0
        ordered = sorted(self.lines, key=lambda it: it[1].at, reverse=True)
        yield from (
            it
            for it in ordered
            if tenant == "acme" and it[1].type >= least and (since is None or it[1].at >= since)
        )

    def lines_from(
        self, tenant: str, since: datetime, *, page: int = 1
    ) -> Iterator[tuple[str, LogLine]]:
        assert (tenant, page > 0) == ("acme", True)
        yield from sorted((it for it in self.lines if it[1].at >= since), key=lambda it: it[1].at)

    def count_before(self, tenant: str, what: Purgeable, cutoff: datetime) -> int:
        assert (tenant, cutoff < NOW) == ("acme", True)
        return self.old[what]

    def remove_before(self, tenant: str, what: Purgeable, cutoff: datetime, most: int) -> int:
        assert (tenant, cutoff < NOW) == ("acme", True)
        removed = min(most, self.old[what])
        self.old[what] -= removed
        return removed


class InMemoryAudit:
    """`Auditoria`; `failing` says of the next records which cannot be created."""

    def __init__(self) -> None:
        self.kept: list[AuditRecord] = []
        self.failing: list[bool] = []

    def create(self, record: AuditRecord) -> None:
        if self.failing and self.failing.pop(0):
            text = "the audit is down"
            raise Unavailable(text)
        if record.id not in {it.id for it in self.kept}:
            self.kept.append(record)

    def records(
        self, since: datetime | None, *, page: int = 1, tenants: Sequence[str] | None = None
    ) -> Iterator[AuditRecord]:
        assert page > 0
        newest = [
            it
            for it in reversed(self.kept)
            if tenants is None or not set(tenants).isdisjoint(it.tenants)
        ]
        yield from (it for it in newest if since is None or it.at >= since)


class Secrets(InMemorySecrets):
    """Secrets that can be made and changed."""

    def entry(self, tenant: str) -> TenantEntry | None:
        return next((it for it in self.entries() if it.name == tenant), None)

    def create(self, tenant: str, payload: bytes, region: str | None) -> None:
        assert region is None
        self.put(tenant, payload)

    def exists(self, tenant: str) -> bool:
        try:
            self.payload(tenant)
        except NotFound:
            return False
        return True

    def enabled_versions(self, tenant: str) -> list[str]:
        assert self.exists(tenant)
        return ["1"]

    def add(self, tenant: str, payload: bytes) -> str:
        self.faults.before("add", tenant)
        self.put(tenant, payload)
        self.faults.after("add", tenant)
        return "2"

    def touch(self, tenant: str, now: datetime | None = None) -> None:
        self.faults.before("touch", tenant if now else "")
        super().touch(tenant)

    def disable(self, tenant: str, version: str) -> None:
        self.faults.before("disable", f"{tenant} {version}")


class Tokens:
    """RAC, which names no tenant id."""

    def token(self, tenant: Tenant) -> str:
        return f"opaque-{tenant.name}"


@dataclass
class Ground:
    """What the deployment stands on: a cloud whose functions have these variables."""

    deployed: Mapping[str, str] | None = None
    fails: PortError | None = None

    def sign_in(self) -> None:
        if self.fails:
            raise self.fails

    def variables(self) -> Mapping[str, str] | None:
        return self.deployed


@dataclass
class Desk:
    """A tenant `acme`, and where an operator sits."""

    title: str = "project (development, local stack)"
    local: bool = True
    store: Store = field(default_factory=Store)
    secrets: Secrets = field(default_factory=Secrets)
    contents: Contents = field(default_factory=InMemoryContents)
    tokens: Tokens = field(default_factory=Tokens)
    broker: object = None
    operator: Identity = field(default_factory=lambda: Identity("ana", verified=True))
    audit: AuditLog = field(default_factory=InMemoryAudit)
    publisher: InMemoryPublisher = field(default_factory=InMemoryPublisher)
    jobs: InMemoryJobs = field(init=False)
    platform: Ground = field(default_factory=Ground)
    policy: RetryPolicy = field(default_factory=RetryPolicy)
    settings: Settings = field(
        default_factory=lambda: load_settings(
            {
                "GOOGLE_CLOUD_PROJECT": "project",
                "SMARTLINK_ENVIRONMENT": "development",
                "SMARTLINK_CONFIG_URI": "gs://bucket/totvsAppConfig_v2.json",
                "SMARTLINK_CATALOG": catalog(),
            }
        )
    )

    time: datetime = NOW + timedelta(days=1)

    def __post_init__(self) -> None:
        self.jobs = InMemoryJobs(self.store)

    def now(self) -> datetime:
        return self.time

    def keep(self, *messages: Message, tenant: str = "acme") -> None:
        self.store.create(tenant, messages)
        self.store.save_state(tenant, self.store.states([tenant])[tenant])

    @property
    def deployment(self) -> Deployment:
        """What an operation that is under test does not reach is not there."""
        return cast("Deployment", self)


class Told:
    """Stops as soon as that many waits have been."""

    def __init__(self, after: int) -> None:
        self._left = after
        self.waits: Sequence[float] = ()

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0

    def wait(self, timeout: float) -> bool:
        self.waits = (*self.waits, timeout)
        return self.is_set()
