"""The two styles in which TOTVS's apps write a content, and everything else.

    TOTVS        {"header": {"type", "tenantId", "generatedOn", "locale", …}, "content": {…}}
    CloudEvents  {"specversion": "1.0", "id", "source", "type", "time", "tenantid",
                  "correlationid", "data": {…}}

Senders disagree on the casing of these names, so they are found in any.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

_LOOKED_INTO = 4_194_304  # characters
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class Style(StrEnum):
    """How a content is written."""

    TOTVS = "totvs"
    CLOUD_EVENTS = "cloudevents"
    JSON = "json"  # JSON of no known style: the whole of it is the body


class PayloadError(ValueError):
    """The content is no JSON."""


@dataclass(frozen=True, slots=True)
class Payload:
    """A content, taken apart. The header's names are lower-cased."""

    style: Style
    body: object = field(repr=False)
    header: Mapping[str, object] = field(default_factory=dict, repr=False)

    def text(self, *names: str) -> str | None:
        """The first of the header's values under these names that is a text."""
        for name in names:
            value = self.header.get(name.lower())
            if isinstance(value, str) and value:
                return value
        return None

    @property
    def correlation_id(self) -> str | None:
        """What the sender wants repeated in the answer."""
        return self.text("correlationId", "correlatedId")


def parse_payload(text: str) -> Payload:
    """The payload in a content. Raises PayloadError, which never quotes the content."""
    try:
        value = json.loads(text.removeprefix("\ufeff"))  # Windows writes a byte order mark
    except json.JSONDecodeError as error:
        message = (
            f"the content is no JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        )
        raise PayloadError(message) from None
    except (ValueError, RecursionError) as error:
        message = f"the content is JSON that cannot be read ({type(error).__name__})"
        raise PayloadError(message) from None
    if not isinstance(value, dict):
        return Payload(Style.JSON, value)
    names = {key.lower(): item for key, item in value.items()}
    header = names.get("header")
    if isinstance(header, dict) and "content" in names:
        lowered = {key.lower(): item for key, item in header.items()}
        return Payload(Style.TOTVS, names["content"], lowered)
    if "specversion" in names:
        attributes = {name: item for name, item in names.items() if name != "data"}
        return Payload(Style.CLOUD_EVENTS, names.get("data"), attributes)
    return Payload(Style.JSON, value)


def write_json(value: object) -> str:
    """A value as JSON that UTF-8 can carry: half of a surrogate pair stays an escape.

    Raises TypeError or ValueError for what JSON has no form for, `NaN` included.
    """
    text = _encode(value)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text


def correlation_id(text: str) -> str | None:
    """The correlation id in a content, if it has one; contents without the word cost nothing.

    One of over 4 million characters is not looked into: as parsed JSON it may take 25 times
    its size, and the process that receives it works for other tenants too.
    """
    if len(text) > _LOOKED_INTO:
        return None
    if "correlat" not in text and "Correlat" not in text and "CORRELAT" not in text:
        return None
    try:
        return parse_payload(text).correlation_id
    except PayloadError:
        return None
