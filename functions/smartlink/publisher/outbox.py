"""Publishing within a transaction of the caller's own: both are written, or neither is.

The relay's database must be the caller's, and the caller allowed to write to it.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Unpack

from smartlink.adapters.firestore.documents import LIVE, TENANTS, put_live
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
    """Add the message to the transaction; its id. The poll after the commit sends it.

    Raises PublishRefused; nothing is added then. If a live message has the id already, the
    commit fails (AlreadyExists). If one had it that was sent, nothing is sent again. That the
    tenant is active is not looked at: until it is, its messages wait. Without an id of your own
    a transaction that the client tries again gets another id, which does no harm: only one
    try is committed. `now` must have a time zone.
    """
    _, request = parsed(message)
    outgoing = _message(request, now or datetime.now(UTC))
    reference = client.document(TENANTS, request.tenant, LIVE, outgoing.document)
    transaction.create(reference, _document(outgoing))
    return outgoing.id


def _message(request: PublishRequest, now: datetime) -> Message:
    """The message as the function makes it."""
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


def _document(message: Message) -> dict[str, Any]:
    """The document that the relay would write, as the high-level client takes it."""
    from google.cloud.firestore_v1.types import Document  # noqa: PLC0415  (the caller has it)

    raw = Document.pb()()
    put_live(raw.fields, message)
    return {name: _plain(value) for name, value in raw.fields.items()}


def _plain(value: Any) -> Any:  # noqa: ANN401
    kind = value.WhichOneof("value_type")
    if kind == "timestamp_value":
        return value.timestamp_value.ToDatetime(UTC)
    return getattr(value, kind)
