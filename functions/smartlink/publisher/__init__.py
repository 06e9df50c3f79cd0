"""Publishes messages for cloud apps from a segment's other code on Google Cloud, in two ways.

    from smartlink.publisher import Publisher, outbox_write

    with Publisher("https://publish-….run.app") as publisher:    # over HTTPS, to the function
        publisher.publish(tenant="acme", type="OrderPlaced", content={"order": 7}, audience="APP")

    @firestore.transactional                       # in one transaction with the caller's own writes
    def place(transaction):
        transaction.create(order, {"number": 7})
        outbox_write(transaction, client, tenant="acme", type="OrderPlaced", content={"order": 7})

Both ways accept and refuse the same messages. This import loads no vendor's client.
"""

from smartlink.publisher.answers import Accepted
from smartlink.publisher.errors import PublishRefused, PublishUnavailable
from smartlink.publisher.https import Publisher
from smartlink.publisher.outbox import outbox_write
from smartlink.publisher.outgoing import Outgoing

__all__ = [
    "Accepted",
    "Outgoing",
    "PublishRefused",
    "PublishUnavailable",
    "Publisher",
    "outbox_write",
]
