"""Keeps a message's content in its document, or in the bucket if the content is large."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import Content, Message
from smartlink.observability import WARNING, event
from smartlink.ports import Contents, Messages, PortError, Refused
from smartlink.settings import LIMITS


def inline(text: str) -> Content:
    """Returns the content as it would be kept in a document."""
    return Content(sha256=content_hash(text), size=len(encode(text)), text=text)


def inline_size(text: str, most: int) -> int:
    """Returns how many bytes `keep` would keep in the document; 0 if it would use the bucket."""
    size = len(encode(text))
    return size if size <= min(LIMITS.inline, most) else 0


def keep(
    contents: Contents, tenant: str, document: str, text: str, most: int = LIMITS.inline
) -> Content:
    """Returns the content; puts it into the bucket if it has over 256 KB or `most` bytes.

    Raises PortError if the bucket does not take it.
    """
    content = inline(text)
    if content.size <= min(LIMITS.inline, most):  # as inline_size has it
        return content
    name = contents.put(tenant, document, content.sha256, encode(text))
    return Content(sha256=content.sha256, size=content.size, object=name)


def load(contents: Contents, content: Content) -> str:
    """Returns the whole content.

    Raises Unavailable if the bucket fails, NotFound if the object is gone, and Refused if the
    content can never be read.
    """
    if content.text is not None:
        return content.text
    try:
        return contents.get(content.object or "").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        message = f"the content {content.object} is no text: it is not what was stored"
        raise Refused(message) from None


def load_bytes(contents: Contents, content: Content) -> bytes:
    """Returns the whole content as the bytes to send. Raises Unavailable, NotFound or Refused."""
    return encode(content.text) if content.text is not None else contents.get(content.object or "")


def copied(contents: Contents, tenant: str, document: str, content: Content) -> Content:
    """Copies the content's object for this document, so that it does not expire with another's.

    Raises Unavailable. If the bucket refuses, the content still refers to the old object.
    """
    if content.object is None:
        return content
    try:
        name = contents.put(tenant, document, content.sha256, contents.get(content.object))
    except Refused as error:
        event("content_not_copied", str(error), WARNING, document=document, object=content.object)
        return content
    return replace(content, object=name)


def release(contents: Contents, message: Message, now: datetime) -> None:
    """Deletes the content's object if the ended message is personal; otherwise lets it expire.

    If the bucket fails, that is logged with the object's name, and the object stays.
    """
    name = message.content.object
    if name is None:
        return
    try:
        if message.personal:
            contents.delete(name)
        else:
            contents.expire(name, now)
    except PortError as error:
        text = f"The content {name} was not released: {error}"
        event("content_not_released", text, WARNING, document=message.document, object=name)


def withdraw(contents: Contents, unwritten: Iterable[Content]) -> None:
    """Deletes the objects of contents that were put into the bucket for documents never written.

    An object that another call has put too stays. The daily look through the bucket (leftovers.py)
    decides about that object, and about one that cannot be deleted now.
    """
    for name in (content.object for content in unwritten):
        if name is None:
            continue
        try:
            contents.withdraw(name)
        except PortError as error:
            text = f"The content {name} was not withdrawn, it is let expire in some days: {error}"
            event("content_not_withdrawn", text, WARNING, object=name)


def withdraw_all(
    contents: Contents,
    messages: Messages,
    tenant: str,
    unwritten: Sequence[Message],
    now: datetime,
) -> None:
    """Removes the objects of messages whose commit failed, unless a document refers to them.

    If another run stored such a message and the message has ended, its object is set to expire:
    the late `put` has replaced the expiring object by one that does not expire.
    """
    far = [message for message in unwritten if message.content.object is not None]
    referred = _referred(messages, tenant, far)
    withdraw(contents, [it.content for it in far if referred[it.document] is False])
    for message in (it for it in far if referred[it.document]):
        if not _lives(messages, tenant, message.document):
            release(contents, replace(message, personal=False), now)


def _lives(messages: Messages, tenant: str, document: str) -> bool:
    """Tells whether the document lives; True also if the database does not answer."""
    try:
        live = messages.read(tenant, [document]) or messages.unreadable(tenant, [document])
    except PortError:
        return True
    return document in live


def give_up(
    contents: Contents, messages: Messages, tenant: str, message: Message, now: datetime
) -> None:
    """Removes the object of a message whose id belongs to another message.

    If the other message has ended and refers to the same object, the object is set to expire: the
    `put` has replaced the expiring object by one that does not expire.
    """
    if message.content.object is None:
        return
    referred = _referred(messages, tenant, [message])[message.document]
    if referred:
        release(contents, replace(message, personal=False), now)
    elif referred is False:
        withdraw(contents, [message.content])


def _referred(messages: Messages, tenant: str, of: Sequence[Message]) -> dict[str, bool | None]:
    """Tells for each message whether its live or ended document refers to the message's object.

    None means that it is not known.
    """
    if not of:
        return {}
    try:
        found = messages.references(tenant, [message.document for message in of])
    except PortError as error:
        text = f"What refers to {len(of)} contents is not known, the daily look tells: {error}"
        event("content_not_withdrawn", text, WARNING, object=of[0].content.object)
        return dict.fromkeys((message.document for message in of), None)
    return {
        it.document: None if None in found[it.document] else it.content.object in found[it.document]
        for it in of
    }
