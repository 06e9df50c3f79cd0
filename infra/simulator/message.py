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
    """Marks a property that the envelope lacks, which is not the same as one that is null."""

    ABSENT = 0


@dataclass(slots=True)
class Message:
    """Properties are `object`: an offer may carry anything that JSON can."""

    id: object
    type: object
    content: object
    audience: object = None
    raw: Mapping[str, object] | None = None
    """Merged over the envelope as it is, delivery tag included."""
    offered_again: bool = False

    @classmethod
    def offered(cls, entry: Mapping[str, object]) -> "Message":
        """Keep an offer as it is.

        An id is made only when the key is absent and `withoutId` is not true.
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
        """Spell the message out for one delivery."""
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
