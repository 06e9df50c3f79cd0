"""One tenant's poll, here and now: the very use case that Cloud Scheduler starts each minute."""

from infra.cli.session import quiet_logs
from infra.cli.world import World
from smartlink import bootstrap
from smartlink.domain.tenant import TenantEntry
from smartlink.services.shard import Shard

_OWN_SHARD = 1_000_000  # no tick of the scheduler has so many


def poll_once(world: World, entry: TenantEntry) -> dict[str, int]:
    """What the poll did, in numbers."""
    bootstrap.settings()
    quiet_logs()  # the settings turned the relay's logs on
    shard = Shard(world.now(), _OWN_SHARD, 0, (entry,))
    return bootstrap.poll().shard(shard).as_dict()
