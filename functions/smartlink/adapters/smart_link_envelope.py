"""The messages in an answer of Smart Link's `get`: one, a list, or nothing.

What is assumed of their form stands in `smart_link`. One bad entry never harms the others: it
becomes a delivery with a `problem`, its tag kept, so that it can be stored as dead and acked.
"""

import json
import re
from collections.abc import Iterator

from smartlink.ports import Delivery, Refused, Unavailable

_NOTHING = frozenset({"", "null", "[]", "{}"})
_TAGS = range(-(2**63), 2**64)
_JSON = json.JSONDecoder(strict=False)  # control characters in texts do no harm
_TAG = re.compile(r"-?[0-9]{1,20}")
_OPENING, _SEPARATORS, _CLOSING = frozenset("[{"), frozenset(",:"), frozenset("]}")
_BLANKS = re.compile(r"[ \t\n\r]*")
# A text that does not end reaches to the end: it is looked through once, not from each quote on.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)|[\[\]{}:,]|[^\s\[\]{}:,"]+', re.DOTALL)
_MOST = 10_000  # messages in an answer: a list of trifles takes 50 times its bytes of memory


def deliveries(body: bytes) -> list[Delivery]:
    """The messages in an answer of `get`. Raises Unavailable if it is no JSON of that kind.

    A malformed message becomes one with a `problem`, and does not harm the others. Raises
    Refused if there are more than a process has memory for: nobody can take them.
    """
    text = body.decode("utf-8", "surrogateescape").removeprefix("\ufeff").strip()
    if text in _NOTHING:
        return []
    if text[0] not in "[{":
        message = "Smart Link get answered neither a message nor a list"
        raise Unavailable(message)
    try:
        return [_delivery(entry) for entry in _entries(text)]
    except json.JSONDecodeError as error:
        message = f"Smart Link get answered no JSON: {error.msg} at character {error.pos}"
        raise Unavailable(message) from None
    except (ValueError, RecursionError):
        # One entry is nested too deep, or has too long a number, for Python: the others are good.
        parts = [":".join(part) for part in _split(text)] if text[0] == "[" else [text]
        return [_part(part) for part in parts]


def _entries(text: str) -> Iterator[object]:
    """The entry, or those of the list one by one: only one of them is in memory at a time."""
    if text[0] == "{":
        yield _JSON.decode(text)
        return
    at, number = _skip(text, 1), 0
    while number == 0 or text[at : at + 1] == ",":
        start = at if number == 0 else _skip(text, at + 1)
        if number == 0 and text[at : at + 1] == "]":
            break
        _check_number(number)
        entry, end = _JSON.raw_decode(text, start)
        yield entry
        at, number = _skip(text, end), number + 1
    if text[at : at + 1] != "]" or _skip(text, at + 1) != len(text):
        message = "Expecting ',' or the list's end"
        raise json.JSONDecodeError(message, text, at)


def _skip(text: str, at: int) -> int:
    """Where the next character stands that is no blank."""
    found = _BLANKS.match(text, at)
    return found.end() if found else at


def _check_number(number: int) -> None:
    if number >= _MOST:
        message = f"Smart Link get answered more than {_MOST} messages"
        raise Refused(message)


def _delivery(entry: object, raw: str | None = None) -> Delivery:
    """One message. `raw` is its JSON text where that cannot be made again."""
    if not isinstance(entry, dict):
        return Delivery(None, None, "", raw or _dumps(entry), problem="it is no JSON object")
    fields = {name.lower(): value for name, value in entry.items() if value is not None}
    message_type = fields.get("msgtype", fields.get("type", ""))
    content = fields.get("msgcontent", fields.get("content"))
    audience = fields.get("msgaud", fields.get("audience"))
    message_id = fields.get("msgid", fields.get("id", ""))
    tag = _tag(fields.get("msgdeliverytag", fields.get("deliverytag")))
    if isinstance(content, dict | list):
        content = _dumps(content)
    if isinstance(message_id, int | float) and not isinstance(message_id, bool):
        message_id = _dumps(message_id)
    if not isinstance(message_type, str) or not message_type:
        problem, message_type = "it has no type, or one that is no text", ""
    elif not isinstance(content, str):
        problem = "it has no content, or one that is no text"
    elif not isinstance(audience, str | None):
        problem = "its audience is no text"
    elif not isinstance(message_id, str):
        problem = "its id is neither a text nor a number"
    else:
        return Delivery(tag, message_id or None, message_type, content, audience or None)
    known = message_id if isinstance(message_id, str) and message_id else None
    return Delivery(tag, known, message_type, raw or _dumps(entry), problem=problem)


def _tag(value: object) -> int | None:
    if isinstance(value, str) and _TAG.fullmatch(value):
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and value in _TAGS:
        return value
    return None


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _part(raw: str) -> Delivery:
    """The message in this JSON text. What Python cannot read of it is kept as it is written."""
    try:
        return _delivery(_JSON.decode(raw), raw)
    except json.JSONDecodeError:
        return Delivery(None, None, "", raw, problem="it is no JSON")
    except (ValueError, RecursionError):
        entry: object = None
    if raw.startswith("{"):
        entry = {str(_value(part[0])): _value(part[-1]) for part in _split(raw)}
    return _delivery(entry, raw)


def _value(raw: str) -> object:
    """A text or a number; the JSON text of anything else."""
    try:
        return raw if raw[:1] in ("{", "[") else _JSON.decode(raw)
    except ValueError:
        return raw


def _split(text: str) -> list[list[str]]:
    """The elements of a JSON list, or the members (name, value) of an object, as their texts."""
    parts: list[list[str]] = []
    part: list[str] = []
    depth = start = 0
    for token in _TOKEN.finditer(text):
        mark = token.group()
        if mark in _CLOSING:
            depth -= 1
        if depth == (mark not in _CLOSING) and (mark in _CLOSING or mark in _SEPARATORS):
            part.append(text[start : token.start()].strip())
            start = token.end()
            if mark != ":":
                _check_number(len(parts))
                parts.append(part)
                part = []
        if mark in _OPENING:
            depth += 1
            start = token.end() if depth == 1 else start
    return parts
