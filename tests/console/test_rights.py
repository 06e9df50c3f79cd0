"""Jobs and the audit for whoever may see some tenants alone: filtered in the query, and bounded."""

import json
from dataclasses import replace
from datetime import timedelta

from smartlink.adapters.firestore.audit import FirestoreAudit
from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.firestore.jobs import FirestoreJobs
from smartlink.operations.job import Selection
from smartlink.operations.ports import AuditRecord
from smartlink.operations.rights import parse_roles
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of
from tests.console.conftest import wired
from tests.console.samples import REQUEST
from tests.contract.test_jobs import PLAIN
from tests.support.firestore_counter import FirestoreCounter
from tests.support.samples import NOW

SECOND = timedelta(seconds=1)


def visitor(place: Place, *tenants: str) -> tuple[Browser, FirestoreCounter]:
    """Somebody who may look at these, and what is read of the database for it."""
    counter = FirestoreCounter()
    wiring, emulator = wired(place), place.hosts.firestore
    calls = FirestoreCalls(place.project, emulator=emulator, interceptors=[counter])
    wiring.__dict__["jobs"] = FirestoreJobs(calls)
    database = wiring.settings.audit_database
    audit = FirestoreCalls(place.project, database, emulator=emulator, interceptors=[counter])
    wiring.__dict__["audit"] = FirestoreAudit(audit)
    roles = parse_roles(json.dumps({"ana@example.com": {"viewer": [*tenants]}}), local=False)
    return browser_of(wiring, roles), counter


def job(place: Place, name: str, second: int, *tenants: str) -> None:
    about = Selection(at=NOW, tenants=tenants)
    made = NOW + second * SECOND
    wired(place).jobs.create(replace(PLAIN, id=name, made=made, selection=about))


def act(place: Place, name: str, second: int, *tenants: str) -> None:
    record = AuditRecord(
        id=name,
        act=f"act of {name}",
        who="rui",
        verified=True,
        at=NOW + second * SECOND,
        target=name,
        tenant=", ".join(tenants) or None,
        tenants=tenants,
    )
    wired(place).audit.create(record)


def test_what_others_did_neither_shows_nor_hides_one_s_own(fresh: Place) -> None:
    """However much of it is newer; what is about a further tenant is not one's own."""
    for number in range(120):
        job(fresh, f"others-{number}", number + 10, "globex")
        act(fresh, f"others-{number}", number + 10, "globex")
    for make in (job, act):
        make(fresh, "own", 1, "acme")
        make(fresh, "of-both", 2, "acme", "globex")
    act(fresh, "of-none", 3)
    seen = {
        "/jobs": {("acme",): ["own"], ("acme", "globex"): ["others-119"]},
        "/audit": {("acme",): ["own"], ("acme", "globex"): ["others-119"]},
        "/audit?tenant=acme": {("acme",): ["own"], ("acme", "globex"): ["of-both", "own"]},
    }
    every = ("own", "of-both", "of-none", "others-119")
    for path, by_tenants in seen.items():
        for tenants, wanted in by_tenants.items():
            browser, counter = visitor(fresh, *tenants)
            page = browser.get(path)
            assert [it for it in every if f"{it}<" in page] == sorted(wanted, key=every.index)
            assert ("smartlink" in page.partition("<h1>")[2]) == ("others-119" in wanted)
            assert counter.operations["read"] <= 200, (path, tenants)
    browser, _ = visitor(fresh, "acme")
    for name, status in (("own", 200), ("of-both", 404), ("others-1", 404)):
        assert browser.client.get(f"/jobs/{name}").status_code == status
    assert browser.client.get("/audit?tenant=globex").status_code == 404


def test_a_search_finds_nothing_of_further_tenants(fresh: Place) -> None:
    """By whatever id: the query asks for one's own tenants alone."""
    for path in (f"id={REQUEST}", f"request={REQUEST}", f"request={REQUEST}&view=history"):
        browser, _ = visitor(fresh, "acme")
        page = browser.get(f"/messages?{path}")
        assert "tenant=acme&amp;document=" in page
        assert "globex" not in page
        assert browser.client.get(f"/messages?{path}&tenant=globex").status_code == 404


def test_pages_stay_bounded_where_much_is_of_further_tenants(fresh: Place) -> None:
    """Then the page says that there may be more."""
    for number in range(130):
        job(fresh, f"of-both-{number}", number + 10, "acme", "globex")
        act(fresh, f"of-both-{number}", number + 10, "acme", "globex")
    many = ("acme", *(f"t{number}" for number in range(70)))
    for path, told in (("/jobs", "smartlink jobs list"), ("/audit", "smartlink audit")):
        browser, counter = visitor(fresh, *many)
        page = browser.get(path)
        assert "of-both" not in page
        assert told in page
        assert counter.operations["read"] <= 200, path
