"""Runs an exported message again with a consumer. The relay stores and sends nothing."""

from dataclasses import replace

from smartlink.consumer import Consumer
from smartlink.domain.retry import RetryPolicy
from smartlink.operations.export import Exported, message_of
from smartlink.ports import Clock, ErpSecrets
from smartlink.testing.delivered import Delivered
from smartlink.testing.place import Place


def replay(exported: Exported, consumer: Consumer, erp: ErpSecrets, clock: Clock) -> Delivered:
    """Runs the next attempt of the message, as if it were the last that the policy allows.

    What the consumer does in its ERP is really done.
    """
    attempt = exported.attempt + 1
    claimed = replace(message_of(exported), attempt=attempt, undone=True)
    policy = RetryPolicy(attempts=attempt)
    place = Place(tenant=exported.tenant, erp=erp, clock=clock, policy=policy)
    return place.delivered(claimed, place.run(consumer, claimed))
