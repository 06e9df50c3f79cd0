"""How TPD names a person, in a form that can be compared."""

import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import BeforeValidator, Field

from consumers.sgdp.personal_data import Identifier
from smartlink.consumer import FatalError, Payload

CPF_DIGITS = 11


def _text(value: object) -> object:
    """Numbers as texts, blanks as absent; what else it may be, pydantic refuses."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.strip() or None if isinstance(value, str) else value


_Text = Annotated[
    Annotated[str, Field(max_length=254)] | None, BeforeValidator(_text), Field(repr=False)
]


class Identifiers(Payload):
    """At least one is needed; those that no table here knows are ignored."""

    cpf: _Text = None
    rg: _Text = None
    email: _Text = None

    def strongest_first(self) -> Iterator[tuple[Identifier, str]]:
        """Yield those given. An RG is one person's only within a state; families share e-mails."""
        if self.cpf:
            yield "CPF", plain_cpf(self.cpf)
        if self.rg:
            yield "RG", plain(self.rg).upper()
        if self.email:
            yield "EMAIL", self.email.lower()

    def needed(self) -> "Identifiers":
        """Return these, or raise FatalError if nobody can be looked for by them."""
        if not any(self.strongest_first()):
            message = "the request has no identifier (CPF, RG or EMAIL): send it again with one"
            raise FatalError(message)
        if self.cpf and not re.fullmatch(rf"[0-9]{{{CPF_DIGITS}}}", plain_cpf(self.cpf)):
            message = "the request's CPF is none: send it again with one of 11 digits"
            raise FatalError(message)
        return self


def plain(text: str) -> str:
    """Strip a document's number of its punctuation."""
    return re.sub(r"[.\-/\s]", "", text)


def plain_cpf(text: str) -> str:
    """Reduce a CPF to its digits; who held it as a number has lost its leading zeros."""
    return plain(text).zfill(CPF_DIGITS)


def punctuated_cpf(digits: str) -> str:
    """Write a CPF as people do."""
    return f"{digits[:3]}.{digits[3:6]}.{digits[6:9]}-{digits[9:]}"
