"""How a column is anonymised: the rules that a personal data map may name."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class MapPart(BaseModel):
    """A part of a map: JSON whose every name is known."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, populate_by_name=True
    )


class NullMask(MapPart):
    """Writes NULL."""

    rule: Literal["null"]


class ConstantMask(MapPart):
    """Writes the same value for everybody.

    A date is written `2000-01-31`; a document as JSON, or as a text that is JSON; a list as JSON,
    or as the database writes one; what else a column may hold as the text that it reads.
    """

    rule: Literal["constant"]
    value: bool | int | float | str | dict[str, Any] | list[Any]


class HashMask(MapPart):
    """Writes a pseudonym, HMAC-SHA256 with the secret's salt: one value, one pseudonym."""

    rule: Literal["hash"]


class DrawMask(MapPart):
    """Writes a short value that no other row of the table has, drawn from salt and value."""

    rule: Literal["draw"]


class TruncateDateMask(MapPart):
    """Leaves of a date its year, or its year and month."""

    rule: Literal["truncateDate"]
    to: Literal["year", "month"]


class FakeMask(MapPart):
    """Writes something of the same shape, drawn from the salt and the value; a CPF stays valid."""

    rule: Literal["fake"]


class RedactMask(MapPart):
    """Leaves a free text, with `***` for the person's own name, identifiers and phone in it."""

    rule: Literal["redact"]


class RemoveMask(MapPart):
    """Takes a member out of a document."""

    rule: Literal["remove"]


PartMask = Annotated[
    NullMask | ConstantMask | HashMask | FakeMask | RedactMask | RemoveMask,
    Field(discriminator="rule"),
]


class JsonMask(MapPart):
    """Masks the parts of a JSON document, each as its path says.

    A path is a JSON pointer; `*` in it is every member or item. `others` says what becomes of
    the parts that no path leads to: they are kept, or removed.
    """

    rule: Literal["json"]
    paths: Annotated[
        Mapping[Annotated[str, Field(pattern=r"^(/([^~/]|~[01])*)+$", max_length=500)], PartMask],
        Field(min_length=1, max_length=100),
    ]
    others: Literal["keep", "remove"]


ItemMask = Annotated[
    NullMask | ConstantMask | HashMask | FakeMask | RedactMask, Field(discriminator="rule")
]


class EachMask(MapPart):
    """Masks each item of a list."""

    rule: Literal["each"]
    mask: ItemMask


Mask = Annotated[
    NullMask
    | ConstantMask
    | HashMask
    | DrawMask
    | TruncateDateMask
    | FakeMask
    | RedactMask
    | JsonMask
    | EachMask,
    Field(discriminator="rule"),
]


def parts(mask: Mask | PartMask | None) -> Iterator[Mask | PartMask]:
    """Yield a mask and those within it."""
    if mask is None:
        return
    yield mask
    if isinstance(mask, JsonMask):
        yield from mask.paths.values()
    elif isinstance(mask, EachMask):
        yield mask.mask


def draws(mask: Mask | PartMask | None) -> bool:
    """Tell whether masking twice would change a value twice."""
    return any(isinstance(part, HashMask | FakeMask | DrawMask) for part in parts(mask))


def redacts(mask: Mask | PartMask | None) -> bool:
    """Tell whether the mask looks for the person's own values within a text."""
    return any(isinstance(part, RedactMask) for part in parts(mask))
