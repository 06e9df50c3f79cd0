"""Tells wrong usage that typer finds: it has its sentences in English alone."""

import re
from collections.abc import Callable, Mapping

from typer.exceptions import TyperException

from infra.cli.screen import Screen
from smartlink.i18n import Text, _, data, told

_FORMS: Mapping[str, Callable[..., Text]] = {
    # typer's sentence → ours. A group of the pattern is a field of the text.
    r"Missing option '(?P<name>.*?)'\.(?s:.*)": lambda name: _(
        "the option {name} is missing", name=name
    ),
    r"Missing argument '(?P<name>.*?)'\.(?s:.*)": lambda name: _(
        "the argument {name} is missing", name=name
    ),
    r"Missing command\.": lambda: _("a command is missing"),
    r"No such command '(?P<name>.*?)'\.": lambda name: _("there is no command {name}", name=name),
    r"No such command '(?P<name>.*?)'\. Did you mean '(?P<near>.*)'\?": lambda name, near: _(
        "there is no command {name}: did you mean {near}?", name=name, near=near
    ),
    r"No such option: (?P<name>\S*)": lambda name: _("there is no option {name}", name=name),
    r"No such option: (?P<name>\S*) \(Possible options: (?P<near>.*)\)": lambda name, near: _(
        "there is no option {name}: did you mean {near}?", name=name, near=near
    ),
    r"Option '(?P<name>.*?)' requires an argument\.": lambda name: _(
        "the option {name} needs a value", name=name
    ),
    r"Option '(?P<name>.*?)' does not take a value\.": lambda name: _(
        "the option {name} takes no value", name=name
    ),
    r"Got unexpected extra argument\(s\) \((?P<names>.*)\)": lambda names: _(
        "there are arguments too many: {names}", names=names
    ),
    r"Invalid value for (?P<name>.*?): (?P<problem>(?s:.*))": lambda name, problem: _(
        "the value of {name} is wrong: {problem}", name=name, problem=_words(problem)
    ),
    r"Input should be a valid integer.*": lambda: _("a whole number is wanted"),
    r"Input should be a valid number.*": lambda: _("a number is wanted"),
    r"Input should be greater than or equal to (?P<least>.*)": lambda least: _(
        "at least {least} is wanted", least=least
    ),
    r"Input should be less than or equal to (?P<most>.*)": lambda most: _(
        "at most {most} is wanted", most=most
    ),
    r"(?:Value error, )?'(?P<value>.*)' is not one of (?P<names>.*)\.": lambda value, names: _(
        "{value} is none of {names}", value=value, names=names.replace("'", "")
    ),
}


def misuse(error: TyperException, screen: Screen) -> int:
    """Tell the error, and where the usage stands; returns the exit code."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        return error.exit_code  # the help is on the screen already
    if context is not None:
        screen.note(data(context.get_usage()))
        name, option = context.command_path, context.help_option_names[0]
        screen.note(_("Try '{name} {option}' for help.", name=name, option=option))
    screen.note(data(f"smartlink: {told(_words(error.format_message()))}"), "red")
    return error.exit_code


def _words(message: str) -> Text:
    for pattern, text in _FORMS.items():
        if found := re.fullmatch(pattern, message):
            return text(**found.groupdict())
    return data(message)
