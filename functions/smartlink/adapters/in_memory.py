"""The twins of the adapters: same promises, proven by the same contract suite."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from itertools import count
from threading import Lock
from typing import TypeVar

from smartlink.adapters.in_memory_broker import InMemoryBroker, InMemoryTokens, Sent
from smartlink.adapters.in_memory_effects import InMemoryEffects
from smartlink.adapters.in_memory_faults import Faults
from smartlink.adapters.in_memory_store import InMemoryMessages
from smartlink.domain.tenant import TenantEntry
from smartlink.ports import (
    Beside,
    ConfigFile,
    ConfigSource,
    Contents,
    Envelope,
    ErpSecrets,
    NotFound,
    Publisher,
    TenantSecrets,
)

__all__ = [
    "Faults",
    "InMemoryBroker",
    "InMemoryConfig",
    "InMemoryContents",
    "InMemoryEffects",
    "InMemoryMessages",
    "InMemoryPublisher",
    "InMemorySecrets",
    "InMemoryTokens",
    "Sent",
    "at_once",
]

_Result = TypeVar("_Result")


def at_once(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """The twin of `beside`: the work is done when it answers."""
    result = work()
    return lambda: result


_beside: Beside = at_once


class InMemoryContents:
    """The bucket's twin. `expired` holds the custom time of each object that has one."""

    def __init__(self) -> None:
        """Start empty."""
        self.faults = Faults()
        self.objects: dict[str, bytes] = {}
        self.expired: dict[str, datetime] = {}
        self._lock = Lock()

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        """See Contents."""
        self.faults.before("put", tenant)
        name = f"{tenant}/{document}/{sha256}"
        with self._lock:
            self.objects.setdefault(name, data)
            self.expired.pop(name, None)
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
                self.expired[name] = now

    def delete(self, name: str) -> None:
        """See Contents."""
        self.faults.before("delete", name)
        with self._lock:
            self.objects.pop(name, None)
            self.expired.pop(name, None)


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
