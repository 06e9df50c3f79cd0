"""Texts for people that code of the relay writes. It knows no language: the screen does.

`said("{name} has no such table", name=name)` is the English text, and keeps the template and the
fields. `smartlink.i18n.told` finds the template in the reader's catalogue.
"""

from collections.abc import Mapping, Sequence
from typing import Self


class Said(str):
    """A text in English, with what a translation needs."""

    template: str
    fields: Mapping[str, object]
    __slots__ = ("fields", "template")

    def __new__(cls, template: str, fields: Mapping[str, object] | None = None) -> Self:
        """Write the text. Without fields, braces in it are braces."""
        self = super().__new__(cls, template.format(**fields) if fields else template)
        self.template, self.fields = template, fields or {}
        return self


def said(template: str, /, **fields: object) -> Said:
    """Mark a text. The template is a literal; a field may be a marked text too."""
    return Said(template, fields)


def said_together(between: str, parts: Sequence[Said]) -> Said:
    """Put texts together. The template has no words, so no catalogue has it."""
    names = [f"part{number}" for number in range(len(parts))]
    template = between.join(f"{{{name}}}" for name in names)
    return Said(template, dict(zip(names, parts, strict=True)))
