"""Reads an identifier of a person: never an argument, which shells and process lists show."""

import re
import sys

import typer

from consumers.sgdp.identifiers import CPF_DIGITS, canonical
from consumers.sgdp.personal_data import IDENTIFIER
from infra.cli.errors import UsageError
from smartlink.i18n import _, told

_HOW = _("write it as KIND=VALUE (RG=…, RA=…); a CPF or an e-mail may stand alone")


def read_identifier() -> tuple[str, str]:
    """Ask for it unseen, or read the first line of stdin; answers its kind and canonical value.

    Raises UsageError, which does not quote it.
    """
    if sys.stdin.isatty():
        text = typer.prompt(
            told(_("Identifier (CPF, e-mail, or KIND=VALUE)")), hide_input=True, err=True
        )
    else:
        text = sys.stdin.readline()
    return parse_identifier(text)


def parse_identifier(text: str) -> tuple[str, str]:
    """Raises UsageError, which does not quote it."""
    kind, equals, value = text.strip().partition("=")
    if not equals:
        kind, value = _guessed(kind), kind
    kind = kind.strip().upper()
    found = canonical(kind, value)
    if not re.fullmatch(IDENTIFIER, kind) or not found:
        message = _("that is no identifier: {how}", how=_HOW)
        raise UsageError(message)
    return kind, found


def _guessed(value: str) -> str:
    if "@" in value:
        return "EMAIL"
    digits = re.sub(r"[.\-/\s]", "", value)
    if digits.isascii() and digits.isdigit() and len(digits) == CPF_DIGITS:
        return "CPF"
    message = _("what kind of identifier is it? {how}", how=_HOW)
    raise UsageError(message)
