"""The functions' targets. Nothing else: functions-framework looks for them here."""

from console.target import console
from smartlink.entrypoints.operate import operate
from smartlink.entrypoints.targets import consume, poll, poll_shard, publish

__all__ = ["console", "consume", "operate", "poll", "poll_shard", "publish"]
