"""For other code of a segment on Google Cloud: a message for a cloud app, by one of two ways.

    from smartlink.publisher import Publisher, outbox_write

    with Publisher("https://publish-….run.app") as publisher:    # over HTTPS, to the function
        publisher.publish(tenant="acme", type="OrderPlaced", content={"order": 7}, audience="APP")

    @firestore.transactional                       # with what else the caller's own database gets
    def place(transaction):
        transaction.create(order, {"number": 7})
        outbox_write(transaction, client, tenant="acme", type="OrderPlaced", content={"order": 7})

Both accept and refuse the same. Importing this imports no vendor's client.
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
