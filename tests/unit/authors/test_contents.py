"""XML, contents that are not UTF-8, and a null for a field with a default."""

import subprocess
import sys
from datetime import date
from decimal import Decimal
from typing import Annotated

import pytest
from pydantic import AliasChoices, BeforeValidator, Field, field_validator

from smartlink.consumer import Consumer, Context, Payload, Reply, Xml, consumer
from smartlink.testing import Delivered, cloud_event, conforms, deliver, totvs
from smartlink.types import RmDate, RmDecimal
from tests.project.checkout import FUNCTIONS

BOMB = """<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;&b;&b;">]>
<invoice><number>&c;</number></invoice>"""
FILE = """<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/hostname">]>
<invoice><number>&b;</number></invoice>"""
REMOTE = """<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd"><invoice><number>7</number></invoice>"""


class Amount(Payload):
    currency: str = "BRL"
    text: RmDecimal


class Item(Payload):
    code: str
    price: Amount | None = None


class Invoice(Payload):
    number: Annotated[str, Field(max_length=20)]
    issued: RmDate | None = None
    item: list[Item] = Field(default=[])
    note: Annotated[str, Field(validation_alias=AliasChoices("note", "obs"))] = ""


@consumer("InvoiceCommand")
def takes_invoices(invoice: Xml[Invoice], context: Context) -> Reply:
    number: str = invoice.number  # it is the model, to mypy too
    body = {"number": number, "invoice": invoice.model_dump(), "style": context.style}
    return Reply("InvoiceResponse", body)


def taken(content: object) -> Invoice:
    replied = deliver(takes_invoices, content).replied("InvoiceResponse")  # type: ignore[arg-type]
    return Invoice.model_validate(replied["invoice"])


def test_xml_becomes_the_model() -> None:
    """Elements in any casing, attributes, repeated elements, namespaces, comments, CDATA."""
    invoice = taken("""<?xml version="1.0" encoding="windows-1252"?>
      <n:Invoice xmlns:n="http://rm" NUMBER="7">
        <!-- a comment --><Issued>27/11/2026</Issued>
        <n:Item><Code>A&amp;B</Code><Price Currency="USD">1.234,56</Price></n:Item>
        <Item><Code><![CDATA[<c>]]></Code></Item>
        <Obs>João</Obs>
      </n:Invoice>""")
    assert (invoice.number, invoice.issued) == ("7", date(2026, 11, 27))
    assert [it.code for it in invoice.item] == ["A&B", "<c>"]
    price = invoice.item[0].price
    assert price is not None
    assert (price.currency, price.text) == ("USD", Decimal("1234.56"))
    assert invoice.note == "João"


def test_one_element_of_a_list_is_a_list() -> None:
    """As the model says; and none is the default."""
    assert len(taken("<i><number>7</number><item><code>A</code></item></i>").item) == 1
    assert taken("<i><number>7</number></i>").item == []


def test_nothing_is_lost_by_its_casing_or_place() -> None:
    """Twice the same name is a list, however it is written; a field that is no list refuses it."""
    items = "<item><code>A</code></item><ITEM><code>B</code></ITEM>"
    assert [it.code for it in taken(f"<i><number>7</number>{items}</i>").item] == ["A", "B"]
    for twice in (
        "<i><number>7</number><NUMBER>8</NUMBER></i>",
        '<i number="7"><Number>8</Number></i>',
    ):
        deliver(takes_invoices, twice).is_fatal("number: string_type")
    deliver(takes_invoices, "<i><number><a>7</a></number></i>").is_fatal("number: string_type")


def test_nil_is_null() -> None:
    """And so it is the default, if there is one."""
    nil = 'xmlns:x="http://www.w3.org/2001/XMLSchema-instance" x:nil="true"'
    assert taken(f"<i><number>7</number><obs {nil}/></i>").note == ""
    assert taken(f"<i><number>7</number><issued {nil}/></i>").issued is None


@pytest.mark.parametrize("envelope", [totvs, cloud_event])
def test_xml_within_an_envelope(envelope: object) -> None:
    """Its header is there as ever."""
    assert callable(envelope)
    assert taken(envelope("<i><number>7</number></i>")).number == "7"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (BOMB, "has a DTD or entities of its own"),
        (FILE, "has a DTD or entities of its own"),
        (REMOTE, "has a DTD or entities of its own"),
        ("<i><number>secret", "no XML: no element found at line 1, column 17"),
        ("<i>&secret;</i>", "no XML: undefined entity at line 1, column 3"),
        ("secret", "no XML: syntax error at line 1, column 0"),
        ("", "no XML: no element found"),
        ("\ud800", "XML that cannot be read (UnicodeEncodeError)"),
        ('{"number": "secret"}', "no XML: it is no text"),
        ("<i/>", "does not fit the command: number: missing"),
        ("<i><number>7</number><item/></i>", "item.0.code: missing"),
        ("<i>" + "<number>" * 5_000 + "</number>" * 5_000 + "</i>", "cannot be read (Recursion"),
    ],
)
def test_what_is_no_such_xml_is_fatal(content: str, said: str) -> None:
    """It is said where and what, and never what it holds."""
    outcome = deliver(takes_invoices, content).is_fatal(said)
    assert "secret" not in outcome.reason


def test_the_parser_is_imported_only_where_it_is_used() -> None:
    """No cold start of another command pays for it."""
    code = (
        "import sys, smartlink.services.consuming.execute as _; print('defusedxml' in sys.modules)"
    )
    command = [sys.executable, "-c", code]
    ran = subprocess.run(
        command, env={"PYTHONPATH": str(FUNCTIONS)}, capture_output=True, text=True, check=True
    )
    assert ran.stdout == "False\n"


def test_a_consumer_of_xml_conforms() -> None:
    """The kit takes a text of XML as the sample."""
    conforms(takes_invoices, "<i><number>7</number></i>")


class Person(Payload):
    name: str


@consumer("PersonCommand", encoding="windows-1252")
def takes_persons(person: Person, context: Context) -> Reply:  # noqa: ARG001
    return Reply("PersonResponse", {"name": person.name})


@consumer("TextCommand", encoding="cp850")
def takes_texts(text: str, context: Context) -> Reply:  # noqa: ARG001
    return Reply("TextResponse", text)


@consumer("InvoiceCommand", encoding="windows-1252")
def takes_old_invoices(invoice: Xml[Invoice], context: Context) -> Reply:  # noqa: ARG001
    return Reply("InvoiceResponse", {"note": invoice.note})


def named(outcome: Delivered) -> object:
    return outcome.replied("PersonResponse")["name"]


def test_bytes_that_are_not_utf_8_are_read_in_the_consumers_encoding() -> None:
    """JSON, text and XML; also where two bytes look like one character of UTF-8."""
    assert named(deliver(takes_persons, '{"name": "João, 5 €"}'.encode("cp1252"))) == "João, 5 €"
    assert named(deliver(takes_persons, '{"name": "“PALETÓ” é"}'.encode("cp1252"))) == "“PALETÓ” é"
    assert deliver(takes_texts, "ação".encode("cp850")).replied("TextResponse") == "ação"
    xml = '<?xml version="1.0" encoding="windows-1252"?><i number="7"><obs>ação</obs></i>'
    replied = deliver(takes_old_invoices, xml.encode("cp1252")).replied("InvoiceResponse")
    assert replied == {"note": "ação"}


def test_utf_8_stays_what_it_is() -> None:
    """A sender that changed to UTF-8, or escapes its characters, is read too."""
    assert named(deliver(takes_persons, '{"name": "João"}'.encode())) == "João"
    assert named(deliver(takes_persons, b'{"name": "Jo\\u00e3o"}')) == "João"
    assert named(deliver(takes_persons, '{"name": "João 😀"}')) == "João 😀"


def test_bytes_of_neither_encoding_are_fatal() -> None:
    """Windows-1252 has no character for 0x81."""
    deliver(takes_persons, b'{"name": "\x81"}').is_fatal("neither UTF-8 nor windows-1252")


@pytest.mark.parametrize("encoding", ["windows-1253x", "base64", "rot13", "utf-16", "cp037", ""])
def test_what_is_no_encoding_is_refused_where_it_is_written(encoding: str) -> None:
    """Not when the first message comes."""
    with pytest.raises(ValueError, match=r'XyzCommand: .* write one like "windows-1252"'):
        consumer("XyzCommand", encoding=encoding)


def _or_seven(value: object) -> object:
    return 7 if value is None else value


class Defaults(Payload):
    language: str = "pt"
    lines: list[int] = Field(default_factory=lambda: [1])
    named: Annotated[int, Field(alias="NUMBER")] = 5
    either: Annotated[int, Field(validation_alias=AliasChoices("new", "old"))] = 5
    nullable: int | None = 5
    anything: object = 5
    own: Annotated[int, BeforeValidator(_or_seven)] = 5
    careless: Annotated[str, BeforeValidator(lambda text: text.strip())] = "x"
    checked: int = 5
    inner: Amount = Amount(text=Decimal(1))

    @field_validator("checked", mode="before")
    @classmethod
    def _check(cls, value: object) -> object:
        return 8 if value is None else value


def test_a_null_for_a_field_with_a_default_is_the_default() -> None:
    """In any casing and under each of its names."""
    found = Defaults.model_validate(
        dict.fromkeys(("LANGUAGE", "lines", "number", "new", "old", "inner", "careless"))
    )
    assert found == Defaults()
    assert Defaults.model_validate({"new": None, "OLD": 3}).either == 3
    assert Defaults.model_validate({"named": None}).named == 5


def test_unless_the_model_says_otherwise() -> None:
    """By a type that takes None, or by a validator of its own."""
    names = ("nullable", "anything", "own", "checked")
    found = Defaults.model_validate(dict.fromkeys(names))
    assert (found.nullable, found.anything, found.own, found.checked) == (None, None, 7, 8)


def test_a_null_for_a_required_field_is_refused() -> None:
    """Nothing is made up."""

    @consumer("PersonCommand")
    def person(request: Person, context: Context) -> None:
        """Do nothing."""

    assert isinstance(person, Consumer)
    deliver(person, {"name": None}).is_fatal("name: string_type")
