"""Idleness: who has been silent is asked less often, within a stated bound.

A tenant is asked again after as long as it has been silent, at most the bound: after 1, 2, 4, 8
minutes, say. One that receives or sends is asked at each tick. Known to this process alone, so
that it costs nothing; a process that knows nothing of a tenant asks.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

_SLACK = timedelta(seconds=10)  # a tick that comes a little early is still the one meant


@dataclass(frozen=True, slots=True)
class _Silence:
    since: datetime
    ask_at: datetime


class Idleness:
    """Who need not be asked yet. A bound of nothing: everybody is asked always."""

    def __init__(self, bound: timedelta) -> None:
        self._bound = bound
        self._silent: dict[str, _Silence] = {}
        self._lock = threading.Lock()

    def asks(self, tenant: str, now: datetime) -> bool:
        """Whether the tenant's broker is to be asked in this tick."""
        with self._lock:
            silence = self._silent.get(tenant)
        return silence is None or now >= silence.ask_at

    def silent(self, tenant: str, now: datetime) -> None:
        """The broker was asked, and it had nothing."""
        with self._lock:
            known = self._silent.get(tenant)
            since = known.since if known else now
            wait = min(self._bound, now - since) - _SLACK
            self._silent[tenant] = _Silence(since, now + max(wait, timedelta()))

    def active(self, tenant: str) -> None:
        """It received or sent: an answer may be on its way."""
        with self._lock:
            self._silent.pop(tenant, None)
