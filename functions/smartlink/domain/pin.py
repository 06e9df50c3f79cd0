"""The pin: whose a tenant's name is. A name can be given to another customer; its documents not.

What RAC's token names is compared, and where it names nobody, who asked for it: the clientId.
"""

import re
from dataclasses import dataclass, replace
from datetime import datetime

from smartlink.domain.identity import digest

_GUID = re.compile(r"[0-9a-f]{32}")
_AROUND = re.compile(r"^urn:uuid:|^uuid:|[-{}()\s]")
_CLIENTS = 10  # kept; a rotation by hand leaves the one before


def _normal(tenant_id: str) -> str:
    """Brings a tenant id to one form. GUIDs are written in any case, with dashes, braces, as a
    URN."""
    folded = tenant_id.strip().casefold()
    bare = _AROUND.sub("", folded)
    return bare if _GUID.fullmatch(bare) else folded


def same_tenant_id(one: str, other: str) -> bool:
    """Tells whether both ids name one tenant."""
    return _normal(one) == _normal(other)


@dataclass(frozen=True, slots=True)
class Pin:
    """Who uses a name: the tenant id, where one was ever named, and the clients. One with neither
    is that of a document which cannot be read: it admits nobody."""

    tenant_id: str | None
    clients: tuple[str, ...]
    """Fingerprints of the clientIds: they are half of a credential. The last used is the last."""
    since: datetime | None = None
    """When the name passed on to it. What is older under the name was its predecessor's."""

    def admits(self, named: str | None, client: str) -> bool:
        """Whether credentials of this client, of this tenant id if one is named, are the pinned
        customer's. Two ids decide by themselves: a new client of the same id is a rotation."""
        if named and self.tenant_id:
            return same_tenant_id(named, self.tenant_id)
        return fingerprint(client) in self.clients

    def used(self, named: str | None, client: str) -> "Pin":
        """Returns the pin after these credentials were admitted; the same object if it knew
        them."""
        own = fingerprint(client)
        if own in self.clients and (self.tenant_id or not named):
            return self
        clients = (*(it for it in self.clients if it != own), own)
        return Pin(self.tenant_id or named or None, clients[-_CLIENTS:], self.since)

    def only(self, client: str) -> "Pin":
        """Returns the pin with this client alone, once all others were rotated away."""
        return replace(self, clients=(fingerprint(client),))

    def __str__(self) -> str:
        """Names the customer for people."""
        if self.tenant_id:
            return f"tenant id {self.tenant_id[:80]}"
        if not self.clients:
            return "whom its document names in a way that cannot be read"
        return "the client that RAC names no tenant id of"


def first_use(named: str | None, client: str, since: datetime | None = None) -> Pin:
    """Makes the pin of a name that nobody has. Another customer had it until `since`."""
    return Pin(named or None, (fingerprint(client),), since)


def fingerprint(client: str) -> str:
    """Returns what is kept of a clientId."""
    return digest("clientId", client)
