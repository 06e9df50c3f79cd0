"""The contracts of the payloads: a JSON Schema for each command's model, in `infra/schemas`.

`make schemas` writes them, never a person. `x-breaking` lists the changes that break older messages
and that somebody accepted, each with its day and its reason.
"""

import json
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import BaseModel
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core.core_schema import DecimalSchema, ModelField

from infra.authors.compatibility import breaks
from infra.authors.constraints import Break
from infra.authors.errors import AuthorError
from smartlink.consumer import Consumer

DIALECT = "https://json-schema.org/draft/2020-12/schema"
BREAKING = "x-breaking"
FOLDER = Path("infra") / "schemas"
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a command's file should hold, and which changes in it would break older messages."""

    command: str
    path: Path
    stands: str | None  # the file's text; None: there is no file
    text: str | None  # the text that it should have; None: a raw consumer has no schema
    breaks: Sequence[Break] = ()

    @property
    def stale(self) -> bool:
        """Whether the file differs from what the model says."""
        return self.stands != self.text


def review(
    root: Path, consumers: Sequence[Consumer], *, accepted: str | None = None, today: date
) -> list[Contract]:
    """Compare every command's model with its file, and with the committed file.

    With the reason `accepted`, breaking changes are recorded in the text; without it they are
    listed in `breaks`. Files without a command come last and have no text. Raises AuthorError.
    """
    found = [_contract(root, consumer, accepted, today) for consumer in consumers]
    named = {contract.path for contract in found}
    orphans = sorted(set((root / FOLDER).glob("*.json")) - named)
    return [*found, *(Contract(path.stem, path, path.read_text("utf-8"), None) for path in orphans)]


class _ContractSchema(GenerateJsonSchema):
    """Makes pydantic's JSON Schema, and adds the digits of decimals and further names of fields."""

    def decimal_schema(self, schema: DecimalSchema) -> Json:
        """Add how many digits are accepted, as `x-maxDigits` and `x-decimalPlaces`."""
        found = {"x-maxDigits": schema.get("max_digits")}
        found["x-decimalPlaces"] = schema.get("decimal_places")
        digits = {word: value for word, value in found.items() if value is not None}
        return {**super().decimal_schema(schema), **digits}

    def model_field_schema(self, schema: ModelField) -> Json:
        """Add the other names of the field (AliasChoices) as `x-aliases`."""
        made = super().model_field_schema(schema)
        alias = schema.get("validation_alias")
        paths = [path for path in alias or () if isinstance(path, list)]
        names = [path[0] for path in paths if len(path) == 1]
        return {**made, "x-aliases": names} if len(names) > 1 else made


def schema_of(command: str, model: type[BaseModel]) -> Json:
    """Return the schema of what a sender may write. Raises AuthorError if a type has no schema."""
    try:
        schema = model.model_json_schema(
            by_alias=True, mode="validation", schema_generator=_ContractSchema
        )
    except PydanticInvalidForJsonSchema as error:
        message = (
            f"{command}: {model.__name__} has no JSON Schema ({error.message}): say what its field "
            f"takes with pydantic's WithJsonSchema."
        )
        raise AuthorError(message) from None
    return {"$schema": DIALECT, **schema}


def written(schema: Mapping[str, object]) -> str:
    """Return the text of a schema's file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def _contract(root: Path, consumer: Consumer, accepted: str | None, today: date) -> Contract:
    command, path = consumer.command, root / FOLDER / f"{consumer.command}.json"
    stands = path.read_text("utf-8") if path.is_file() else None
    if consumer.payload is None:
        return Contract(command, path, stands, None)
    schema = schema_of(command, consumer.payload)
    standing, head = _parsed(path, stands), _committed(root, path)
    committed = _parsed(path, head)
    acceptances = list(standing.get(BREAKING) or committed.get(BREAKING, ()))
    # The new schema is compared with the committed one, because nobody can send yet by another; or
    # with the present file if a breaking change was accepted since the commit.
    since = len(acceptances) > len(committed.get(BREAKING, ()))
    older = standing if since or head is None else committed
    broken = breaks(older, schema) if older else []
    if broken and accepted is not None:
        acceptances.append({"date": today.isoformat(), "reason": accepted})
        broken = []
    text = written({**schema, BREAKING: acceptances} if acceptances else schema)
    return Contract(command, path, stands, text, broken)


def _parsed(path: Path, text: str | None) -> Json:
    try:
        parsed = json.loads(text or "{}")
    except ValueError:
        parsed = None
    if not isinstance(parsed, dict):
        message = f"{path} holds no JSON object: restore it from git, then run make schemas."
        raise AuthorError(message)
    return parsed


def _committed(root: Path, path: Path) -> str | None:
    """Return the committed file, empty if it is not committed; None without git or any commit."""
    git = shutil.which("git")
    if git is None:
        return None

    def show(revision: str) -> "subprocess.CompletedProcess[bytes]":
        command = [git, "-C", str(root), "show", revision]
        return subprocess.run(command, capture_output=True, check=False)

    shown = show(f"HEAD:./{path.relative_to(root).as_posix()}")
    if shown.returncode == 0:
        return shown.stdout.decode()
    return "" if show("HEAD").returncode == 0 else None
