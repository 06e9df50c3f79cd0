"""How a column is anonymised: the rules that a personal data map may name."""

from typing import Annotated, Literal

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
    """Writes the same value for everybody; a date is written `2000-01-31`."""

    rule: Literal["constant"]
    value: str | int | float


class HashMask(MapPart):
    """Writes a pseudonym, HMAC-SHA256 with the secret's salt: one value, one pseudonym."""

    rule: Literal["hash"]


class TruncateDateMask(MapPart):
    """Leaves of a date its year, or its year and month."""

    rule: Literal["truncateDate"]
    to: Literal["year", "month"]


class FakeMask(MapPart):
    """Writes something of the same shape, drawn from the salt and the value; a CPF stays valid."""

    rule: Literal["fake"]


Mask = Annotated[
    NullMask | ConstantMask | HashMask | TruncateDateMask | FakeMask, Field(discriminator="rule")
]
