"""The twin of FirestoreEffects."""

from datetime import datetime
from itertools import count
from threading import Lock

from smartlink.adapters.in_memory.faults import Faults
from smartlink.domain.effect import Effect
from smartlink.domain.message import Version
from smartlink.ports import Effects, UnreadableDocument


class InMemoryEffects:
    """See Effects."""

    def __init__(self) -> None:
        self.faults = Faults()
        self._lock = Lock()
        self._versions = count(1)
        self._effects: dict[tuple[str, str], tuple[Effect, Version]] = {}
        self._unreadable: set[tuple[str, str]] = set()

    def write(self, tenant: str, effect: Effect, version: Version | None) -> Version | None:
        self.faults.before("write", tenant)
        key = (tenant, effect.document)
        with self._lock:
            found = self._effects.get(key)
            written = None
            if (found[1] if found else None) == version:
                written = Version(str(next(self._versions)))
                self._effects[key] = (effect, written)
        self.faults.after("write", tenant)
        return written

    def read(self, tenant: str, document: str) -> tuple[Effect, Version] | None:
        self.faults.before("read", tenant)
        with self._lock:
            if (tenant, document) in self._unreadable:
                message = f"the effect {document} of {tenant} cannot be read"
                raise UnreadableDocument(message)
            return self._effects.get((tenant, document))

    def delete(self, tenant: str, document: str, version: Version) -> None:
        self.faults.before("delete", tenant)
        with self._lock:
            found = self._effects.get((tenant, document))
            if found and found[1] == version:
                del self._effects[tenant, document]
        self.faults.after("delete", tenant)

    # What another version, a person or the TTL does.

    def make_unreadable(self, tenant: str, document: str) -> None:
        """Makes the effect unreadable, as if another version or a person had written it."""
        with self._lock:
            effect, _ = self._effects[tenant, document]
            self._effects[tenant, document] = (effect, Version(str(next(self._versions))))
            self._unreadable.add((tenant, document))

    def expire(self, now: datetime) -> None:
        """Deletes what has expired."""
        with self._lock:
            for key, (effect, _) in list(self._effects.items()):
                if effect.expires <= now:
                    del self._effects[key]

    # What tests look at.

    def all(self, tenant: str) -> list[Effect]:
        """Returns every effect of a tenant, in the order in which they began."""
        with self._lock:
            return [it for (owner, _), (it, _) in self._effects.items() if owner == tenant]


_effects: type[Effects] = InMemoryEffects
