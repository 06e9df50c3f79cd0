"""The pin tells to which customer a tenant's name belongs.

A name can pass to another customer, but its documents cannot. The pin compares the tenant id that
RAC's token names. If the token names none, it compares the clientId.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from smartlink.domain.identity import digest, guid

_CLIENTS = 10  # clients that a pin keeps: a rotation by hand leaves the old one


def _normal(tenant_id: str) -> str:
    """Brings a tenant id to one form: a GUID may be written in several."""
    return guid(tenant_id) or tenant_id.strip().casefold()


def same_tenant_id(one: str, other: str) -> bool:
    """Tells whether both ids name one tenant."""
    return _normal(one) == _normal(other)


@dataclass(frozen=True, slots=True)
class Pin:
    """The customer of a name: its tenant id, if a token or secret has named one, and its clients.

    A pin with neither stands for one that cannot be read: it admits nobody.
    """

    tenant_id: str | None
    clients: tuple[str, ...]
    """Fingerprints of the clientIds, which are half of a credential. The last one was used last."""
    since: datetime | None = None
    """When the name passed to this customer. Older messages were of the customer before."""

    def admits(self, named: str | None, client: str) -> bool:
        """Tells whether credentials belong to the pinned customer.

        If the credentials and the pin both name a tenant id, the ids decide: a new client with the
        same id is a rotation. Otherwise the client decides.
        """
        if named and self.tenant_id:
            return same_tenant_id(named, self.tenant_id)
        return fingerprint(client) in self.clients

    def used(self, named: str | None, client: str) -> "Pin":
        """Returns the pin after these credentials were admitted; the same object if nothing
        changed."""
        own = fingerprint(client)
        if own in self.clients and (self.tenant_id or not named):
            return self
        clients = (*(it for it in self.clients if it != own), own)
        return Pin(self.tenant_id or named or None, clients[-_CLIENTS:], self.since)

    def only(self, client: str) -> "Pin":
        """Returns the pin with only this client, after all other clients were rotated out."""
        return replace(self, clients=(fingerprint(client),))

    def __str__(self) -> str:
        """Names the customer for people."""
        if self.tenant_id:
            return f"tenant id {self.tenant_id[:80]}"
        if not self.clients:
            return "whom its document names in a way that cannot be read"
        return "the client that RAC names no tenant id of"


def first_use(named: str | None, client: str, since: datetime | None = None) -> Pin:
    """Makes the pin of a name that has no customer. Another customer had the name until `since`."""
    return Pin(named or None, (fingerprint(client),), since)


def fingerprint(client: str) -> str:
    """Returns the digest of a clientId that a pin keeps."""
    return digest("clientId", client)
