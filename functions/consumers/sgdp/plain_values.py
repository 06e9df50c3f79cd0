"""A database's values as JSON can hold them."""

import base64
import math
import re
from datetime import date, datetime, time


def plain_value(value: object) -> object:
    """Dates in ISO 8601, decimals as texts (a float would round them), bytes in base64."""
    match value:
        case dict():
            return {str(name): plain_value(item) for name, item in value.items()}
        case list() | tuple():
            return [plain_value(item) for item in value]
        case datetime() | date() | time():
            return value.isoformat()
        case bytes() | bytearray() | memoryview():
            return base64.b64encode(value).decode()
        case str():
            return readable(value)
        case _:
            return value if _is_plain(value) else str(value)


def readable(text: str) -> str:
    """Read the bytes of a text that were no UTF-8 (`lenient.decoded`) as Latin-1."""
    return re.sub("[\udc80-\udcff]", lambda it: chr(ord(it[0]) - 0xDC00), text)


def _is_plain(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, bool | int)
