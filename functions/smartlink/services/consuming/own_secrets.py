"""The secrets that a command declares in the catalogue, kept by the process for a while."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from smartlink.consumer import FatalError, RetryableError
from smartlink.domain.json_bytes import unmarked
from smartlink.observability import WARNING, event
from smartlink.ports import Clock, ErpSecrets, PortError, Unavailable


@dataclass(slots=True)
class OwnSecrets:
    """What `Context.secret` calls."""

    command: str
    declared: Collection[str]
    secrets: ErpSecrets
    clock: Clock
    refresh: timedelta
    _known: dict[tuple[str, str], tuple[datetime, bytes]] = field(default_factory=dict, repr=False)

    def __call__(self, tenant: str, name: str, fresh: bool) -> bytes:  # noqa: FBT001  (as the context has it)
        """See Context.secret. While Secret Manager is away, the last payload stays."""
        if name not in self.declared:
            has = ", ".join(sorted(self.declared)) or "none"
            text = (
                f"secret: the catalogue's entry of {self.command} does not declare {name!r} (it "
                f'declares {has}): add "secrets": ["{name}"] to it, and deploy'
            )
            raise FatalError(text)
        now = self.clock()
        known = self._known.get((tenant, name))
        if known is not None and not fresh and now < known[0] + self.refresh:
            return known[1]
        whole = f"smartlink-{name}-{tenant}"
        try:
            payload = unmarked(self.secrets.own(tenant, name))
        except Unavailable as error:
            if known is None:
                text = f"The secret {whole} cannot be read: {error}"
                raise RetryableError(text) from None
            event("secret_not_read", f"Its last payload stays: {error}", WARNING, secret=whole)
            payload = known[1]
        except PortError as error:
            self._known.pop((tenant, name), None)
            text = f"The secret {whole} cannot be read: {error}"
            raise RetryableError(text) from None
        self._known[tenant, name] = now, payload
        return payload
