"""The maps that come with the product, and the JSON Schema by which editors check one."""

import json
import re
from pathlib import Path

from pydantic import ValidationError

from consumers.sgdp.map_error import MapError, refuse
from consumers.sgdp.personal_data import PersonalDataMap
from smartlink.domain.said import Said, said
from smartlink.domain.shape import refused

FOLDER = Path(__file__).parent
SCHEMA = FOLDER / "personal-data-map.schema.json"
_MOST_PROBLEMS = 10


def named_map(name: str) -> object:
    """Read `maps/<name>.json`. Raises MapError if there is none."""
    known = sorted(path.stem for path in FOLDER.glob("*.json") if path != SCHEMA)
    if not re.fullmatch(r"[a-z0-9_-]{1,63}", name) or name not in known:
        refuse("map", said("no map of that name is deployed, only {known}", known=", ".join(known)))
    loaded: object = json.loads((FOLDER / f"{name}.json").read_bytes())
    return loaded


def parse_map(value: object) -> PersonalDataMap:
    """Check a map in itself. Raises MapError with every place at which it is wrong."""
    try:
        # As JSON, so that nothing but what JSON can say is taken.
        parsed = PersonalDataMap.model_validate_json(json.dumps(value))
    except ValidationError as error:
        raise MapError(*_problems(error)) from None
    parsed.check()
    return parsed


def json_schema() -> str:
    """Write the map's JSON Schema as the text of its file."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **PersonalDataMap.model_json_schema(by_alias=True),
    }
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _problems(error: ValidationError) -> list[tuple[str, Said]]:
    found = error.errors(include_input=False, include_url=False, include_context=False)
    return [
        (".".join(str(part) for part in ("map", *item["loc"])), refused(item["msg"]))
        for item in found[:_MOST_PROBLEMS]
    ]
