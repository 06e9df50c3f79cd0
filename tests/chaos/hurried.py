"""The deployed `main.py` of a hurried run: what no setting shortens is cut down first.

A crashed call is over after 22 s instead of 50, a message that a killed poll was sending after
15 s instead of 5 minutes, a tenant's pause 3 s instead of 2 minutes. Every rule stays.
"""

from datetime import timedelta

from smartlink import settings
from smartlink.domain import tenant
from smartlink.services.polling import sending

settings.LEASE_MARGIN = timedelta(seconds=5)
tenant.FIRST_PAUSE = timedelta(seconds=3)
tenant.LONGEST_PAUSE = timedelta(seconds=6)
sending.LEASE = timedelta(seconds=15)

from smartlink.entrypoints.operate import operate  # noqa: E402
from smartlink.entrypoints.targets import consume, poll, poll_shard, publish  # noqa: E402

__all__ = ["consume", "operate", "poll", "poll_shard", "publish"]
