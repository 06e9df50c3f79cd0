"""What names a person is found in a text, however it is written there; nothing else is."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, MetaData, String, Table

from consumers.sgdp.model import Attribute, Model
from consumers.sgdp.person import Record
from consumers.sgdp.personal_data import PersonalColumn
from consumers.sgdp.redaction import Redaction, redaction
from consumers.sgdp.rows import Row

COLUMNS: dict[str, dict[str, Any]] = {
    "name": {"holds": "name"},
    "phone": {"holds": "phone"},
    "cpf": {"identifier": "CPF"},
    "email": {"identifier": "EMAIL"},
    "rg": {"identifier": "RG"},
}


def of(**values: object) -> Redaction:
    """The redaction of a person whose row holds these values."""
    table = Table("people", MetaData(), *(Column(name, String) for name in COLUMNS))
    attributes = tuple(
        Attribute(
            name,
            table.c[name],
            str,
            None,
            PersonalColumn(description="d", purposes=("p",), keep="law", **spec),
            (),
            "ANONIMIZADO",
        )
        for name, spec in COLUMNS.items()
    )
    model = Model("people", "c", "g", "d", table, (table.c.name,), attributes)
    return redaction([Record(Row(model, dict.fromkeys(COLUMNS) | values), "digest")])


NAMES = [
    ("Ligar para Ana Lima à tarde", "Ligar para *** à tarde"),
    ("ANA DE LIMA SOUZA, mãe de Rui", "***, mãe de Rui"),
    ("ana, lima e souza", "*** e ***"),
    ("Sra. Lima-Souza", "Sra. ***"),
    ("Banana, Limao, Susana e Ana_Maria", "Banana, Limao, Susana e ***_Maria"),
    ("A\u0301na veio", "*** veio"),
    ("ÂNA veio de manhã", "*** veio de manhã"),
    ("casa de campo", "casa de campo"),
]


@pytest.mark.parametrize(("text", "left"), NAMES)
def test_names(text: str, left: str) -> None:
    """Parts of a name, alone or together, in any casing and with any accents; as words only."""
    assert of(name="Ána de Lima Souza").apply(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [("Li Bo pagou", "*** pagou"), ("LI  BO", "***"), ("Li pagou a Bo", "Li pagou a Bo")],
)
def test_short_names(text: str, left: str) -> None:
    """Of a name of short parts the whole is replaced, not what may be any word."""
    assert of(name="Li Bo").apply(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "012.345.678-90",
        "01234567890",
        "1234567890",
        "12.345.678/90",
        "012 345 678 90",
        "0 12-345678.90",
    ],
)
def test_cpfs(text: str) -> None:
    """In any punctuation, with and without its leading zeros; not within a longer number."""
    person = of(cpf="012.345.678-90")
    assert person.apply(f"CPF {text}.") == "CPF ***."
    assert person.apply(f"9{text.lstrip('0. ')}") == f"9{text.lstrip('0. ')}"
    assert person.apply(f"{text}1") == f"{text}1"


@pytest.mark.parametrize(
    "text",
    [
        "(11) 91234-5678",
        "11912345678",
        "+55 11 91234-5678",
        "91234 5678",
        "1234-5678",
        "011 1234.5678",
    ],
)
def test_phones(text: str) -> None:
    """With and without country, area, and the mobile phones' nine."""
    for stored in ("(11) 91234-5678", "+5511912345678", "11 1234-5678"):
        assert of(phone=stored).apply(f"tel. {text}!") == "tel. ***!"
        assert of(phone=stored).apply(f"n. 7{text[-9:]}3") == f"n. 7{text[-9:]}3"


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("escreva a Ana.Lima@X.invalid.", "escreva a ***."),
        ("mariana.lima@x.invalid", "mariana.lima@x.invalid"),
        ("ana.lima@x.invalid.br", "ana.lima@x.invalid.br"),
    ],
)
def test_addresses(text: str, left: str) -> None:
    """An address in any casing; not within a longer one."""
    assert of(email=" ana.lima@x.invalid").apply(text) == left


def test_an_address_with_a_name() -> None:
    """The address goes as a whole, though it has parts of the name."""
    assert of(name="Ana Lima", email="ana@x.invalid").apply("ana@x.invalid") == "***"


def test_what_is_masked_already() -> None:
    """What a constant mask wrote names nobody."""
    assert of(name="ANONIMIZADO").apply("anonimizado") == "anonimizado"


@given(st.text(max_size=60), st.text(max_size=30), st.text(max_size=30))
def test_any_text(text: str, name: str, number: str) -> None:
    """A text never gets longer, and a second time changes nothing."""
    person = of(name=name, phone=number, cpf=number, email=f"{number}@x", rg=name)
    once = person.apply(text)
    assert len(once) <= len(text)
    assert person.apply(once) == once


@given(st.sampled_from(["Ana de Lima", "José d'Ávila Reis"]), st.text("xyz ,.;-\n", max_size=20))
def test_the_name_is_gone(name: str, around: str) -> None:
    """Wherever a whole name stands as words, no part of it is left."""
    left = of(name=name).apply(f"{around} {name.upper()} {around}").casefold()
    assert not [
        part for part in name.casefold().replace("'", " ").split() if len(part) > 2 and part in left
    ]
