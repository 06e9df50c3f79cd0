"""Tryton's parties and invoices: CPF, e-mails and phones stand in tables of their own."""

from sqlalchemy import Engine

from tests.erp.schemas.filling import Filling, filling
from tests.erp.schemas.people import Person, people

PARTIES, WITHOUT_CPF = 9, 3


def fill(engine: Engine) -> Filling:
    """Add people with their CPF, and some of whom only the e-mail is known."""
    with filling(engine) as erp:
        for number, person in enumerate(people(PARTIES + WITHOUT_CPF, seed=2)):
            party = _party(erp, person, with_cpf=number < PARTIES)
            for _ in range(1 + number % 3):
                _invoice(erp, person, party)
            _elsewhere(erp, person)
        return erp


def _party(erp: Filling, who: Person, *, with_cpf: bool) -> int:
    party = erp.add("party_party", who, name=who.name, code=f"P{who.seed:05}", active=True)
    if with_cpf:
        said = {"type": "br_cpf", "code": next(who.cpfs()), "code_compact": who.cpf}
        erp.add("party_identifier", who, party=party, **said)
    emails, phones = who.emails(), who.phones()
    for kind, value in (("email", next(emails)), ("mobile", next(phones)), ("email", next(emails))):
        compact = value.strip() if kind == "email" else "".join(filter(str.isdigit, value))
        said = {"type": kind, "value": value, "value_compact": compact, "comment": _told(who)}
        erp.add("party_contact_mechanism", who, party=party, **said)
    at = {"street_unstructured": f"{who.street}\nFundos", "city": "Recife", "postal_code": "50030"}
    erp.add("party_address", who, party=party, party_name=who.name, attn=who.first, **at)
    erp.add("party_party_lang", None, party=party)
    return party


def _invoice(erp: Filling, who: Person, party: int) -> None:
    number = erp.last.get("account_invoice", 1_000)
    invoice = erp.add(
        "account_invoice",
        who,
        party=party,
        type="out",
        number=str(number),
        comment=_told(who),
        description=f"Venda a {who.name}",
        reference=who.cpf if who.seed % 2 and who.seed < PARTIES else None,
    )
    line = {"invoice": invoice, "party": party, "type": "line", "note": _told(who)}
    erp.add("account_invoice_line", who, description=f"Frete para {who.name}", **line)
    move = erp.add("account_move", who, description=f"Fatura de {who.last}")
    said = {"description": who.name.lower(), "credit": 0}
    erp.add("account_move_line", who, move=move, party=party, **said)


def _elsewhere(erp: Filling, who: Person) -> None:
    """What knows people by their e-mail alone."""
    emails = who.emails()
    erp.add("ir_chat_follower", who, email=next(emails))
    erp.add("ir_chat_message", who, email=next(emails), content=_told(who))
    erp.add("ir_email", who, recipients=next(emails), subject=f"Olá {who.first}", body=_told(who))


def _told(who: Person) -> str:
    return who.told(cpf=who.seed < PARTIES)
