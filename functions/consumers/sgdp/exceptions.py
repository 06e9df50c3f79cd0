"""TPD's `exceptionAttributes`: what the law keeps of a person, and why."""

from collections.abc import Iterable, Mapping, Sequence

from consumers.sgdp.copies import Copy
from consumers.sgdp.model import Attribute, Model
from consumers.sgdp.person import Record

Answer = Mapping[str, object]

# The answer is read by the person and the controller, in Portuguese as the map's reasons are.
_OUTSIDE = "Fora do mapa de dados pessoais"
_COPIED = "Cópia de dados do titular que o ERP guarda aqui; não foi anonimizada"
_NOT_LOOKED = "Não se pôde verificar se o ERP guarda aqui dados do titular"

_TYPES = {
    "str": "String",
    "date": "Date",
    "datetime": "Date",
    "Decimal": "Decimal",
    "int": "Integer",
}


def exceptions(records: Sequence[Record]) -> dict[str, object]:
    """Build TPD's `exceptionAttributes`: what is kept in these rows, and why."""
    models = {record.model.class_name: record.model for record in records}
    kept = {name: _kept(model) for name, model in models.items()}
    return {
        name: {"description": models[name].description, "attributes": attributes}
        for name, attributes in kept.items()
        if attributes
    }


def outside_the_map(copies: Iterable[Copy]) -> dict[str, object]:
    """Add the columns outside the personal data map that hold the person's values: by table, as
    classes are, since TPD knows no other place for what is not anonymised."""
    tables: dict[str, dict[str, object]] = {}
    for copy in copies:
        tables.setdefault(copy.table, {})[copy.column] = _copied(copy)
    return {
        name: {"description": _OUTSIDE, "attributes": attributes}
        for name, attributes in tables.items()
    }


def _copied(copy: Copy) -> dict[str, object]:
    reason = f"{_NOT_LOOKED}: {copy.problem}" if copy.problem else _COPIED
    return {
        "type": "String",
        "description": _OUTSIDE,
        "sgdpData": {
            "sensitive": False,
            "type": "EMPTY",
            "allowsAnonymization": False,
            "identification": False,
        },
        "sgdpPurposes": [],
        "reason": reason,
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
