"""`smartlink broker discover`: what it asks before it tries, and what it says of what it found."""

from tests.cli.place import Place
from tests.cli.test_tenants import activate, client  # noqa: F401  (a fixture)


def test_it_tries_nothing_on_a_tenant_that_is_polled(place: Place, client: str) -> None:  # noqa: F811
    activate(place, "acme", client)
    ran = place.run("broker", "discover", "acme")
    assert ran.code == 4
    assert "tenants disable" in ran.err
    assert place.hosts.simulator.sent(client) == []


def test_what_cannot_be_proven_ends_in_questions(place: Place, client: str) -> None:  # noqa: F811
    """The broker takes what a tenant sends to itself, and gives it to nobody."""
    activate(place, "acme", client)
    place.run("tenants", "disable", "acme")
    ran = place.run("broker", "discover", "acme", "--json")
    assert ran.code == 1
    assert ran.json["verdicts"]["send"] == "accepted, not proven"
    assert ran.json["paths"] == {}
    assert len(ran.json["questions"]) == 4
    shown = place.run("broker", "discover", "acme")
    assert "To be asked of TOTVS" in shown.out
    assert "setup: POST /api/v1/link/setup" in shown.out
