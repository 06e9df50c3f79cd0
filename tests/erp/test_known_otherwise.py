"""Tables that know people by something else than the CPF by which a request names them."""

from typing import Any

import pytest

from consumers.sgdp_data import answer_with_data as data
from consumers.sgdp_mask import answer_with_exceptions as mask
from smartlink.consumer import FatalError
from tests.erp.small import CPF, NULL, column, erp_of, found, masked, rows, table
from tests.support.tpd import Tpd

NAME = column(mask=NULL)
PERSON = {
    "cpf": column(identifier="CPF", keep="law"),
    "email": column(identifier="EMAIL", mask=NULL),
    "rg": column(identifier="RG", keep="law"),
    "pis": column(identifier="PIS", keep="law"),
    "name": NAME,
}
SEEN = {"name": NAME, "email": column(identifier="EMAIL", mask=NULL)}
TABLES = {"client": table(PERSON), "news": table(SEEN)}
CREATE = (
    """CREATE TABLE client (id integer PRIMARY KEY, cpf varchar(14), email varchar(60),
    rg varchar(20), pis varchar(20), name varchar(40))""",
    """CREATE TABLE news (id integer PRIMARY KEY, email varchar(60), rg varchar(20),
    pis varchar(20), name varchar(40))""",
    f"INSERT INTO client VALUES (1, '{CPF}', 'ana@x.invalid', '11.222.333-4', '12056412847', 'A')",  # noqa: S608
    "INSERT INTO client VALUES (2, '98765432100', 'bia@x.invalid', '55', NULL, 'B')",
    "INSERT INTO news (id, email, name) VALUES (1, ' ANA@X.invalid', 'Ana')",
    "INSERT INTO news (id, email, name) VALUES (2, 'bia@x.invalid', 'Bia')",
    "INSERT INTO news (id, email, name) VALUES (3, 'Ana@x.invalid', 'Aninha')",
)
NAMED = "SELECT id FROM {} WHERE name IS NOT NULL ORDER BY 1"


def answered(erp: Tpd, **more: object) -> dict[str, Any]:
    body = {"requestID": "r1", "identifiers": {"CPF": CPF}, **more}
    answer: dict[str, Any] = erp.run(mask, body, "r1")["exceptionAttributes"]
    return answer


def test_by_the_email_of_the_person_s_row(erp: Tpd) -> None:
    """Each row of the e-mail is shown and masked with the person that the CPF names."""
    made = erp_of(erp, TABLES, *CREATE)
    assert found(made) == {"client": 1, "news": 2}
    masked(made)
    assert rows(made, NAMED.format("client")) == rows(made, NAMED.format("news")) == [(2,)]
    assert not any("somebody" in line for line in made.lines)


def test_by_the_email_of_the_request(erp: Tpd) -> None:
    """A request that brings CPF and e-mail means both; alone, the e-mail finds the CPF's rows."""
    made = erp_of(erp, TABLES, *CREATE, "UPDATE client SET email = NULL WHERE id = 1")
    assert found(made) == {"client": 1}
    both = {"CPF": CPF, "EMAIL": "ana@x.invalid"}
    assert found(made, **both) == {"client": 1, "news": 2}
    assert found(made, EMAIL="bia@x.invalid") == {"client": 1, "news": 1}
    masked(made, "r1", **both)
    assert rows(made, NAMED.format("news")) == [(2,)]


def test_who_is_known_by_an_email_alone(erp: Tpd) -> None:
    """Two orders of a guest are one guest's."""
    made = erp_of(erp, TABLES, *CREATE, "DELETE FROM client")
    assert found(made, EMAIL="ana@x.invalid") == {"news": 2}
    masked(made, "r1", EMAIL="ana@x.invalid")
    assert rows(made, NAMED.format("news")) == [(2,)]


def test_an_email_that_somebody_else_uses_too(erp: Tpd) -> None:
    """Whose the rows of it are nobody can say: they stay, and that is told as no success."""
    shared = "UPDATE client SET email = 'ana@x.invalid' WHERE id = 2"
    made = erp_of(erp, TABLES, *CREATE, shared)
    assert found(made) == {"client": 1}
    assert any("not shown: news.email" in line for line in made.lines)
    # Of the two the CPF says who; without one, neither is meant.
    with pytest.raises(FatalError, match="fits 2 people"):
        made.run(data, {"requestID": "r3", "identifiers": {"EMAIL": "ana@x.invalid"}})
    for dry_run in (True, False):
        answer = answered(made, toVerify=dry_run)
        assert answer["news"]["attributes"]["email"]["reason"].startswith("Linha que traz")
        assert any("may be somebody else's; they stay: news.email" in it for it in made.lines)
    assert rows(made, NAMED.format("client")) == [(2,)]
    assert len(rows(made, NAMED.format("news"))) == 3


def test_a_cpf_that_nobody_has_and_a_shared_email(erp: Tpd) -> None:
    """The request's e-mail is another CPF's: the rows of it are shown to nobody, and told."""
    made = erp_of(erp, TABLES, *CREATE)
    body = {"requestID": "r1", "identifiers": {"CPF": "11144477735", "EMAIL": "bia@x.invalid"}}
    assert made.run(data, body)["response"] == {}
    answer = made.run(mask, body, "m2")["exceptionAttributes"]
    assert list(answer) == ["news"]
    assert len(rows(made, NAMED.format("news"))) == 3


def test_a_row_that_could_hold_a_cpf(erp: Tpd) -> None:
    """A child without a CPF, registered with the mother's e-mail, is not the mother."""
    child = "INSERT INTO client (id, email, name) VALUES (3, 'ana@x.invalid', 'Filho')"
    made = erp_of(erp, TABLES, *CREATE, child)
    assert found(made) == {"client": 1, "news": 2}
    assert answered(made)["client"]["attributes"]["email"]["reason"].startswith("Linha que traz")
    assert rows(made, NAMED.format("client")) == [(2,), (3,)]


@pytest.mark.parametrize(("kind", "theirs"), [("PIS", True), ("RG", False)])
def test_by_another_document(erp: Tpd, kind: str, theirs: bool) -> None:  # noqa: FBT001
    """A PIS is one person's; an RG may be another's, of another state, and is told."""
    name = kind.lower()
    tables = {"client": TABLES["client"], "news": table({"name": NAME, name: PERSON[name]})}
    value = {"PIS": "120.56412.84-7", "RG": "112223334"}[kind]
    stored = f"UPDATE news SET {name} = '{value}' WHERE id = 3"  # noqa: S608
    made = erp_of(erp, tables, *CREATE, stored)
    assert found(made) == ({"client": 1, "news": 1} if theirs else {"client": 1})
    answer = answered(made)
    assert rows(made, NAMED.format("news")) == ([(1,), (2,)] if theirs else [(1,), (2,), (3,)])
    reason = answer["news"]["attributes"][name]["reason"]
    assert reason.startswith("law" if theirs else "Linha que traz")


@pytest.mark.parametrize("placeholder", ["ISENTO", "99999999999"])
def test_placeholders_are_nobody_s(erp: Tpd, placeholder: str) -> None:
    """Two rows that say nothing are not one person's, but they are told."""
    tables = {"client": TABLES["client"], "news": table({"name": NAME, "pis": PERSON["pis"]})}
    made = erp_of(
        erp,
        tables,
        *CREATE,
        f"UPDATE client SET pis = '{placeholder}' WHERE id = 1",  # noqa: S608
        f"UPDATE news SET pis = '{placeholder}'",  # noqa: S608
    )
    assert found(made) == {"client": 1}
    assert answered(made)["news"]["attributes"]["pis"]["reason"].startswith("Linha que traz")
    assert len(rows(made, NAMED.format("news"))) == 3


def test_what_hundreds_of_rows_hold(erp: Tpd) -> None:
    """It may be nobody's address: none of them is shown or masked, and that is told."""
    many = (
        f"INSERT INTO news (id, email, name) VALUES ({n}, 'ana@x.invalid', 'X')"  # noqa: S608
        for n in range(100, 210)
    )
    made = erp_of(erp, TABLES, *CREATE, *many)
    assert found(made) == {"client": 1}
    assert answered(made)["news"]["attributes"]["email"]["reason"].startswith("Linha que traz")
    assert len(rows(made, NAMED.format("news"))) == 113


def test_a_guest_s_rows_come_with_what_belongs_to_them(erp: Tpd) -> None:
    """An order without its client is found by its e-mail, and its lines by the order."""
    order = {**SEEN, "phone": column(mask=NULL)}
    to_client = {"columns": ["client"], "table": "client"}
    tables = {
        "client": TABLES["client"],
        "news": table(order, references=[to_client]),
        "line": table({"name": NAME}, references=[{"columns": ["news"], "table": "news"}]),
    }
    made = erp_of(
        erp,
        tables,
        *CREATE,
        "ALTER TABLE news ADD COLUMN client integer",
        "ALTER TABLE news ADD COLUMN phone varchar(20)",
        "UPDATE news SET client = 1, email = 'other@x.invalid' WHERE id = 1",
        "CREATE TABLE line (id integer PRIMARY KEY, news integer, name varchar(40))",
        "INSERT INTO line VALUES (1, 1, 'Ana'), (2, 2, 'Bia'), (3, 3, 'Ana')",
    )
    assert found(made) == {"client": 1, "news": 2, "line": 2}
    masked(made)
    assert rows(made, NAMED.format("line")) == [(2,)]


@pytest.mark.parametrize("could_hold_a_cpf", [False, True])
def test_an_email_in_a_table_that_refers_to_the_person(
    erp: Tpd,
    could_hold_a_cpf: bool,  # noqa: FBT001
) -> None:
    """A lead is known by its contacts' e-mails alone, unless its documents could name a CPF."""
    to_lead = [{"columns": ["lead"], "table": "lead"}]
    tables = {
        "client": TABLES["client"],
        "lead": table({"name": NAME}),
        "contact": table({"email": SEEN["email"]}, references=to_lead),
    }
    if could_hold_a_cpf:
        tables["document"] = table({"cpf": PERSON["cpf"]}, references=to_lead)
    made = erp_of(
        erp,
        tables,
        *CREATE,
        "CREATE TABLE lead (id integer PRIMARY KEY, name varchar(40))",
        "CREATE TABLE contact (id integer PRIMARY KEY, lead integer, email varchar(60))",
        "CREATE TABLE document (id integer PRIMARY KEY, lead integer, cpf varchar(14))",
        "INSERT INTO lead VALUES (1, 'Ana'), (2, 'Bia')",
        "INSERT INTO contact VALUES (1, 1, 'ana@x.invalid'), (2, 2, 'bia@x.invalid')",
    )
    theirs = {} if could_hold_a_cpf else {"lead": 1, "contact": 1}
    assert found(made) == {"client": 1, **theirs}
    answer = answered(made)
    assert ("contact" in answer) is could_hold_a_cpf
    assert rows(made, NAMED.format("lead")) == ([(1,), (2,)] if could_hold_a_cpf else [(2,)])
