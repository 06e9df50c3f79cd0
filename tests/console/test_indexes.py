"""Every query of every page has its index: without one production refuses it, the emulator never.

As somebody who may see all tenants, and as somebody who may see some: these are other queries.
"""

import json
from itertools import product

import pytest

from smartlink.operations.rights import Roles, parse_roles
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of
from tests.console.conftest import watched, wired
from tests.console.test_pages import PAGES
from tests.support.served import Unserved

SOME = {"ana@example.com": {"admin": ["acme", "globex"], "contents": ["acme"]}}
LISTS = [
    f"/messages?{'&'.join(filter(None, parts))}"
    for parts in product(
        ("", "tenant=acme"),
        ("state=Morta", "view=history", "view=history&state=Concluida"),
        ("", "command=SGDPDataCommand"),
        ("", "direction=down&older=15m&newer=30d"),
        ("", "request=r-1"),
    )
]


def looked_at(place: Place, roles: Roles) -> tuple[Browser, Unserved]:
    unserved = Unserved()
    return browser_of(watched(wired(place), place, unserved), roles), unserved


@pytest.mark.parametrize("whose", ["all", "some"])
def test_no_page_asks_what_production_refuses(place: Place, whose: str) -> None:
    roles = Roles(everybody=True) if whose == "all" else parse_roles(json.dumps(SOME), local=False)
    browser, unserved = looked_at(place, roles)
    for path in (*PAGES, *LISTS, "/messages?id=r-1", "/errors?tenant=acme"):
        browser.client.get(path)
    assert unserved.asked > 100
    assert not unserved.found
