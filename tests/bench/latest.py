"""`.bench/latest.json`: the newest figures of each part, whenever it was measured."""

from collections.abc import Mapping
from typing import Any

LATEST = "latest.json"
_ABOUT = ("at", "quick", "machine")


def merged(before: Mapping[str, Any], results: Mapping[str, Any]) -> dict[str, Any]:
    """The results, with what earlier runs measured and this one did not.

    `measured` tells of each part when, how thoroughly and on what it was measured; comparisons
    are such parts by their names.
    """
    about = {key: results[key] for key in _ABOUT if key in results}
    comparisons = {it["name"]: it for it in before.get("comparisons", ())}
    comparisons |= {it["name"]: it for it in results.get("comparisons", ())}
    parts = [key for key in results if key not in {*_ABOUT, "notes", "comparisons"}]
    parts += [it["name"] for it in results.get("comparisons", ())]
    return {
        **before,
        **results,
        "comparisons": list(comparisons.values()),
        "measured": {**before.get("measured", {}), **dict.fromkeys(parts, about)},
    }
