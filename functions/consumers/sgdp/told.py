"""What the log of a request tells the controller's report: numbers, and texts of the map.

It goes to `DATADEBUG`, as JSON, and holds nothing of a person.
"""

import json
from collections.abc import Mapping

from consumers.sgdp.exceptions import Answer

_MOST = 15_000  # characters; the log cuts at 16,000


def told(**facts: object) -> str:
    """Write facts for the report; reasons without their columns where these are too many."""
    text = _written(facts)
    if len(text) > _MOST and isinstance(kept := facts.get("kept"), Mapping):
        text = _written(facts | {"kept": {reason: len(names) for reason, names in kept.items()}})
    return text


def reasons(answer: Answer) -> dict[str, list[str]]:
    """List what `exceptionAttributes` keeps, `class.column`, by the reason why."""
    found: dict[str, list[str]] = {}
    for name, model in answer.items():
        attributes = model.get("attributes", {}) if isinstance(model, Mapping) else {}
        for attribute, described in attributes.items():
            reason = described.get("reason") if isinstance(described, Mapping) else None
            found.setdefault(str(reason or "?"), []).append(f"{name}.{attribute}")
    return found


def _written(facts: Mapping[str, object]) -> str:
    return json.dumps({"tpd": facts}, ensure_ascii=False, separators=(",", ":"))
