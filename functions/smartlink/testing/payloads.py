"""Turns what an author writes as a payload into the text that the broker would deliver."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from smartlink.domain.payload import PayloadError, as_written, parse_payload, write_json

Content = str | bytes | BaseModel | Mapping[str, object] | Sequence[object]
"""A content. A text is used unchanged, bytes are read as the relay reads them, and anything else
becomes JSON."""


def as_text(payload: Content) -> str:
    """Returns the content's text. Raises TypeError or ValueError if JSON has no form for it."""
    if isinstance(payload, str):
        return payload
    if isinstance(payload, bytes):
        return payload.decode("utf-8", "surrogateescape")
    return write_json(_plain(payload))


def totvs(body: Content, **header: object) -> dict[str, object]:
    """Makes a content in TOTVS's style: `totvs({"name": "Ana"}, tenantId="t-1",
    locale="pt_BR")`."""
    return {"header": header, "content": _plain(body)}


def cloud_event(body: Content, **attributes: object) -> dict[str, object]:
    """Makes a content in the style of CloudEvents 1.0. `attributes` add to or replace the
    defaults."""
    own: dict[str, object] = {"specversion": "1.0", "id": "event-1", "source": "test"}
    return {**own, "type": "test", **attributes, "data": _plain(body)}


def body_of(text: str) -> object:
    """Returns the parsed body of a content; a text that is not JSON is returned unchanged."""
    try:
        return parse_payload(text).body
    except PayloadError:
        return text


def _plain(body: Content) -> object:
    if not isinstance(body, BaseModel):
        return body
    return as_written(body.model_dump(mode="json", by_alias=True), body.model_dump(by_alias=True))
