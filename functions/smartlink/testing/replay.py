"""An exported message, run again through a consumer: nothing is stored or sent."""

from dataclasses import replace

from smartlink.consumer import Consumer
from smartlink.domain.retry import RetryPolicy
from smartlink.operations.export import Exported, message_of
from smartlink.ports import Clock, ErpSecrets
from smartlink.testing.delivered import Delivered
from smartlink.testing.place import Place


def replay(exported: Exported, consumer: Consumer, erp: ErpSecrets, clock: Clock) -> Delivered:
    """Run the attempt that comes after the last one made, as the last one that the policy gives.

    What the consumer does to its ERP it does.
    """
    attempt = exported.attempt + 1
    claimed = replace(message_of(exported), attempt=attempt, undone=True)
    policy = RetryPolicy(attempts=attempt)
    place = Place(tenant=exported.tenant, erp=erp, clock=clock, policy=policy)
    return place.delivered(claimed, place.run(consumer, claimed))
