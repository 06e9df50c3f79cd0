"""The twins of Pub/Sub, Secret Manager, Storage and of the configuration file."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from threading import Lock
from typing import TypeVar

from smartlink.adapters.in_memory.faults import Faults
from smartlink.domain.tenant import TenantEntry
from smartlink.ports import (
    Beside,
    Clock,
    ConfigFile,
    ConfigSource,
    Contents,
    Envelope,
    ErpSecrets,
    NotFound,
    Publisher,
    Refused,
    StoredContent,
    TenantSecrets,
)

_Result = TypeVar("_Result")


def at_once(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """The twin of `beside`: the work is done when it answers."""
    result = work()
    return lambda: result


_beside: Beside = at_once


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the bucket knows of an object besides its bytes and its custom time."""

    generation: int = 0
    metageneration: int = 1
    touched: datetime = _LONG_AGO
    document: str | None = None


def _system_clock() -> datetime:
    return datetime.now(UTC)


class InMemoryContents:
    """The bucket's twin. `expired` holds the custom time of each object that has one.

    It refuses what Google refuses: a custom time that is moved back, and a change to an object
    that is not at the version that was named.
    """

    def __init__(self, clock: Clock = _system_clock) -> None:
        """Start empty; the clock stamps each put."""
        self.faults = Faults()
        self.clock = clock
        self.objects: dict[str, bytes] = {}
        self.expired: dict[str, datetime] = {}
        self._kept: dict[str, _Kept] = {}
        self._generations = count(1)
        self._lock = Lock()

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        """See Contents."""
        self.faults.before("put", tenant)
        name = f"{tenant}/{document}/{sha256}"
        with self._lock:
            kept = self._kept.get(name, _Kept())
            replaced = self.expired.pop(name, None) is not None
            if name not in self.objects or replaced:
                # A name that was taken: as after a put of another's.
                kept = _Kept(next(self._generations), metageneration=1 + replaced)
            else:
                kept = replace(kept, metageneration=kept.metageneration + 1)
            self.objects.setdefault(name, data)
            self._kept[name] = replace(kept, touched=self.clock(), document=document)
        self.faults.after("put", tenant)
        return name

    def get(self, name: str) -> bytes:
        """See Contents."""
        self.faults.before("get", name)
        with self._lock:
            if name not in self.objects:
                message = f"the content {name} is not in the bucket"
                raise NotFound(message)
            return self.objects[name]

    def expire(self, name: str, now: datetime) -> None:
        """See Contents."""
        self.faults.before("expire", name)
        with self._lock:
            if name in self.objects:
                self._set_custom_time(name, now)

    def _set_custom_time(self, name: str, instant: datetime) -> None:
        if instant < self.expired.get(name, instant):
            message = f"expire {name}: a custom time cannot be moved back"
            raise Refused(message)
        kept = self._kept.get(name, _Kept())
        self._kept[name] = replace(kept, metageneration=kept.metageneration + 1)
        self.expired[name] = instant

    def delete(self, name: str) -> None:
        """See Contents."""
        self.faults.before("delete", name)
        with self._lock:
            self._delete(name)

    def _delete(self, name: str) -> None:
        self.objects.pop(name, None)
        self.expired.pop(name, None)
        self._kept.pop(name, None)

    def withdraw(self, name: str) -> bool:
        """See Contents."""
        self.faults.before("withdraw", name)
        with self._lock:
            if self._kept.get(name, _Kept()).metageneration != 1:
                return False
            self._delete(name)
        return True

    def lasting(self, after: str, touched: datetime, limit: int) -> tuple[list[StoredContent], str]:
        """See Contents."""
        self.faults.before("lasting", after)
        with self._lock:
            names = sorted(name for name in self.objects if name > after)
            page = [self._stored(name) for name in names[:limit] if name not in self.expired]
        following = names[limit - 1] if len(names) > limit else ""
        return [content for content in page if content.touched < touched], following

    def _stored(self, name: str) -> StoredContent:
        kept = self._kept.get(name, _Kept())
        version = f"{kept.generation}/{kept.metageneration}"
        return StoredContent(name, kept.document, kept.touched, version)

    def expire_unchanged(self, content: StoredContent, now: datetime) -> bool:
        """See Contents."""
        self.faults.before("expire_unchanged", content.name)
        with self._lock:
            name = content.name
            if name not in self.objects or self._stored(name).version != content.version:
                return False
            self._set_custom_time(name, now)
        return True


class InMemoryPublisher:
    """Pub/Sub's twin: `published` keeps all; `on_publish` may deliver at once."""

    def __init__(self, on_publish: Callable[[str, Envelope], None] | None = None) -> None:
        """Start with nothing published."""
        self.faults = Faults()
        self.published: list[tuple[str, Envelope]] = []
        self._on_publish = on_publish
        self._lock = Lock()

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        """See Publisher."""
        self.faults.before("publish", topic)
        with self._lock:
            self.published += [(topic, envelope) for envelope in envelopes]
        if self._on_publish is not None:
            for envelope in envelopes:
                self._on_publish(topic, envelope)
        self.faults.after("publish", topic)

    def take(self) -> list[tuple[str, Envelope]]:
        """Answer what was published since the last call."""
        with self._lock:
            taken, self.published = self.published, []
        return taken


class InMemorySecrets:
    """Secret Manager's twin."""

    def __init__(
        self, tenants: Mapping[str, bytes] | None = None, erps: Mapping[str, bytes] | None = None
    ) -> None:
        """Start with these payloads, by tenant."""
        self.faults = Faults()
        self.operations: Counter[str] = Counter()
        self._lock = Lock()
        self._tenants: dict[str, tuple[str, bytes]] = {}
        self._erps = dict(erps or {})
        self._titulares: dict[str, bytes] = {}
        self._etags = count(1)
        for name, payload in (tenants or {}).items():
            self.put(name, payload)

    def put(self, tenant: str, payload: bytes) -> None:
        """Add a tenant, or a version to its secret: that leaves the secret's etag as it was."""
        with self._lock:
            etag = self._tenants[tenant][0] if tenant in self._tenants else self._etag()
            self._tenants[tenant] = (etag, payload)

    def touch(self, tenant: str) -> None:
        """Change the secret itself, its labels or annotations, and so its etag."""
        with self._lock:
            self._tenants[tenant] = (self._etag(), self._tenants[tenant][1])

    def _etag(self) -> str:
        return f"etag-{next(self._etags)}"

    def put_erp(self, tenant: str, payload: bytes) -> None:
        """Set the secret of a tenant's ERP."""
        with self._lock:
            self._erps[tenant] = payload

    def put_titular(self, tenant: str, payload: bytes) -> None:
        """Set the secret of the keys of `Titular`."""
        with self._lock:
            self._titulares[tenant] = payload

    def remove(self, tenant: str) -> None:
        """Delete a tenant's secret."""
        with self._lock:
            self._tenants.pop(tenant, None)

    def entries(self) -> list[TenantEntry]:
        """See TenantSecrets."""
        self.faults.before("entries", "")
        with self._lock:
            self.operations["list"] += 1
            return [TenantEntry(name, etag) for name, (etag, _) in sorted(self._tenants.items())]

    def payload(self, tenant: str) -> bytes:
        """See TenantSecrets."""
        self.faults.before("payload", tenant)
        with self._lock:
            self.operations["access"] += 1
            if tenant not in self._tenants:
                message = f"there is no secret smartlink-tenant-{tenant}"
                raise NotFound(message)
            return self._tenants[tenant][1]

    def erp(self, tenant: str) -> bytes:
        """See ErpSecrets."""
        self.faults.before("erp", tenant)
        with self._lock:
            if tenant not in self._erps:
                message = f"there is no secret smartlink-erp-{tenant}"
                raise NotFound(message)
            return self._erps[tenant]

    def titular(self, tenant: str) -> bytes:
        """See ErpSecrets."""
        self.faults.before("titular", tenant)
        with self._lock:
            self.operations["access"] += 1
            if tenant not in self._titulares:
                message = f"there is no secret smartlink-titular-{tenant}"
                raise NotFound(message)
            return self._titulares[tenant]


class InMemoryConfig:
    """The configuration bucket's twin; `put(None)` takes the file away."""

    def __init__(self, data: bytes | None = None) -> None:
        """Start with the first generation, if there is one."""
        self.faults = Faults()
        self._generations = count(1)
        self._file: ConfigFile | None = None
        self.put(data)

    def put(self, data: bytes | None) -> None:
        """Write a new generation of the file."""
        self._file = None if data is None else ConfigFile(str(next(self._generations)), data)

    def read(self, known: str | None) -> ConfigFile | None:
        """See ConfigSource."""
        self.faults.before("read", "")
        if self._file is None:
            message = "totvsAppConfig_v2.json is missing"
            raise NotFound(message)
        return None if self._file.generation == known else self._file


_contents: type[Contents] = InMemoryContents
_publisher: type[Publisher] = InMemoryPublisher
_tenant_secrets: type[TenantSecrets] = InMemorySecrets
_erp_secrets: type[ErpSecrets] = InMemorySecrets
_config_source: type[ConfigSource] = InMemoryConfig
