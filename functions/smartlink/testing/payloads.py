"""What an author writes as a payload, as the text that the broker would bring."""

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from smartlink.domain.payload import PayloadError, as_written, parse_payload, write_json

Content = str | BaseModel | Mapping[str, object] | Sequence[object]
"""A content: a text as it is; all else as JSON."""


def as_text(payload: Content) -> str:
    """The content's text. Raises TypeError or ValueError for what JSON has no form for."""
    if isinstance(payload, str):
        return payload
    return write_json(_plain(payload))


def totvs(body: Content, **header: object) -> dict[str, object]:
    """A content in TOTVS's style: `totvs({"name": "Ana"}, tenantId="t-1", locale="pt_BR")`."""
    return {"header": header, "content": _plain(body)}


def cloud_event(body: Content, **attributes: object) -> dict[str, object]:
    """A content in the style of CloudEvents 1.0; `attributes` replace or add to its own."""
    own: dict[str, object] = {"specversion": "1.0", "id": "event-1", "source": "test"}
    return {**own, "type": "test", **attributes, "data": _plain(body)}


def body_of(text: str) -> object:
    """What a content says without its envelope; a text that is no JSON says itself."""
    try:
        return parse_payload(text).body
    except PayloadError:
        return text


def _plain(body: Content) -> object:
    if not isinstance(body, BaseModel):
        return body
    return as_written(body.model_dump(mode="json", by_alias=True), body.model_dump(by_alias=True))
