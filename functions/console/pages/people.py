"""Pessoa: a person's requests, found exactly by the keyed hash of an identifier."""

from flask import Blueprint, render_template, request

from console.asked import reason
from console.here import here
from consumers.sgdp.identifiers import canonical
from smartlink.i18n import _
from smartlink.operations.acts import Act
from smartlink.operations.audit import note
from smartlink.operations.errors import InvalidError
from smartlink.operations.persons import concerned
from smartlink.operations.rights import Right

pages = Blueprint("people", __name__)
KINDS = ("CPF", "EMAIL", "RA", "RG", "CODPESSOA")


@pages.get("/person")
def show() -> str:
    """Draws the form."""
    return render_template("person.html", kinds=KINDS, found=None, tenant="", kind="")


@pages.post("/person")
def find() -> str:
    """Looks for a person, after it is on record who looks and why. The identifier is in no
    address, and in no record."""
    why = reason()
    tenant = here().tenant(request.form.get("tenant", "").strip(), Right.CONTENTS)
    kind = request.form.get("kind", "")
    given = request.form.get("value", "")
    value = canonical(kind, given) if kind in KINDS else None
    if not value or not any(it.isalnum() for it in given):
        raise InvalidError(_("That is no identifier of this kind"))  # and it is not quoted
    own = note(here().deployment, here().visitor.identity.name, why)
    with here().recorded(
        Act.FIND_PERSON, target=f"a person by {kind}", tenant=tenant, reason=why
    ) as record:
        found = concerned(here().deployment, tenant, kind, value, own)
        record.count = len(found.live) + len(found.ended) + len(found.raw)
        record.outcome = "shown"
    return render_template("person.html", kinds=KINDS, found=found, tenant=tenant, kind=kind)
