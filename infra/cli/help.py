"""The help in the reader's language: the commands' own texts, and the words of typer."""

import inspect
from collections.abc import Iterator
from typing import Any

import typer
from typer import rich_utils
from typer.core import TyperCommand, TyperGroup

from smartlink.i18n import _, told, translated

OPTION_NAMES = ["-h", "--help"]


class _Usage:
    """The usage line in the reader's language."""

    def get_usage(self, context: Any) -> str:  # noqa: ANN401  (typer's Context is private)
        usage: str = super().get_usage(context)  # type: ignore[misc]
        words = {
            "Usage: ": _("Usage: "),
            "[OPTIONS]": _("[OPTIONS]"),
            "COMMAND [ARGS]...": _("COMMAND [ARGS]..."),
        }
        for english, own in words.items():
            usage = usage.replace(english, told(own))
        return usage


class Command(_Usage, TyperCommand):
    """A command."""


class Group(_Usage, TyperGroup):
    """A group of commands."""


def translate(command: Any) -> None:  # noqa: ANN401  (typer's commands have no public type)
    """Put the help of a command, and of those below it, into the reader's language."""
    for holder, name, text in _texts(command):
        setattr(holder, name, translated(text))
    words = {
        "ARGUMENTS_PANEL_TITLE": _("Arguments"),
        "OPTIONS_PANEL_TITLE": _("Options"),
        "COMMANDS_PANEL_TITLE": _("Commands"),
        "DEFAULT_STRING": _("[default: {}]"),
        "REQUIRED_LONG_STRING": _("[required]"),
    }
    for name, own in words.items():
        setattr(rich_utils, name, told(own))


def texts(command: Any) -> Iterator[str]:  # noqa: ANN401
    """List the texts in the help of a command, and of those below it."""
    for _holder, _name, text in _texts(command):
        yield text


def _texts(command: Any) -> Iterator[tuple[Any, str, str]]:  # noqa: ANN401
    """Find each text of the help: the object that has it, its attribute, and what it is."""
    context = typer.Context(command, help_option_names=OPTION_NAMES)
    for holder in (command, *command.get_params(context)):
        for name in ("help", "epilog"):
            text = getattr(holder, name, None)
            if text:
                yield holder, name, _flowing(text)
    for each in getattr(command, "commands", {}).values():
        yield from _texts(each)


def _flowing(text: str) -> str:
    """Write each paragraph on one line: where the code breaks its lines is no matter of a text."""
    paragraphs = inspect.cleandoc(text).split("\n\n")
    return "\n\n".join(" ".join(it.split()) for it in paragraphs)
