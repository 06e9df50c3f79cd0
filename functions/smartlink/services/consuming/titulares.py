"""The tenants' keys of `Titular`, kept by the process: each message of TPD asks for them."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.consumer import RetryableError
from smartlink.domain.titular import TitularKeyError, TitularKeys, parse_titular_keys
from smartlink.ports import Clock, ErpSecrets, NotFound, PortError

_KEPT = timedelta(hours=1)
_MISSING_KEPT = timedelta(minutes=5)  # one that an operator has just made is soon in use


@dataclass(slots=True)
class Titulares:
    """Reads a tenant's secret `smartlink-titular-<tenant>`, now and then."""

    secrets: ErpSecrets
    clock: Clock
    _known: dict[str, tuple[datetime, TitularKeys]] = field(default_factory=dict, repr=False)

    def keys(self, tenant: str) -> TitularKeys:
        """Returns the tenant's keys, none if it has no such secret. Raises RetryableError."""
        now = self.clock()
        until, keys = self._known.get(tenant, (now, TitularKeys()))
        if now < until:
            return keys
        keys = self._read(tenant)
        self._known[tenant] = (now + (_KEPT if keys else _MISSING_KEPT), keys)
        return keys

    def _read(self, tenant: str) -> TitularKeys:
        try:
            return parse_titular_keys(self.secrets.titular(tenant))
        except NotFound:
            return TitularKeys()
        except TitularKeyError as error:
            text = f"The secret smartlink-titular-{tenant} cannot be used: {error}"
            raise RetryableError(text) from None
        except PortError as error:
            text = f"The secret smartlink-titular-{tenant} cannot be read: {error}"
            raise RetryableError(text) from None
