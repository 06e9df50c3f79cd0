"""Texts that are translated when they are shown."""

import string
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Self

from smartlink.domain.said import Said
from smartlink.i18n import forms
from smartlink.i18n.language import Language, catalogue, current

_Render = Callable[[Language], str]


class Text(str):
    """A text for people. As a `str` it is English; `told` writes it in the reader's language."""

    _in: _Render
    __slots__ = ("_in",)

    def __new__(cls, render: _Render) -> Self:
        """Take the function that writes the text in a language."""
        self = super().__new__(cls, render(Language.ENGLISH))
        self._in = render
        return self

    def __add__(self, other: str) -> "Text":
        """Put two texts together; the second may be data."""
        return joined("", (self, other))

    def filled(self, **fields: object) -> "Text":
        """Give the fields of a text that was marked without them, such as one of a table."""
        return Text(lambda language: _filled(self.told(language), fields, language))

    def told(self, language: Language) -> str:
        """Write the text in this language."""
        return self._in(language)


def _(msgid: str, /, **fields: object) -> Text:
    """Mark a text. Its fields stand in it as `{name}`; without fields braces are braces."""
    return Text(lambda language: _written(msgid, msgid, 1, fields, language, many=False))


def plural(one: str, more: str, number: int, /, **fields: object) -> Text:
    """Mark a text whose form depends on a number, which stands in it as `{number}`."""
    own = {"number": number, **fields}
    return Text(lambda language: _written(one, more, number, own, language, many=True))


def translated(msgid: str) -> str:
    """Look up a text that needs no mark, such as the help of a command."""
    return _written(msgid, msgid, 1, {}, current(), many=False)


def span(value: timedelta, units: int = 3) -> Text:
    """Take a time span, of which so many of its largest units are told."""
    return Text(lambda language: forms.duration(value, language, units))


def data(value: object) -> Text:
    """Take what is in no language: a name, an id, a stored text."""
    return Text(lambda language: told(value, language))


def joined(between: str, parts: Iterable[object]) -> Text:
    """Put texts and data together."""
    own = list(parts)
    return Text(lambda language: told(between, language).join(told(it, language) for it in own))


def told(value: object, language: Language | None = None) -> str:
    """Write a value in the reader's language: a text, an error's text, a number, a time span."""
    spoken = language or current()
    if isinstance(value, BaseException) and value.args and isinstance(value.args[0], Text | Said):
        value = value.args[0]
    match value:
        case Text():
            return value.told(spoken)
        case Said() if spoken is not Language.ENGLISH:
            return _translated(value, spoken)
        case int() if type(value) is int:  # no bool, and no enumeration
            return forms.number(value, spoken)
        case timedelta():
            return forms.duration(value, spoken)
    return value if isinstance(value, str) else str(value)


def _translated(value: Said, language: Language) -> str:
    """Write what the relay's code said. A field that has a form (`{rows:,}`) is a number."""
    template = catalogue(language).gettext(value.template)
    text = _Fields(language).vformat(template, (), value.fields) if value.fields else template
    return f"⟦{text}⟧" if language is Language.PSEUDO else text


class _Fields(string.Formatter):
    """Writes fields in a language's form."""

    def __init__(self, language: Language) -> None:
        self._language = language

    def format_field(self, value: object, format_spec: str) -> str:
        if isinstance(value, float):
            return forms.decimal(value, format_spec, self._language)
        return told(value, self._language)


def _written(
    one: str,
    more: str,
    number: int,
    fields: dict[str, object],
    language: Language,
    *,
    many: bool,
) -> str:
    words = catalogue(language)
    template = words.ngettext(one, more, number) if many else words.gettext(one)
    if fields:
        template = _filled(template, fields, language)
    return f"⟦{template}⟧" if language is Language.PSEUDO else template


def _filled(template: str, fields: dict[str, object], language: Language) -> str:
    return template.format(**{name: told(it, language) for name, it in fields.items()})
