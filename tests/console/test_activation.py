"""RM's wizard: each step is told, and a check that was not made is never told as done."""

import json
import uuid
from collections.abc import Iterator

import pytest

from console.app import make_app
from consumers.sgdp.maps import named_map
from infra.cli.erp_check import check_erp
from infra.people import create_people_database
from smartlink import bootstrap
from smartlink.i18n import Language
from smartlink.operations.activation import CheckErp
from smartlink.operations.rights import Roles
from smartlink.ports import NotFound
from tests.cli.place import Place
from tests.cli.test_tenants import put_erp
from tests.console.browser import Browser, KnownGate, text_of
from tests.console.conftest import wired

SECRET = "very-secret-value"


@pytest.fixture
def client(fresh: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A client id that RAC knows; and a process with the deployment's own settings, as a poll needs
    them."""
    for variable, value in wired(fresh).variables.items():
        monkeypatch.setenv(variable, value)
    cached = (bootstrap.settings, bootstrap.poll)
    for it in cached:
        it.cache_clear()
    name = f"client-{uuid.uuid4().hex[:8]}"
    fresh.hosts.simulator.add_tenant(name, name, SECRET, f"tid-{name}")
    yield name
    fresh.hosts.simulator.remove_tenant(name)
    for it in cached:
        it.cache_clear()


def browser_with(place: Place, check: CheckErp | None) -> Browser:
    wiring = wired(place)
    app = make_app(wiring, KnownGate(Roles(everybody=True)), check_erp=check)
    app.testing = False
    return Browser(app.test_client(), wiring)


def activated(browser: Browser, client: str, status: int = 200) -> str:
    browser.client.set_cookie("smartlink_language", str(Language.ENGLISH))
    fields = {"tenant": "umbrella", "clientId": client, "clientSecret": SECRET, "reason": "new"}
    page = browser.post("/activate", status, **fields).text
    assert SECRET not in page
    return text_of(page)


@pytest.mark.parametrize("fault", [False, True])
def test_the_erp_is_checked_before_anything_is_made(
    fresh: Place, client: str, *, fault: bool
) -> None:
    """As the command does, by the same code."""
    url = f"sqlite:///{fresh.folder / 'erp.db'}"
    create_people_database(url, count=30)
    data_map = json.loads(json.dumps(named_map("demo")))
    if fault:
        del data_map["tables"]["people"]["columns"]["phone"]
    put_erp(fresh, "umbrella", {"databaseUrl": url, "map": data_map})
    browser = browser_with(fresh, check_erp)
    page = activated(browser, client, 409 if fault else 200)
    if fault:
        assert "The ERP of umbrella has 1 faults" in page
        with pytest.raises(NotFound):
            fresh.secrets.payload("umbrella")
    else:
        assert "no faults, 0 warnings" in page
        assert "The tenant is active." in page


def test_where_no_erp_can_be_reached_the_page_names_the_command(fresh: Place, client: str) -> None:
    put_erp(fresh, "umbrella", {"databaseUrl": "sqlite://", "map": "demo"})
    browser = browser_with(fresh, None)
    assert "smartlink tpd check --tenant" in text_of(browser.get("/activate"))
    page = activated(browser, client)
    assert "Look at this ERP : not checked (this console cannot reach an ERP)" in page
    assert "run smartlink tpd check --tenant NAME" in page
