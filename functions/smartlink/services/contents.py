"""Where a content is kept: in the document, or in the bucket when it is large."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import Content, Message
from smartlink.observability import WARNING, event
from smartlink.ports import Contents, Messages, PortError, Refused
from smartlink.settings import LIMITS


def inline(text: str) -> Content:
    """The content as it would stand in a document."""
    return Content(sha256=content_hash(text), size=len(encode(text)), text=text)


def keep(
    contents: Contents, tenant: str, document: str, text: str, most: int = LIMITS.inline
) -> Content:
    """The content, offloaded to the bucket if it has over 256 KB, or `most`. Raises PortError."""
    content = inline(text)
    if content.size <= min(LIMITS.inline, most):
        return content
    name = contents.put(tenant, document, content.sha256, encode(text))
    return Content(sha256=content.sha256, size=content.size, object=name)


def load(contents: Contents, content: Content) -> str:
    """The whole content. Raises Unavailable, NotFound, or Refused: it can never be read."""
    if content.text is not None:
        return content.text
    try:
        return contents.get(content.object or "").decode("utf-8", "surrogatepass")
    except UnicodeDecodeError:
        message = f"the content {content.object} is no text: it is not what was stored"
        raise Refused(message) from None


def load_bytes(contents: Contents, content: Content) -> bytes:
    """The whole content, as it is sent. Raises like `load`."""
    return encode(content.text) if content.text is not None else contents.get(content.object or "")


def copied(contents: Contents, tenant: str, document: str, content: Content) -> Content:
    """The content, as this document's own, so that it does not end with another's.

    Raises Unavailable. One that cannot be read whole stays where it is.
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
    """The message has ended: its object is deleted if it is personal, else it expires.

    A failure loses nothing but the object's expiry; it is logged, with the object's name.
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
    """These were put, and no document came to refer to them: they go at once.

    One that somebody else put as well stays: the daily look through the bucket, which finds
    what cannot be withdrawn now too, tells whether it is referred to.
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
    contents: Contents, messages: Messages, tenant: str, unwritten: Sequence[Message]
) -> None:
    """What was put for messages whose commit did not hold, unless they are stored all the same."""
    far = [message for message in unwritten if message.content.object is not None]
    referred = _referred(messages, tenant, far)
    withdraw(contents, [it.content for it in far if referred[it.document] is False])


def give_up(
    contents: Contents, messages: Messages, tenant: str, message: Message, now: datetime
) -> None:
    """Its content was put under an id that another message has, and it does not stay there.

    What another that has ended refers to goes on to expire: the `put` had taken it up again.
    """
    if message.content.object is None:
        return
    referred = _referred(messages, tenant, [message])[message.document]
    if referred:
        release(contents, replace(message, personal=False), now)
    elif referred is False:
        withdraw(contents, [message.content])


def _referred(messages: Messages, tenant: str, of: Sequence[Message]) -> dict[str, bool | None]:
    """Whether a document refers to its message's object, live or ended; None: it is not known."""
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
