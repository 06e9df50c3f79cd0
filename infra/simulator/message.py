"""A message in the broker, and the envelope in which `get` hands it out.

Assumption (A): the REST envelope has the gRPC client's properties, in one of the spellings of
`ENVELOPE_NAMES`.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final

from infra.simulator.options import Names

ENVELOPE_NAMES: Final[dict[Names, tuple[str, str, str, str, str]]] = {
    "camel": ("id", "type", "content", "audience", "deliveryTag"),
    "pascal": ("MsgId", "MsgType", "MsgContent", "MsgAud", "MsgDeliveryTag"),
    "lower": ("msgid", "msgtype", "msgcontent", "msgaud", "msgdeliverytag"),
    "msgCamel": ("msgId", "msgType", "msgContent", "msgAud", "msgDeliveryTag"),
}


class Absent(Enum):
    """Marks a property that the envelope does not have; a null property is another thing."""

    ABSENT = 0


@dataclass(slots=True)
class Message:
    """A message. Its properties are `object`, because an offer may hold any JSON."""

    id: object
    type: object
    content: object
    audience: object = None
    raw: Mapping[str, object] | None = None
    """Properties that replace those of the envelope, even the delivery tag."""
    offered_again: bool = False

    @classmethod
    def offered(cls, entry: Mapping[str, object]) -> "Message":
        """Make a message of an offer, without a change.

        It gets a new id only if it has no `id`, and `withoutId` is not true.
        """
        identifier = entry.get("id", Absent.ABSENT)
        if identifier is Absent.ABSENT and entry.get("withoutId") is not True:
            identifier = str(uuid.uuid4())
        raw = entry.get("raw")
        return cls(
            identifier,
            entry.get("type", Absent.ABSENT),
            entry.get("content", Absent.ABSENT),
            entry.get("audience"),
            raw if isinstance(raw, dict) else None,
        )

    def envelope(self, tag: int | str, names: Names) -> dict[str, object]:
        """Write the envelope of one delivery, with these spellings of the names."""
        keys = ENVELOPE_NAMES[names]
        values = (self.id, self.type, self.content, self.audience, tag)
        rendered = {
            key: value
            for key, value in zip(keys, values, strict=True)
            if value is not Absent.ABSENT
        }
        if self.raw is not None:
            rendered.update(self.raw)
        return rendered
