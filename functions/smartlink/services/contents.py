"""Where a content is kept: in the document, or in the bucket when it is large."""

from datetime import datetime

from smartlink.domain.identity import content_hash, encode
from smartlink.domain.message import Content, Message
from smartlink.observability import WARNING, event
from smartlink.ports import Contents, PortError, Refused
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
