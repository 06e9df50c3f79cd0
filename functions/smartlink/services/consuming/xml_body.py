"""Makes of an XML body what a payload model can check. DTDs and entities are refused."""

import typing
from collections.abc import Collection, Mapping
from functools import cache
from xml.etree.ElementTree import Element, ParseError
from xml.parsers.expat.errors import messages

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring
from pydantic import AliasChoices, BaseModel

from smartlink.domain.payload import PayloadError

_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"


def xml_body(text: object, model: type[BaseModel]) -> object:
    """Returns the body for the model. See `smartlink.consumer.Xml`.

    Raises PayloadError, which never quotes the content.
    """
    if not isinstance(text, str):
        message = "the body is no XML: it is no text"
        raise PayloadError(message)
    try:
        # An encoding that the XML declares does not matter: the content is decoded already.
        return _value(fromstring(text.removeprefix("\ufeff").lstrip(), forbid_dtd=True), model)
    except ParseError as error:
        line, column = error.position
        what = messages.get(error.code, "it cannot be parsed")
        message = f"the body is no XML: {what} at line {line}, column {column}"
    except DefusedXmlException:
        message = "the body has a DTD or entities of its own, which are refused"
    except (ValueError, RecursionError) as error:
        message = f"the body is XML that cannot be read ({type(error).__name__})"
    raise PayloadError(message)


def _value(element: Element, model: type[BaseModel] | None) -> object:
    if element.get(_NIL) in {"true", "1"}:
        return None
    text = element.text or ""
    if not len(element) and (model is None or not element.attrib):
        # A model of an empty element gets no field, so that each has its default or is missing.
        return text if model is None or text.strip() else {}
    found: dict[str, list[object]] = {}
    spelt: dict[str, str] = {}  # as it came first: Payload takes any casing, and one value of each

    def add(name: str, value: object) -> None:
        found.setdefault(spelt.setdefault(name.lower(), name), []).append(value)

    fields = _fields(model) if model else {}
    for name, value in element.attrib.items():
        add(_local(name), value)
    for child in element:
        name = _local(child.tag)
        inner, _ = fields.get(name.lower(), (None, False))
        add(name, _value(child, inner))
    if text.strip():
        add("text", text)
    lists = {name for name, (_, many) in fields.items() if many}
    return {
        name: values if len(values) > 1 or name.lower() in lists else values[0]
        for name, values in found.items()
    }


def _local(name: str) -> str:
    return name.rpartition("}")[2]


@cache
def _fields(model: type[BaseModel]) -> Mapping[str, tuple[type[BaseModel] | None, bool]]:
    """Returns for each name of a field, in lower case, its model, and whether it is a list."""
    known: dict[str, tuple[type[BaseModel] | None, bool]] = {}
    for name, info in model.model_fields.items():
        alias = info.validation_alias
        aliases = alias.choices if isinstance(alias, AliasChoices) else [alias]
        kinds = list(_kinds(info.annotation))
        inner = next((it for it in kinds if issubclass(it, BaseModel)), None)
        many = any(issubclass(it, Collection) and not issubclass(it, _ONE) for it in kinds)
        names = {name, *(it for it in aliases if isinstance(it, str))}
        known |= {it.lower(): (inner, many) for it in names}
    return known


_ONE = (str, bytes, Mapping, BaseModel)


def _kinds(annotation: object) -> typing.Iterator[type]:
    """Yields the classes that an annotation is made of: `list[Item] | None` has list and Item."""
    origin = typing.get_origin(annotation)
    for kind in (origin, annotation):
        if isinstance(kind, type) and not typing.get_args(kind):
            yield kind
    for inner in typing.get_args(annotation):
        yield from _kinds(inner)
