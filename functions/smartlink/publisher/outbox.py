"""Publishes in the caller's own transaction: the caller's data and the message, or neither.

The caller's data must be in the relay's database, and the caller must have the right to write
there.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack

from smartlink.adapters.firestore.documents import LIVE, TENANTS, Owned, put_live
from smartlink.domain import lifecycle
from smartlink.domain.message import Message
from smartlink.domain.payload import write_json
from smartlink.publisher.errors import PublishRefused
from smartlink.publisher.outgoing import Outgoing, parsed
from smartlink.services.contents import inline
from smartlink.services.publishing.publish import PublishRequest
from smartlink.settings import LIMITS

if TYPE_CHECKING:
    from google.cloud.firestore import Client, Transaction


def outbox_write(
    transaction: "Transaction",
    client: "Client",
    *,
    now: datetime | None = None,
    **message: Unpack[Outgoing],
) -> str:
    """Adds the message to the transaction; returns its id. The next poll after the commit sends it.

    Raises PublishRefused, and then adds nothing. If a live message has the id already, the commit
    fails with AlreadyExists. If a sent message had the id, nothing is sent again. It does not check
    whether the tenant is active: the messages of an inactive tenant wait. If you give no id, each
    try of the transaction has another id, which does no harm, because only one try is committed.
    `now` must have a time zone.
    """
    _, request = parsed(message)
    outgoing = _message(request, now or datetime.now(UTC))
    reference = client.document(TENANTS, request.tenant, LIVE, outgoing.document)
    transaction.create(reference, _document(Owned(request.tenant, outgoing)))
    return outgoing.id


def _message(request: PublishRequest, now: datetime) -> Message:
    """Makes the message as the function `publish` makes it."""
    content = request.content
    try:
        kept = inline(content if isinstance(content, str) else write_json(content))
    except RecursionError:
        raise PublishRefused("content", "it is nested too deeply") from None
    if kept.size > LIMITS.inline:
        problem = (
            f"it has {kept.size} bytes; a transaction may write {LIMITS.inline} of them: publish "
            f"it by Publisher, which has larger contents kept in the bucket"
        )
        raise PublishRefused("content", problem)
    return lifecycle.to_send(
        message_id=str(request.id),
        message_type=request.type,
        content=kept,
        now=now,
        audience=request.audience,
        correlation_id=request.correlation_id,
        published=True,
    )


def _document(owned: Owned) -> dict[str, Any]:
    """Returns the document that the relay would write, in the form of Google's usual client."""
    from google.cloud.firestore_v1.types import Document  # noqa: PLC0415  (the caller has it)

    raw = Document.pb()()
    put_live(raw.fields, owned)
    return {name: _plain(value) for name, value in raw.fields.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401
    kind = value.WhichOneof("value_type")
    if kind == "timestamp_value":
        return value.timestamp_value.ToDatetime(UTC)
    return getattr(value, kind)
