"""Loads a command's consumer, or says in one line why its module cannot be loaded."""

import traceback
from pathlib import Path

from infra.authors.errors import AuthorError
from infra.local.checkout import FUNCTIONS
from smartlink.bootstrap import load_consumer
from smartlink.consumer import Consumer
from smartlink.settings import SettingsError


def loaded_consumer(command: str, module: str) -> Consumer:
    """Load the consumer. Raises AuthorError, which names the command, the file and the line."""
    try:
        return load_consumer(command, module)
    except Exception as error:  # an author's module may raise anything
        message = f"{command} cannot be loaded: {_explain(error)}"
        raise AuthorError(message) from error


def _explain(error: Exception) -> str:
    """Say in one line which error was raised, and in which line of a consumer."""
    if isinstance(error, SettingsError):
        return str(error)
    if isinstance(error, SyntaxError) and error.filename:
        return f"{_short(error.filename)}, line {error.lineno}: {error.msg}"
    text = f"{type(error).__name__}: {error}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(FUNCTIONS / "consumers"):
            return f"{_short(frame.filename)}, line {frame.lineno}: {text}"
    return text


def _short(name: str) -> str:
    path = Path(name)
    inside = path.is_relative_to(FUNCTIONS)
    return str(path.relative_to(FUNCTIONS.parent) if inside else path)
