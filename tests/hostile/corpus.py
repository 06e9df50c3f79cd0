"""What hostile or careless senders write, for every edge: JSON texts, bytes, and whole bodies."""

import gzip
import json
import zlib

from hypothesis import settings

BOUNDED = settings(max_examples=60, deadline=None, derandomize=True, database=None)
"""Property tests draw the same examples everywhere: a red run is red for everybody."""

DEEP = 20_000  # far beyond what Python parses; as an object still within a document
JSON_TEXTS: dict[str, str] = {
    "nothing": "",
    "blanks": " \r\n\t",
    "null": "null",
    "number": "7",
    "broken": '{"a": ',
    "broken text": '"a',
    "trailing comma": '{"a": 1,}',
    "two values": "{}{}",
    "single quotes": "{'a': 1}",
    "NaN": '{"a": NaN, "b": -Infinity}',
    "huge number": "9" * 5_000,
    "huge number in a member": '{"requestID": ' + "9" * 5_000 + "}",
    "huge exponent": '{"a": 1e999999}',
    "deep list": "[" * DEEP + "]" * DEEP,
    "deep object": '{"a":' * DEEP + "1" + "}" * DEEP,
    "deep and open": "[" * DEEP,
    "correlated and deep": '{"correlationId": ' + "[" * DEEP + "]" * DEEP + "}",
    "correlated and wrong": '{"header": {"correlationId": {"a": [1]}}, "content": 7}',
    "duplicated keys": '{"a": 1, "a": 2, "A": 3}',
    "NUL": "a\0b",
    "NUL escaped": '{"a\\u0000": "\\u0000"}',
    "control characters": "".join(map(chr, range(32))),
    "lone surrogates escaped": '{"\\ud83d": "\\udc18"}',
    "surrogates in the wrong order": '"\\udc18\\ud83d"',
    "lone surrogates": "\ud83d \udc18",
    "what stands for an invalid byte": "\udcff\udc80",
    "elephant": "🐘" * 100,
    "right to left": "\u202eabc\u200f\ufeff",
    "not normal": "e\u0301 \u00e9 \u212b",
    "line ends": "a\r\nb\rc\u2028d\u2029e\x85",
    "noncharacters": "\ufffe\uffff\U0010ffff",
    "percent and HTML": "%7B%22a%22%3A1%7D &lt;a&gt; %s %(x)s {0}",
    "a path": "../../../etc/passwd",
    "quotes": '"\\"\\\\' * 50,
    "XML": "<?xml version='1.0'?><a><![CDATA[]]></a>",
}
"""Texts that may stand where a content does; JSON or not."""

BYTES: dict[str, bytes] = {
    "invalid UTF-8": b'{"a": "\xff\xfe\x80"}',
    "cut UTF-8": "{é".encode()[:-1],
    "overlong NUL": b"\xc0\x80",
    "UTF-16": '{"a": 1}'.encode("utf-16"),
    "UTF-16 without its mark": '{"a": 1}'.encode("utf-16-le"),
    "UTF-32": '{"a": 1}'.encode("utf-32"),
    "surrogates as bytes": b'"\xed\xa0\xbd"',
    "byte order mark": b"\xef\xbb\xbf{}",
    "NULs": bytes(1_000),
    "gzip": gzip.compress(b"{}"),
    "random": bytes(range(256)) * 4,
    "HTML": b"<html><body>502 Bad Gateway</body></html>",
}
BODIES: dict[str, bytes] = {
    **{name: text.encode("utf-8", "surrogatepass") for name, text in JSON_TEXTS.items()},
    **BYTES,
}
"""Whole bodies, for edges that take bytes."""


def bomb(size: int = 200_000_000) -> bytes:
    """A few hundred KB of gzip that stand for so many bytes of blanks."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    chunk = b" " * 1_000_000
    return b"".join(packer.compress(chunk) for _ in range(size // 1_000_000)) + packer.flush()


def entry(content: object, number: int = 1, **fields: object) -> dict[str, object]:
    """An envelope as the broker writes it."""
    return {
        "MsgId": f"m-{number}",
        "MsgType": "ProbeCommand",
        "MsgContent": content,
        "MsgDeliveryTag": number,
    } | fields


def written(*entries: object) -> bytes:
    """A list of envelopes, as bytes."""
    return json.dumps(entries).encode()
