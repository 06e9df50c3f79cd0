"""The functions' targets. Nothing else: functions-framework looks for them here."""

from smartlink.entrypoints.operate import operate
from smartlink.entrypoints.targets import consume, poll, poll_shard, publish

__all__ = ["consume", "operate", "poll", "poll_shard", "publish"]
