"""The twins of Pub/Sub, Secret Manager, Storage and the configuration file."""

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
    """The twin of `beside`: does the work before it returns."""
    result = work()
    return lambda: result


_beside: Beside = at_once


_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What the bucket keeps of an object besides its bytes and its custom time."""

    generation: int = 0
    metageneration: int = 1
    touched: datetime = _LONG_AGO
    document: str | None = None


def _system_clock() -> datetime:
    return datetime.now(UTC)


class InMemoryContents:
    """The bucket's twin. `expired` holds the custom time of each object that has one.

    As Google does, it refuses to move a custom time back, and to change an object at another
    version than the caller names.
    """

    def __init__(self, clock: Clock = _system_clock) -> None:
        """The clock gives the time of each put."""
        self.faults = Faults()
        self.clock = clock
        self.objects: dict[str, bytes] = {}
        self.expired: dict[str, datetime] = {}
        self._kept: dict[str, _Kept] = {}
        self._generations = count(1)
        self._lock = Lock()

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        self.faults.before("put", tenant)
        name = f"{tenant}/{document}/{sha256}"
        with self._lock:
            kept = self._kept.get(name, _Kept())
            replaced = self.expired.pop(name, None) is not None
            if name not in self.objects or replaced:
                # If the name was taken, the new object counts as put more than once.
                kept = _Kept(next(self._generations), metageneration=1 + replaced)
            else:
                kept = replace(kept, metageneration=kept.metageneration + 1)
            self.objects.setdefault(name, data)
            self._kept[name] = replace(kept, touched=self.clock(), document=document)
        self.faults.after("put", tenant)
        return name

    def get(self, name: str) -> bytes:
        self.faults.before("get", name)
        with self._lock:
            if name not in self.objects:
                message = f"the content {name} is not in the bucket"
                raise NotFound(message)
            return self.objects[name]

    def expire(self, name: str, now: datetime) -> None:
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
        self.faults.before("delete", name)
        with self._lock:
            self._delete(name)

    def _delete(self, name: str) -> None:
        self.objects.pop(name, None)
        self.expired.pop(name, None)
        self._kept.pop(name, None)

    def withdraw(self, name: str) -> bool:
        self.faults.before("withdraw", name)
        with self._lock:
            if self._kept.get(name, _Kept()).metageneration != 1:
                return False
            self._delete(name)
        return True

    def lasting(self, after: str, touched: datetime, limit: int) -> tuple[list[StoredContent], str]:
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
        self.faults.before("expire_unchanged", content.name)
        with self._lock:
            name = content.name
            if name not in self.objects or self._stored(name).version != content.version:
                return False
            self._set_custom_time(name, now)
        return True


class InMemoryPublisher:
    """Pub/Sub's twin. `published` keeps all messages; `on_publish` may deliver each at once."""

    def __init__(self, on_publish: Callable[[str, Envelope], None] | None = None) -> None:
        self.faults = Faults()
        self.published: list[tuple[str, Envelope]] = []
        self._on_publish = on_publish
        self._lock = Lock()

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        self.faults.before("publish", topic)
        with self._lock:
            self.published += [(topic, envelope) for envelope in envelopes]
        if self._on_publish is not None:
            for envelope in envelopes:
                self._on_publish(topic, envelope)
        self.faults.after("publish", topic)

    def take(self) -> list[tuple[str, Envelope]]:
        """Returns what was published since the last call."""
        with self._lock:
            taken, self.published = self.published, []
        return taken


class InMemorySecrets:
    """Secret Manager's twin."""

    def __init__(
        self, tenants: Mapping[str, bytes] | None = None, erps: Mapping[str, bytes] | None = None
    ) -> None:
        """The payloads are by tenant."""
        self.faults = Faults()
        self.operations: Counter[str] = Counter()
        self._lock = Lock()
        self._tenants: dict[str, tuple[str, bytes]] = {}
        self._erps = dict(erps or {})
        self._titulares: dict[str, bytes] = {}
        self._own: dict[tuple[str, str], bytes] = {}
        self._etags = count(1)
        for name, payload in (tenants or {}).items():
            self.put(name, payload)

    def put(self, tenant: str, payload: bytes) -> None:
        """Adds a tenant, or a version to its secret, which does not change the secret's etag."""
        with self._lock:
            etag = self._tenants[tenant][0] if tenant in self._tenants else self._etag()
            self._tenants[tenant] = (etag, payload)

    def touch(self, tenant: str) -> None:
        """Changes the secret's etag, as a change of its labels or annotations does."""
        with self._lock:
            self._tenants[tenant] = (self._etag(), self._tenants[tenant][1])

    def _etag(self) -> str:
        return f"etag-{next(self._etags)}"

    def put_erp(self, tenant: str, payload: bytes) -> None:
        """Sets the secret of a tenant's ERP."""
        with self._lock:
            self._erps[tenant] = payload

    def put_titular(self, tenant: str, payload: bytes) -> None:
        """Set the secret of the keys of `Titular`."""
        with self._lock:
            self._titulares[tenant] = payload

    def put_own(self, tenant: str, name: str, payload: bytes) -> None:
        """Sets a secret of the consumers' own."""
        with self._lock:
            self._own[tenant, name] = payload

    def remove(self, tenant: str) -> None:
        """Deletes a tenant's secret."""
        with self._lock:
            self._tenants.pop(tenant, None)

    def entries(self) -> list[TenantEntry]:
        self.faults.before("entries", "")
        with self._lock:
            self.operations["list"] += 1
            return [TenantEntry(name, etag) for name, (etag, _) in sorted(self._tenants.items())]

    def payload(self, tenant: str) -> bytes:
        self.faults.before("payload", tenant)
        with self._lock:
            self.operations["access"] += 1
            if tenant not in self._tenants:
                message = f"there is no secret smartlink-tenant-{tenant}"
                raise NotFound(message)
            return self._tenants[tenant][1]

    def erp(self, tenant: str) -> bytes:
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

    def own(self, tenant: str, name: str) -> bytes:
        """See ErpSecrets."""
        self.faults.before("own", tenant)
        with self._lock:
            self.operations["access"] += 1
            if (tenant, name) not in self._own:
                message = f"there is no secret smartlink-{name}-{tenant}"
                raise NotFound(message)
            return self._own[tenant, name]


class InMemoryConfig:
    """The configuration bucket's twin. `put(None)` removes the file."""

    def __init__(self, data: bytes | None = None) -> None:
        self.faults = Faults()
        self._generations = count(1)
        self._file: ConfigFile | None = None
        self.put(data)

    def put(self, data: bytes | None) -> None:
        """Writes a new generation of the file."""
        self._file = None if data is None else ConfigFile(str(next(self._generations)), data)

    def read(self, known: str | None) -> ConfigFile | None:
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
