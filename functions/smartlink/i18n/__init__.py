"""What operators read, in their language. The command line, operations and the console use it.

A text is marked where it is written: `_("{count} is too large", count=7)`, and `plural(…)` where a
number decides its form. It is a `Text`: a `str` in English, for records and programs, which `told`
writes in the reader's language. So errors, checks and views carry their texts untranslated through
every thread, and only the screen knows a language. No relay function imports this package.
"""

from smartlink.i18n.language import Language, chosen, current, speak, spoken
from smartlink.i18n.text import Text, _, data, joined, plural, span, told, translated

__all__ = [
    "Language",
    "Text",
    "_",
    "chosen",
    "current",
    "data",
    "joined",
    "plural",
    "span",
    "speak",
    "spoken",
    "told",
    "translated",
]
