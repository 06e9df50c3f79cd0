"""Finds the messages in an answer of Smart Link's `get`: one, a list, or none.

The module `smart_link` lists what we assume of their form. An empty queue has many forms: no body,
an empty list, a message of zeros and empty texts, or an object that holds one of these under a name
such as `messages`. A malformed message does not harm the others: it becomes a delivery with a
`problem`, which keeps its tag, so that the relay can store it as dead and ack it.

The answer's bytes are searched, and only the fields of the messages are copied. A parser is used
for small parts alone: as Python's objects a JSON text may take fifty times its size, numbers lose
digits, and deep nesting cannot be read at all.
"""

import json
import re
from collections.abc import Iterator

from smartlink.domain.identity import encode, is_no_id
from smartlink.domain.json_bytes import unmarked
from smartlink.ports import Delivery, Refused, Unavailable

_BLANK = b" \t\n\r"
_TAGS = range(-(2**63), 2**64)
_TAG = re.compile(r"-?[0-9]{1,20}")
_MOST = 10_000  # messages in an answer: many tiny ones take 50 times their bytes of memory
_SMALL = 1_048_576  # bytes up to which Python's parser reads an entry, and a content is tidied
_CONTENT = frozenset({"msgcontent", "content"})
_OF_A_MESSAGE = frozenset({"msgid", "id", "msgtype", "type", "msgdeliverytag", "deliverytag"})
_WRAPPERS = frozenset(
    ("message", "messages", "data", "item", "items", "result", "results", "value", "values")
)
_FEW = 2  # of a message's own fields: by so many an envelope is known, though all are empty
_LAYERS = 3  # of what wraps messages
_AUDIENCE = frozenset({"msgaud", "audience"})
_ZEROS = frozenset({"0", "null", "[]", "{}", '""'})  # besides what is no id
_ZERO_TIME = re.compile(r"0001-01-01T00:00:00[.0]*(?:Z|[+-]00:00)?")  # .NET's, unset
_WORDS = {"true": True, "false": False, "null": None}

_BLANKS = rb"[ \t\n\r]*+"
_STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
_SCALAR = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?|true|false|null|NaN|-?Infinity"
_SKIP = re.compile(_BLANKS)
_LEAVES = rb'(?:[^"\[\]{}]++|%s)*+' % _STRING
_FLAT = rb"\[%s\]|\{%s\}" % (_LEAVES, _LEAVES)
_BRANCHES = rb'(?:[^"\[\]{}]++|%s|%s)*+' % (_STRING, _FLAT)
_NEXT_BRACKET = re.compile(  # skips lists and objects that hold only plain values or flat ones
    rb'(?:[^"\[\]{}]++|%s|\[%s\]|\{%s\})*+([\[\]{}])' % (_STRING, _BRANCHES, _BRANCHES),
    re.DOTALL,
)
_PLAIN_VALUE = re.compile(rb"(?:(%s)|(%s))%s" % (_STRING, _SCALAR, _BLANKS), re.DOTALL)
_NAME = re.compile(rb"%s(%s)%s:%s" % (_BLANKS, _STRING, _BLANKS, _BLANKS), re.DOTALL)
_TIDY = re.compile(
    r"""((?:[^ \t\n\r"]++|"[^"\\\x00-\x1f]*+")++)   # as it is
        |[ \t\n\r]++
        |("[^"\\]*+(?:\\.[^"\\]*+)*+")               # with escapes in it""",
    re.DOTALL | re.VERBOSE,
)


class _NoJsonError(ValueError):
    """The answer is not JSON at this byte."""

    def __init__(self, what: str, at: int) -> None:
        super().__init__(f"{what} at byte {at}")


class _Number(str):
    """A number's text as it is written; also `NaN` and `Infinity`."""

    __slots__ = ()


_JSON = json.JSONDecoder(
    strict=False, parse_float=_Number, parse_int=_Number, parse_constant=_Number
)


def deliveries(body: bytes) -> list[Delivery]:
    """Returns the messages in an answer of `get`; a malformed one has a `problem`.

    Raises Unavailable if the answer is not JSON, or neither a message nor a list. Raises Refused if
    it holds over 10,000 messages, for which no process has the memory.
    """
    body = unmarked(body)
    try:
        return _deliveries(body, *_bounds(body), _LAYERS)
    except _NoJsonError as error:
        message = f"Smart Link get answered no JSON: {error}"
        raise Unavailable(message) from None


def _deliveries(body: bytes, start: int, end: int, layers: int) -> list[Delivery]:
    if start == end:
        return []
    if body[start] not in b"[{":
        return _of_plain_value(body, start, end, layers)
    got = [_delivery(body, first, last) for first, last in _entries(body, start, end)]
    if not all(it.problem is not None and it.tag is None for it in got):
        return got
    if layers and body[start] in b"{" and (within := _wrapped(body, start, end)):
        return _deliveries(body, *within, layers - 1)
    return [] if all(_is_nothing(it.content) for it in got) else got


def _of_plain_value(body: bytes, start: int, end: int, layers: int) -> list[Delivery]:
    """Returns the messages in a JSON string whose text is JSON. A zero value holds none.

    Raises Unavailable for any other value.
    """
    if _end(body, start) == end:
        if layers and body[start] in b'"':
            inner = unmarked(encode(_text(body[start:end])))
            if inner.lstrip()[:1] in (b"[", b"{", b'"'):
                return _deliveries(inner, *_bounds(inner), layers - 1)
        if _is_nothing(body[start:end].decode("utf-8", "replace")):
            return []
    message = "Smart Link get answered neither a message nor a list"
    raise Unavailable(message)


def _wrapped(body: bytes, start: int, end: int) -> tuple[int, int] | None:
    """Returns where the messages are in an object that is no message: in its one list or object
    under a name such as `messages`. Returns None if there is no such place."""
    found: list[tuple[int, int]] = []
    at = start + 1
    while name := _NAME.match(body, at, end):
        key, first = _text(name[1]).lower(), name.end()
        last = _end(body, first)
        if key in _OF_A_MESSAGE and not _is_nothing(body[first:last].decode("utf-8", "replace")):
            return None
        if key in _WRAPPERS and body[first : first + 1] in (b"[", b"{"):
            found.append((first, last))
        at = _skip(body, last) + 1
    return found[0] if len(found) == 1 else None


def _is_nothing(text: str) -> bool:
    """Tells whether a JSON text says that there is no message.

    That is so if all its values are zeros or empty, if a message's own fields are, or if it holds
    null or an empty list under a name such as `messages`. The audience does not count.
    """
    if len(text) > _SMALL:
        return False
    try:
        value: object = _JSON.decode(text)
        if not isinstance(value, dict):
            return _is_zero(value)
        names = {name.lower(): it for name, it in value.items() if name.lower() not in _AUDIENCE}
        own = {name: it for name, it in names.items() if name in _OF_A_MESSAGE | _CONTENT}
        inner = [it for name, it in names.items() if name in _WRAPPERS and _may_wrap(it)]
        return _is_zero(own) and (
            _is_zero(names) or len(own) >= _FEW or (bool(inner) and _is_zero(inner))
        )
    except (ValueError, RecursionError):
        return False


def _may_wrap(value: object) -> bool:
    return value is None or isinstance(value, list | dict)


def _is_zero(value: object) -> bool:
    """Tells whether a value is what a program writes for a value that it does not have."""
    if isinstance(value, _Number):
        return float(value) == 0
    if isinstance(value, str):
        text = value.strip()
        return text in _ZEROS or is_no_id(text) or _ZERO_TIME.fullmatch(text) is not None
    if isinstance(value, list | dict):
        return all(map(_is_zero, value.values() if isinstance(value, dict) else value))
    return not value


def _bounds(body: bytes) -> tuple[int, int]:
    """Returns where the answer begins and ends, without the blanks around it."""
    start = _skip(body, 0)
    end = len(body)
    while end > start and body[end - 1] in _BLANK:
        end -= 1
    return start, end


def _entries(body: bytes, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yields where the only entry, or each entry of the list, begins and ends."""
    if body[start : start + 1] == b"{":
        last = _end(body, start)
        yield start, last
    else:
        at, number = _skip(body, start + 1), 0
        while number == 0 or body[at : at + 1] == b",":
            first = at if number == 0 else _skip(body, at + 1)
            if number == 0 and body[at : at + 1] == b"]":
                break
            if number >= _MOST:
                message = f"Smart Link get answered more than {_MOST} messages"
                raise Refused(message)
            last = _end(body, first)
            yield first, last
            at, number = _skip(body, last), number + 1
        if body[at : at + 1] != b"]":
            what = "Expecting ',' or the list's end"
            raise _NoJsonError(what, at)
        last = at + 1
    if last != end:
        what = "Extra data"
        raise _NoJsonError(what, last)


def _skip(body: bytes, at: int) -> int:
    """Returns the place of the next byte that is not a blank."""
    found = _SKIP.match(body, at)
    return found.end() if found else at


def _end(body: bytes, at: int) -> int:
    """Returns where the value that begins at `at` ends. It does not check what brackets hold."""
    if body[at : at + 1] not in (b"{", b"["):
        plain = _PLAIN_VALUE.match(body, at)
        if plain is None:
            what = "Expecting a value"
            raise _NoJsonError(what, at)
        return max(plain.end(1), plain.end(2))
    depth, place = 1, at + 1
    while found := _NEXT_BRACKET.match(body, place):
        place = found.end()
        depth += 1 if found[1] in b"[{" else -1
        if depth == 0:
            return place
    what = "A list or an object that does not end"
    raise _NoJsonError(what, at)


def _delivery(body: bytes, start: int, end: int) -> Delivery:
    """Makes a delivery of the entry between these places."""
    if body[start : start + 1] != b"{":
        return Delivery(None, None, "", _nested(body[start:end]), problem="it is no JSON object")
    fields, problem = _fields(body, start, end)
    message_type = fields.get("msgtype", fields.get("type", ""))
    content = fields.get("msgcontent", fields.get("content"))
    audience = fields.get("msgaud", fields.get("audience"))
    message_id = fields.get("msgid", fields.get("id", ""))
    tag = _tag(fields.get("msgdeliverytag", fields.get("deliverytag")))
    if isinstance(content, bytes):
        content = _nested(content)
    if problem is not None:
        pass
    elif not _is_text(message_type) or not message_type:
        problem, message_type = "it has no type, or one that is no text", ""
    elif not _is_text(content):
        problem = "it has no content, or one that is no text"
    elif audience is not None and not _is_text(audience):
        problem = "its audience is no text"
    elif not isinstance(message_id, str):
        problem = "its id is neither a text nor a number"
    known = str(message_id) if isinstance(message_id, str) and not is_no_id(message_id) else None
    if problem is None:
        aud = str(audience) if audience else None
        return Delivery(tag, known, str(message_type), str(content), aud)
    kind = str(message_type) if _is_text(message_type) else ""
    tag = tag or None  # with nothing else that makes sense, 0 is a tag that was not set
    return Delivery(tag, known, kind, _nested(body[start:end]), problem=problem)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and not isinstance(value, _Number)


def _fields(body: bytes, start: int, end: int) -> tuple[dict[str, object], str | None]:
    """Returns an object's members, and what is wrong with it or None.

    Python's parser reads most entries; `_read` reads the large, nested or malformed ones.
    """
    if end - start <= _SMALL:
        try:
            entry = _JSON.decode(body[start:end].decode("utf-8", "surrogateescape"))
        except (ValueError, RecursionError):
            entry = {}
        fields = {name.lower(): value for name, value in entry.items() if value is not None}
        if fields and not any(isinstance(fields.get(name), dict | list) for name in _CONTENT):
            return fields, None
    read: dict[str, object] = {}
    return read, _read(body, start, end, read)


def _read(body: bytes, start: int, end: int, fields: dict[str, object]) -> str | None:
    """Puts an object's members into `fields`, by their names in lower case, without nulls.

    Of two members with one name the last counts. Returns what is wrong with the object, or None;
    the members before that place are in `fields`.
    """
    at = start + 1
    if _skip(body, at) == end - 1:
        return None
    while at < end:
        name = _NAME.match(body, at, end)
        if name is None:
            return f"it is no JSON: no name at byte {at - start}"
        key = _text(name[1]).lower()
        plain = _PLAIN_VALUE.match(body, name.end(), end)
        if plain is not None:
            fields[key] = _text(plain[1]) if plain[1] is not None else _scalar(plain[2])
            at = plain.end()
        elif body[name.end() : name.end() + 1] in (b"{", b"["):
            at = _end(body, name.end())
            fields[key] = body[name.end() : at] if key in _CONTENT else b""
            at = _skip(body, at)
        else:
            return f"it is no JSON: no value at byte {name.end() - start}"
        if fields[key] is None:
            del fields[key]
        at += 1
        if at == end:
            return None if body[at - 1 : at] == b"}" else "it is no JSON: it does not end"
        if body[at - 1 : at] != b",":
            return f"it is no JSON: no comma at byte {at - 1 - start}"
    return "it is no JSON: it does not end"


def _scalar(raw: bytes) -> object:
    word = raw.decode()
    return _WORDS[word] if word in _WORDS else _Number(word)


def _text(raw: bytes) -> str:
    """Returns the text of a JSON string.

    It accepts control characters, bytes that are not UTF-8, and unknown escapes, which stay as they
    are written.
    """
    text = raw.decode("utf-8", "surrogateescape")
    if b"\\" not in raw:
        return text[1:-1]
    try:
        return str(_JSON.raw_decode(text)[0])
    except ValueError:
        return text[1:-1]


def _nested(raw: bytes) -> str:
    """Returns the JSON text of an object or a list, without blanks and needless escapes.

    Every number stays as it is written. A text of over 1 MB is returned unchanged.
    """
    text = raw.decode("utf-8", "surrogateescape")
    return text if len(text) > _SMALL else _TIDY.sub(_tidied, text)


def _tidied(found: re.Match[str]) -> str:
    if found[2] is None:
        return found[1] or ""
    try:
        return json.dumps(_JSON.raw_decode(found[2])[0], ensure_ascii=False)
    except ValueError:
        return found[2]


def _tag(value: object) -> int | None:
    if isinstance(value, str) and _TAG.fullmatch(value) and int(value) in _TAGS:
        return int(value)
    return None
