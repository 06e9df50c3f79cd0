"""The identifiers that a request of TPD names a person by."""

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Annotated

from pydantic import BeforeValidator, Field, RootModel

from consumers.sgdp.identifiers import WEAK, canonical, is_cpf
from consumers.sgdp.personal_data import IDENTIFIER
from smartlink.consumer import FatalError

_LENGTH = 254  # characters; an e-mail address has no more
_USUAL = ("CPF", "RG", "EMAIL")


def storable(text: str) -> str:
    """Refuse, as pydantic's validator, what some databases cannot take: NUL, half surrogates."""
    if "\0" in text or re.search("[\ud800-\udfff]", text):
        message = "it has characters that no database can hold"
        raise ValueError(message)
    return text


def _text(value: object) -> object:
    """Numbers as texts, blanks as absent; what else it may be, pydantic refuses."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return storable(value.strip()) or None if isinstance(value, str) else value


def _named(value: object) -> object:
    """Names in capitals; of the unusual ones, what no map can name or hold is ignored."""
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        return value
    cased = {str(name).upper(): item for name, item in value.items()}
    return {name: item for name, item in cased.items() if name in _USUAL or _usable(name, item)}


def _usable(name: str, value: object) -> bool:
    text = isinstance(value, str | int) and len(str(value)) <= _LENGTH
    return text and re.fullmatch(IDENTIFIER, name) is not None


_Text = Annotated[Annotated[str, Field(max_length=_LENGTH)] | None, BeforeValidator(_text)]
_Named = Annotated[dict[str, _Text], Field(max_length=20), BeforeValidator(_named)]


class Identifiers(RootModel[_Named]):
    """By the identifier's name in capitals: CPF, RG, EMAIL, and others that a map knows."""

    root: _Named = Field(default_factory=dict)

    def __repr_args__(self) -> Iterator[tuple[str | None, object]]:
        """Name the identifiers, without what they hold: a root model would show that."""
        yield from ((name, "…") for name in self.root)

    @property
    def empty(self) -> bool:
        """Whether none is given."""
        return not any(self.root.values())

    @property
    def cpf(self) -> str | None:
        """The CPF's digits, if one is given."""
        text = self.root.get("CPF")
        return canonical("CPF", text) if text else None

    def strongest_first(self, known: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield those that are given and known, comparable: CPF first, RG and e-mail last."""
        kinds = sorted(kind for kind in set(self.root) & set(known) - {"CPF", *WEAK})
        for kind in ("CPF", *kinds, *WEAK):
            value = canonical(kind, self.root.get(kind) or "")
            if kind in known and value.strip("0"):  # of nothing but punctuation nothing is left
                yield kind, value

    def needed(self, known: Collection[str]) -> "Identifiers":
        """Return these, or raise FatalError if nobody can be looked for by them."""
        if self.cpf and not (is_cpf(self.cpf) and self.cpf.strip("0")):
            message = "the request's CPF is none: send it again with one of 11 digits"
            raise FatalError(message)
        if not any(self.strongest_first(known)):
            message = (
                f"the request has no identifier that the ERP's personal data map knows "
                f"({', '.join(sorted(known))}): send it again with one"
            )
            raise FatalError(message)
        return self
