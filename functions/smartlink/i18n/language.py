"""The languages, which of them the reader has, and their catalogues."""

import gettext
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import cache
from pathlib import Path

CATALOGUES = Path(__file__).parent / "catalogues"
DOMAIN = "smartlink"


class Language(StrEnum):
    """A language that has a catalogue."""

    ENGLISH = "en"
    PORTUGUESE = "pt-BR"
    PSEUDO = "en-XA"
    """English in brackets, by which a test finds what is not marked for translation."""

    @property
    def locale(self) -> str:
        """Babel's name of the locale."""
        return "en" if self is Language.PSEUDO else self.replace("-", "_")


_variables = ("SMARTLINK_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
_process = Language.ENGLISH
_here: ContextVar[Language | None] = ContextVar("language", default=None)


def chosen(asked: str | None, environ: Mapping[str, str]) -> Language | None:
    """Choose the language: the one asked for, else the environment's, else English.

    None: what is asked for is no language of ours.
    """
    if asked is not None:
        return _named(asked)
    name = next((value for it in _variables if (value := environ.get(it))), "")
    if name == Language.PSEUDO:
        return Language.PSEUDO
    return _named(name) or Language.ENGLISH


def _named(name: str) -> Language | None:
    """Read `pt`, `pt-BR`, `pt_BR.UTF-8`, `en_US` and the like."""
    match name.partition(".")[0].replace("_", "-").casefold().partition("-")[0]:
        case "pt":
            return Language.PORTUGUESE
        case "en":
            return Language.ENGLISH
    return None


def current() -> Language:
    """Return the reader's language."""
    return _here.get() or _process


def speak(language: Language) -> None:
    """Set the language of this process, all of whose output one person reads."""
    global _process  # noqa: PLW0603  (a process has one reader, and its threads tell him too)
    _process = language


@contextmanager
def spoken(language: Language) -> Iterator[None]:
    """Set the language of this block, such as one request of many readers."""
    token = _here.set(language)
    try:
        yield
    finally:
        _here.reset(token)


@cache
def catalogue(language: Language) -> gettext.NullTranslations:
    """Load a language's catalogue."""
    if language is Language.PSEUDO:
        return gettext.NullTranslations()
    return gettext.translation(DOMAIN, CATALOGUES, [language.locale])
