"""Turns a message's id into the id of its document."""

import hashlib
import re
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote

_MAX_DOCUMENT_ID = 1_000  # bytes; Firestore allows 1,500, and a suffix must still fit
_CONSOLE_LIMIT = 64
DERIVED = "content-"  # begins an id that is derived from the content
_NOT_IN_GUIDS = re.compile(r"^urn:uuid:|^uuid:|0x|[-{}(),\s]")
_GUID = re.compile("[0-9a-f]{32}")
LONGEST = 1_500
"""Bytes of a document's id, and of a text that a query can ask for, in Firestore."""
_NO_DOCUMENT = re.compile(r"|\.\.?|__.*__|.*[/\ud800-\udfff].*", re.DOTALL)  # refused by Firestore
_UNSAFE = re.compile("[^A-Za-z0-9_.-]+")  # `quote` is slow, and most ids have no such character


class Direction(StrEnum):
    """The direction of a message, seen from the cloud, in RM's terms."""

    DOWNSTREAM = "Downstream"  # from the broker to the ERP
    UPSTREAM = "Upstream"  # from the ERP to the broker


def encode(text: str) -> bytes:
    """Encodes a text as UTF-8, even with half of a surrogate pair, which a JSON escape can make."""
    return text.encode("utf-8", "surrogatepass")


def guid(text: str) -> str | None:
    """Returns a GUID's 32 hexadecimal digits, whichever way it is written; None if it is none.

    .NET writes it with dashes, without, in braces, in parentheses, and as an initializer of C
    (`{0x…,0x…,0x…,{0x…}}`); others write a URN. The case does not count.
    """
    folded = text.strip().casefold()
    digits = _NOT_IN_GUIDS.sub("", folded)
    return digits if _GUID.fullmatch(digits) else None


def is_no_id(text: str) -> bool:
    """Tells whether a text is what a program writes for an id that it does not have.

    That is nothing, blanks, or the GUID of zeros, which is an unset field of .NET.
    """
    digits = guid(text)
    return not (text.strip() if digits is None else digits.strip("0"))


def digest(*parts: str) -> str:
    """Returns the SHA-256 of the parts, in hexadecimal. Two different lists have different
    digests."""
    sha = hashlib.sha256()
    for part in parts:
        data = encode(part)
        sha.update(b"%d:" % len(data))
        sha.update(data)
    return sha.hexdigest()


def content_hash(text: str) -> str:
    """Returns the SHA-256 of a content's UTF-8 bytes, in hexadecimal, as `sha256sum` prints it."""
    return hashlib.sha256(encode(text)).hexdigest()


def document_id(direction: Direction, message_id: str) -> str:
    """Returns `D-` or `U-` and the percent-escaped message id, or `~` and its SHA-256 if it is too
    long.

    Two ids never get the same document, because a literal `~` is always escaped. Because of the
    prefix no id is one that Firestore reserves (`.`, `..`, `__x__`).
    """
    escaped = _UNSAFE.sub(_escape, message_id)
    if len(escaped) > _MAX_DOCUMENT_ID:
        escaped = f"~{hashlib.sha256(encode(message_id)).hexdigest()}"
    return f"{direction[0]}-{escaped}"


def is_document_id(text: str) -> bool:
    """Tells whether a text can be the id of a document, if only of one that a person made."""
    return _NO_DOCUMENT.fullmatch(text) is None and len(encode(text)) <= LONGEST


def _escape(unsafe: re.Match[str]) -> str:
    text = unsafe[0]
    if text == "/":  # a shortcut: each message's reply has it in its id
        return "%2F"
    return quote(text, safe="", errors="surrogatepass").replace("~", "%7E")


def reused_document_id(document: str, message_type: str, sha256: str) -> str:
    """Returns where a message is kept if another message, with another content, has its id."""
    return f"{document}~{digest(message_type, sha256)[:_CONSOLE_LIMIT]}"


def second_end_id(document: str, version: str) -> str:
    """Returns where the end of a live document is kept if the history has its id already."""
    return reused_document_id(document, "", version)


def derived_ids(message_type: str, sha256: str, now: datetime) -> tuple[str, str]:
    """Returns the id for a message that came without one, and the id of the hour before.

    The id is made from the content, so that a redelivery is recognised. It contains the hour, so
    that the same content can be a new message later.
    """
    hour = int(now.timestamp()) // 3_600
    stem = f"{DERIVED}{digest(message_type, sha256)}"
    return f"{stem}-{hour}", f"{stem}-{hour - 1}"
