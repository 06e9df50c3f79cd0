"""No operator's query needs an index that Firestore does not keep by itself."""

import json
from pathlib import Path

from smartlink.adapters.firestore.operator import FILTERED, PURGES

DECLARED = json.loads((Path(__file__).parents[3] / "infra/firestore.json").read_bytes())


def test_what_is_filtered_is_indexed() -> None:
    """Fields that are exempt from indexing cannot be filtered or ordered by."""
    exempt = {
        (it["collectionGroup"], it["fieldPath"])
        for it in DECLARED["fieldOverrides"]
        if not it["indexes"]
    }
    used = {(collection, name) for collection, names in FILTERED.items() for name in names}
    used |= {(shape.collection, shape.range) for shape in PURGES.values()}
    assert not used & exempt
