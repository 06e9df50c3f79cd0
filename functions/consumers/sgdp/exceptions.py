"""TPD's `exceptionAttributes`: what the law keeps of a person, and why."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from consumers.sgdp.copies import Copy
from consumers.sgdp.model import Attribute, Model
from consumers.sgdp.person import Held, Record

Answer = Mapping[str, object]

# The answer is read by the person and the controller, in Portuguese as the map's reasons are.
_OUTSIDE = "Fora do mapa de dados pessoais"
_COPIED = "Cópia de dados do titular que o ERP guarda aqui; não foi anonimizada"
_UNCLEAR = (
    "Linha que traz um identificador do titular e pode ser de outra pessoa; não foi anonimizada"
)
_NOT_LOOKED = "Não se pôde verificar se o ERP guarda aqui dados do titular"

_TYPES = {
    "str": "String",
    "date": "Date",
    "datetime": "Date",
    "Decimal": "Decimal",
    "int": "Integer",
}


def exceptions(records: Sequence[Record], unclear: Sequence[Held] = ()) -> dict[str, object]:
    """Build TPD's `exceptionAttributes`: what is kept in these rows, and why; and the identifiers
    by which other rows may be the person's, and were left."""
    models = {record.model.class_name: record.model for record in records}
    kept = {name: _kept(model) for name, model in models.items()}
    for row, kind in unclear:
        models[row.model.class_name] = row.model
        attributes = kept.setdefault(row.model.class_name, {})
        for item in row.model.identifying(kind):
            attributes[item.name] = _described(item) | {"reason": _UNCLEAR}
    return {
        name: {"description": models[name].description, "attributes": attributes}
        for name, attributes in kept.items()
        if attributes
    }


def outside_the_map(answer: Answer, copies: Iterable[Copy]) -> dict[str, object]:
    """Add the columns outside the personal data map that hold the person's values: by table, as
    classes are, since TPD knows no other place for what is not anonymised."""
    found = dict(answer)
    for copy in copies:
        of = cast("Mapping[str, Any]", found.get(copy.table, {"description": _OUTSIDE}))
        attributes = {**of.get("attributes", {}), copy.column: _copied(copy)}
        found[copy.table] = {**of, "attributes": attributes}
    return found


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


def _kept(model: Model) -> dict[str, dict[str, object]]:
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
