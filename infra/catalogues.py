"""``python -m infra.catalogues`` brings the catalogues of what operators read up to date.

It looks for marked texts and the help of every command, adds what is new to each catalogue without
a translation, takes out what is gone, and compiles. English is its own translation.
"""

import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from infra.cli.app import help_texts
from smartlink.i18n import Language
from smartlink.i18n.language import CATALOGUES, DOMAIN

ROOT = Path(__file__).resolve().parents[1]
PLACES = (
    "functions/smartlink/i18n",
    "functions/smartlink/operations",
    "functions/smartlink/adapters/firestore",
    "functions/smartlink/adapters/google",
    "functions/smartlink/domain",
    "functions/consumers/sgdp",
    "functions/console",
    "infra/cli",
)
"""Where marked texts stand."""
LANGUAGES = (Language.ENGLISH, Language.PORTUGUESE)
# `said` is the mark in the relay's code, which knows no language.
_KEYWORDS = {"_": None, "plural": (1, 2), "said": None}
_HEADERS = [
    # No date and no version that change: each would be a conflict of two branches.
    ("Project-Id-Version", "smartlink 1"),
    ("Report-Msgid-Bugs-To", ""),
    ("POT-Creation-Date", "2026-01-01 00:00+0000"),
    ("PO-Revision-Date", "2026-01-01 00:00+0000"),
    ("Last-Translator", ""),
    ("Language-Team", ""),
    ("Plural-Forms", "nplurals=2; plural=(n != 1);"),
    ("Content-Type", "text/plain; charset=utf-8"),
]
_METHODS = [("**.py", "python"), ("**.html", "jinja2")]


def po_file(language: Language) -> Path:
    """The catalogue of a language, as people edit it."""
    return CATALOGUES / language.locale / "LC_MESSAGES" / f"{DOMAIN}.po"


def mo_file(language: Language) -> Path:
    """The same, as the programs read it."""
    return po_file(language).with_suffix(".mo")


def template() -> Catalog:
    """Collect the texts that the code has."""
    found = Catalog()
    for place, message in _marked():
        found.add(message, locations=[(place, 0)])
    for text in help_texts():
        found.add(text, locations=[("infra/cli", 0)])
    return found


def _marked() -> Iterator[tuple[str, str | tuple[str, ...]]]:
    for place in PLACES:
        folder = ROOT / place
        if folder.is_dir():
            options: dict[str, dict[str, object]] = {"**.html": {"silent": "false"}}
            for name, _line, message, _comments, _context in extract_from_dir(
                str(folder), _METHODS, options, _KEYWORDS
            ):
                yield f"{place}/{name}", message


def read(language: Language) -> Catalog:
    """Read a language's catalogue."""
    with po_file(language).open("rb") as file:
        return read_po(file, language.locale)


def compiled(catalogue: Catalog) -> bytes:
    """Compile a catalogue."""
    data = BytesIO()
    write_mo(data, catalogue)
    return data.getvalue()


def written(catalogue: Catalog) -> bytes:
    """Write a catalogue as people edit it: sorted, with files and no line numbers."""
    data = BytesIO()
    write_po(
        data, catalogue, width=100, sort_output=True, ignore_obsolete=True, include_lineno=False
    )
    return data.getvalue()


def updated(language: Language, texts: Catalog) -> Catalog:
    """Bring a language's catalogue up to date."""
    file = po_file(language)
    catalogue = read(language) if file.is_file() else Catalog(language.locale)
    catalogue.fuzzy = False
    catalogue.header_comment = "# What operators read. CONTRIBUTING.md says how to change it."
    catalogue.mime_headers = _HEADERS
    catalogue.update(texts, no_fuzzy_matching=True, update_creation_date=False)
    if language is Language.ENGLISH:
        for message in catalogue:
            if message.id:
                message.string = message.id
    return catalogue


def main() -> None:
    """Bring both up to date, and say what is left to translate."""
    for language in LANGUAGES:
        catalogue = updated(language, template())
        po_file(language).parent.mkdir(parents=True, exist_ok=True)
        po_file(language).write_bytes(written(catalogue))
        mo_file(language).write_bytes(compiled(catalogue))
        left = sum(not all(strings(it)) for it in catalogue if it.id)
        sys.stdout.write(f"{po_file(language).relative_to(ROOT)}: {len(catalogue)} texts")
        sys.stdout.write(f", {left} without a translation\n" if left else "\n")


def strings(message: Message) -> tuple[str, ...]:
    """The forms of a translation: one, or as many as the language has."""
    string = message.string or ""
    return (string,) if isinstance(string, str) else tuple(string)


if __name__ == "__main__":
    main()
