"""Reads a tenant's credentials from a file or stdin, or asks for them without echo."""

import json
import sys
from pathlib import Path

import typer

from infra.cli.errors import UsageError, os_words
from smartlink.domain.json_bytes import unmarked
from smartlink.i18n import _

_SIZE = 65_536  # bytes of a secret's payload


def read_credentials(source: str | None) -> dict[str, object]:
    """Return the document from a file, from stdin (`-`) or from a question (None).

    Credentials are never an argument. Raises UsageError.
    """
    return _document(source) if source else _asked()


def _asked() -> dict[str, object]:
    if not sys.stdin.isatty():
        message = _(
            "There is no terminal to ask at: give --from-file FILE, or --from-file - (stdin)"
        )
        raise UsageError(message)
    return {
        "clientId": typer.prompt("clientId", hide_input=True, err=True).strip(),
        "clientSecret": typer.prompt("clientSecret", hide_input=True, err=True).strip(),
    }


def _document(source: str) -> dict[str, object]:
    place = "stdin" if source == "-" else source
    try:
        data = sys.stdin.buffer.read(_SIZE) if source == "-" else Path(source).read_bytes()
        document = json.loads(unmarked(data))
    except OSError as error:
        message = _("{place} cannot be read: {problem}", place=place, problem=os_words(error))
        raise UsageError(message) from None
    except ValueError:
        # The error's text must not hold the input, because it holds a secret.
        document = None
    if not isinstance(document, dict):
        message = _('{place} is not {{"clientId": "…", "clientSecret": "…"}}', place=place)
        raise UsageError(message)
    return document
