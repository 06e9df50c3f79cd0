"""Makes texts that others wrote harmless to look at, on a terminal and on a page."""

_BREAKS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"
_SURROGATES = ("\ud800", "\udfff")


def clean(text: str) -> str:
    """Make one line of a text that others wrote, and nothing that steers the operator's terminal.

    A line break shows as `⏎`: else a text could look like lines of ours. Whatever has no picture of
    its own (control characters, marks that turn the direction of writing) shows as `·`.
    """
    if text.isprintable():
        return text
    return "".join(map(_picture, text.rstrip("\r\n").replace("\r\n", "\n")))


def clean_lines(text: str) -> str:
    """Does the same to each line of a text of several."""
    return "\n".join(map(clean, text.split("\n")))


def _picture(char: str) -> str:
    if char.isprintable() and not _SURROGATES[0] <= char <= _SURROGATES[1]:
        return char
    if char in _BREAKS:
        return "⏎"
    return " " if char in "\t\xa0" else "·"
