"""Makes the argument of an author's function of a message's content."""

import re

from smartlink.consumer import Consumer
from smartlink.domain.payload import Payload, PayloadError, Style, parse_payload

_KEPT_BYTES = re.compile("[\udc80-\udcff]")  # how `surrogateescape` keeps what is not UTF-8


def argument_of(consumer: Consumer, text: str) -> tuple[Payload | None, object]:
    """Returns the parsed content, None for a consumer of texts, and the function's argument.

    Raises PayloadError or pydantic's ValidationError if the content does not fit.
    """
    if consumer.encoding is not None:
        text = _decoded(text, consumer.encoding)
    if consumer.payload is None:
        return None, text
    if not consumer.xml:
        payload = parse_payload(text)
        return payload, consumer.payload.model_validate(payload.body)
    # Few consumers read XML, and nobody else pays for the parser's import.
    from smartlink.services.consuming.xml_body import xml_body  # noqa: PLC0415

    payload = _around_xml(text)
    return payload, consumer.payload.model_validate(xml_body(payload.body, consumer.payload))


def _around_xml(text: str) -> Payload:
    """Returns the envelope, if there is one, with the XML as its body."""
    if text.removeprefix("\ufeff").lstrip()[:1] in ("{", '"'):
        return parse_payload(text)
    return Payload(Style.XML, text)


def _decoded(text: str, encoding: str) -> str:
    """Reads the content's bytes in this encoding, unless they are UTF-8.

    Raises PayloadError if they are neither.
    """
    if not _KEPT_BYTES.search(text):
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode(encoding)
    except UnicodeError:
        message = f"the content is neither UTF-8 nor {encoding}"
        raise PayloadError(message) from None
