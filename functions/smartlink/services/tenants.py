"""The tenants, from their secrets: listed every 5 minutes, and read when they change."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from smartlink.domain.tenant import (
    Environment,
    Tenant,
    TenantEntry,
    TenantError,
    parse_credentials,
)
from smartlink.observability import WARNING, event
from smartlink.ports import Beside, Clock, NotFound, PortError, TenantSecrets, Unavailable

_THIS_MINUTE = timedelta(seconds=50)
_Result = TypeVar("_Result")


def _here(work: Callable[[], _Result]) -> Callable[[], _Result]:
    """Does the work at once: the `Beside` of a caller without threads."""
    result = work()
    return lambda: result


@dataclass(frozen=True, slots=True)
class _Read:
    etag: str
    at: datetime
    tenant: Tenant | TenantError


class Tenants:
    """Lists the tenants and keeps their credentials in this process.

    The list of secrets does not show that a secret has a new version. So the operators' commands
    also change an annotation of the secret, which changes its etag. If a person adds a version
    without that, it is read when RAC refuses the old one, or after `payload_refresh`.
    """

    def __init__(
        self,
        secrets: TenantSecrets,
        environment: Environment,
        clock: Clock,
        refresh: timedelta,
        payload_refresh: timedelta,
        beside: Beside = _here,
    ) -> None:
        self._secrets = secrets
        self._environment = environment
        self._clock = clock
        self._refresh = refresh
        self._payload_refresh = payload_refresh
        self._beside = beside
        self._asked: tuple[datetime, Callable[[], list[TenantEntry]]] | None = None
        self._entries: list[TenantEntry] = []
        self._listed: datetime | None = None
        self._failed: datetime | None = None  # the last list, when
        self._changes = ""  # the mark for which they were listed last
        self._read: dict[str, _Read] = {}
        self._lock = threading.Lock()

    def entries(self, changes: str = "", *, fresh: bool = False) -> list[TenantEntry]:
        """Every tenant, by name. A list that fails is replaced by the last one, and logged.

        They are listed again for a mark of changes that is not known yet.
        """
        with self._lock:
            now = self._clock()
            changed = bool(changes) and changes != self._changes
            recent = self._listed and now - self._listed < self._refresh
            if recent and not fresh and not changed:
                return self._entries
            entries = self._list()
            if changed and self._failed is None:
                self._changes = changes
            return entries

    def _list(self) -> list[TenantEntry]:
        now = self._clock()
        try:
            entries = sorted(self._secrets.entries(), key=lambda entry: entry.name)
        except PortError as error:
            self._failed = now
            if self._listed is None:
                raise
            event("tenants_not_listed", f"The last list of tenants stays: {error}", WARNING)
        else:
            self._failed = None
            self._entries = entries
            names = {entry.name for entry in entries}
            self._read = {name: read for name, read in self._read.copy().items() if name in names}
        self._listed = now
        return self._entries

    def current(self, entry: TenantEntry) -> TenantEntry | None:
        """Returns the tenant as this minute's list shows it; None if it is gone.

        The caller asks before it touches the tenant's waiting messages: since the last list the
        secret may have been deleted, or the name may have passed to another customer. All callers
        of a minute share one list. If the list fails, the entry holds, and no new list is tried
        until `refresh` is over.
        """
        now = self._clock()
        if self._failed and now - self._failed < self._refresh:
            return entry
        if self._listed is None or now - self._listed >= _THIS_MINUTE:
            asked = self._asked
            if asked is None or now - asked[0] >= _THIS_MINUTE:
                asked = self._asked = now, self._beside(self._list)
            try:
                asked[1]()
            except PortError as error:
                event("tenants_not_listed", f"They are taken to be as they were: {error}", WARNING)
        if self._failed:
            return entry
        return next((it for it in self._entries if it.name == entry.name), None)

    def tenant(self, entry: TenantEntry) -> Tenant:
        """Returns the tenant; reads its secret again if it changed. Raises TenantError or
        Unavailable."""
        now = self._clock()
        read = self._read.get(entry.name)
        stale = read is None or read.etag != entry.etag or now - read.at >= self._payload_refresh
        if stale:
            read = self._read_again(entry, read, now)
        assert read is not None  # noqa: S101  (for the type checker)
        if isinstance(read.tenant, TenantError):
            raise TenantError(*read.tenant.args)
        return read.tenant

    def forget(self, name: str) -> None:
        """Forgets the tenant's credentials, so that the next call reads its secret again."""
        self._read.pop(name, None)

    def _read_again(self, entry: TenantEntry, read: _Read | None, now: datetime) -> _Read:
        result: Tenant | TenantError
        try:
            payload = self._secrets.payload(entry.name)
            result = parse_credentials(entry.name, payload, self._environment)
        except TenantError as error:
            result = error
        except NotFound:
            result = TenantError(
                f"secret smartlink-tenant-{entry.name} has no usable version: activate the tenant"
            )
        except Unavailable as error:
            if read is None:
                raise
            event("tenant_not_read", f"Its last credentials stay: {error}", WARNING)
            result = read.tenant
        read = self._read[entry.name] = _Read(entry.etag, now, result)
        return read
