"""A message's trace: under one trace id Cloud Logging shows its whole way, its replies with it.

It is its sender's, where the content's header has a `traceparent`, else that of the call in which
it came: of the poll, or of `publish`. It is stored with the message and goes with its dispatch, so
it costs no read and no write more. Where no call had one it is made of the tenant and the document.
"""

import re

from smartlink.domain.identity import digest
from smartlink.domain.message import Summary

_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
_CLOUD = re.compile(r"([0-9a-fA-F]{32})/([0-9]{1,20})(?:;o=[0-9])?")  # X-Cloud-Trace-Context
_REPLY = re.compile(r"(D-.*)/reply/[0-9]+", re.DOTALL)  # see settlement.reply_id
_SPANS = range(1, 2**64)


def valid_traceparent(text: object) -> str | None:
    """Returns a W3C `traceparent` in the form that every receiver knows; None if it is none."""
    found = _TRACEPARENT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None or found[0].startswith("ff") or not found[1].strip("0"):
        return None
    return f"00-{found[1]}-{found[2]}-{found[0][-2:]}" if found[2].strip("0") else None


def called_under(traceparent: str | None, cloud: str | None) -> str | None:
    """Returns the `traceparent` of a call, or what its X-Cloud-Trace-Context says in that form."""
    found = _CLOUD.fullmatch(cloud or "")
    given = valid_traceparent(traceparent)
    if given is not None or found is None or int(found[2]) not in _SPANS:
        return given
    return valid_traceparent(f"00-{found[1].lower()}-{int(found[2]):016x}-01")


def joined(call: str | None, document: str) -> str | None:
    """Returns the `traceparent` of a message that came in a call: the call's trace, and a span of
    its own."""
    given = valid_traceparent(call)
    return given and f"{given[:36]}{digest(document)[:16]}{given[-3:]}"


def traceparent_of(tenant: str, message: Summary) -> str:
    """Returns the `traceparent` of a message: a reply has that of the message it answers."""
    if message.trace is not None:
        return message.trace
    answered = _REPLY.fullmatch(message.id)
    made = digest(tenant, answered[1] if answered else message.document)
    return f"00-{made[:32]}-{made[32:48]}-01"
