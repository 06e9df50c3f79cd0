"""Idleness: the relay asks the broker less often for a tenant that has been silent.

A tenant is asked for again after as long as it has been silent (after 1, 2, 4, 8 minutes, say), but
at the latest after the bound. A tenant that receives or sends is asked for at each tick. Only this
process remembers the silence, so it costs no read; a process that knows nothing of a tenant asks.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

_SLACK = timedelta(seconds=10)  # a tick may come so much too early


@dataclass(frozen=True, slots=True)
class _Silence:
    since: datetime
    ask_at: datetime


class Idleness:
    """Remembers since when each tenant is silent. With a bound of zero every tenant is always
    asked."""

    def __init__(self, bound: timedelta) -> None:
        self._bound = bound
        self._silent: dict[str, _Silence] = {}
        self._lock = threading.Lock()

    def asks(self, tenant: str, now: datetime) -> bool:
        """Tells whether to ask the broker for the tenant's messages in this tick."""
        with self._lock:
            silence = self._silent.get(tenant)
        return silence is None or now >= silence.ask_at

    def silent(self, tenant: str, now: datetime) -> None:
        """Notes that the broker was asked and had nothing."""
        with self._lock:
            known = self._silent.get(tenant)
            since = known.since if known else now
            wait = min(self._bound, now - since) - _SLACK
            self._silent[tenant] = _Silence(since, now + max(wait, timedelta()))

    def active(self, tenant: str) -> None:
        """Notes that the tenant received or sent something, so that an answer may be on its way."""
        with self._lock:
            self._silent.pop(tenant, None)
