"""The bytes of a JSON text from outside: editors of Windows put a byte order mark before it.

Notepad and PowerShell 5 write UTF-8 with a mark, or UTF-16. Whoever parses a text that a person or
another server wrote takes the mark away here first.
"""

import codecs
from typing import overload

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with that of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@overload
def unmarked(text: str) -> str: ...
@overload
def unmarked(text: bytes) -> bytes: ...
def unmarked(text: str | bytes) -> str | bytes:
    """Returns the text without its byte order mark; bytes become UTF-8.

    Bytes that are not what their mark says are returned as they are.
    """
    if isinstance(text, str):
        return text.removeprefix("\ufeff")
    for mark, encoding in _MARKS:
        if text.startswith(mark):
            rest = text[len(mark) :]
            if encoding == "utf-8":
                return rest
            try:
                return rest.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
            except UnicodeDecodeError:
                return text
    return text
