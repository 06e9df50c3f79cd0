"""Adds an entry to `infra/catalog.json`, and keeps the formatting that people chose."""

import json
import re
from collections.abc import Mapping

from infra.authors.errors import AuthorError
from smartlink.domain.catalog import CatalogError, parse_catalog

_COMMANDS = re.compile(r'"commands"\s*:\s*(?=\{)')
_INDENT = re.compile(r'\n([ \t]*)"')
PLACE = "infra/catalog.json"


def with_entry(text: str, command: str, entry: Mapping[str, object]) -> str:
    """Return the file's text with one more command; nothing else in the text changes.

    Raises AuthorError if the file, without or with this entry, is not a valid catalogue.
    """
    before = _parsed(text)
    opening, closing = _commands_object(text, before["commands"])
    last = len(text[:closing].rstrip())
    indent = match[1] if (match := _INDENT.search(text, opening)) else "    "
    body = json.dumps(entry, indent=2, ensure_ascii=False).replace("\n", f"\n{indent}")
    added = f'{text[:last]},\n{indent}"{command}": {body}{text[last:]}'
    try:
        parse_catalog(added)
    except CatalogError as error:
        message = f"{PLACE} cannot take {command}: {error}."
        raise AuthorError(message) from None
    expected = {**before, "commands": {**before["commands"], command: dict(entry)}}
    if json.loads(added) != expected:
        message = f"{PLACE} is written in a way that no entry can be put into: add it by hand."
        raise AuthorError(message)
    return added


def _parsed(text: str) -> dict[str, dict[str, object]]:
    try:
        parse_catalog(text)
    except CatalogError as error:
        message = f"{PLACE}: {error}. Fix it first."
        raise AuthorError(message) from None
    parsed: dict[str, dict[str, object]] = json.loads(text)
    return parsed


def _commands_object(text: str, commands: object) -> tuple[int, int]:
    """Return where the object of the commands begins, and the place of its closing brace."""
    decoder = json.JSONDecoder()
    for match in _COMMANDS.finditer(text):
        value, end = decoder.raw_decode(text, match.end())
        if value == commands:
            return match.end(), end - 1
    message = f'{PLACE} has no "commands": {{…}} that an entry can be put into: add it by hand.'
    raise AuthorError(message)
