"""The composition of `publish` from the ports; see common_wiring.py."""

from smartlink.common_wiring import Adapters, make_tenants
from smartlink.services.publishing.publish import Publish
from smartlink.settings import Settings


def make_publish(settings: Settings, adapters: Adapters) -> Publish:
    """Makes the use case of `publish`."""
    tenants = make_tenants(settings, adapters)
    return Publish(tenants, adapters.store, adapters.contents, adapters.clock, adapters.new_id)
