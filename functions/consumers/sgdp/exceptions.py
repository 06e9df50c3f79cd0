"""TPD's `exceptionAttributes`: what the law keeps of a person, and why."""

from collections.abc import Mapping, Sequence

from consumers.sgdp.model import Attribute, Model
from consumers.sgdp.person import Record

Answer = Mapping[str, object]

_TYPES = {
    "str": "String",
    "date": "Date",
    "datetime": "Date",
    "Decimal": "Decimal",
    "int": "Integer",
}


def exceptions(records: Sequence[Record]) -> Answer:
    """Build TPD's `exceptionAttributes`: what is kept in these rows, and why."""
    models = {record.model.class_name: record.model for record in records}
    kept = {name: _kept(model) for name, model in models.items()}
    return {
        name: {"description": models[name].description, "attributes": attributes}
        for name, attributes in kept.items()
        if attributes
    }


def _kept(model: Model) -> dict[str, object]:
    return {item.name: _described(item) for item in model.attributes if item.mask is None}


def _described(item: Attribute) -> dict[str, object]:
    spec = item.spec
    kind = item.kind.__name__
    return {
        "type": _TYPES.get(kind, kind),
        "description": spec.description,
        "sgdpData": {
            "sensitive": spec.sensitive,
            "type": spec.identifier or "EMPTY",
            "allowsAnonymization": item.mask is not None,
            "identification": spec.identifier is not None,
        },
        "sgdpPurposes": [
            {"classification": it.classification, "justification": it.justification}
            for it in item.purposes
        ],
        "reason": spec.keep,
    }
