"""What a page costs: reads of Firestore, counted on the wire, and the console's own time.

1,000 tenants, 5,000 live messages. The number of reads must not grow with the history, so the same
pages are read over a small history and over one ten times as long. `make bench ARGS="--only
console"` measures the same over 100,000 messages of history.
"""

import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import pytest
from jinja2 import Environment

from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore
from smartlink.domain.tenant import TenantState
from smartlink.operations.board import TENANTS as TENANTS_OF_A_PAGE
from smartlink.operations.rights import Roles, parse_roles
from tests.cli.place import Hosts, Place
from tests.console.browser import ORIGIN, browser_of, text_of
from tests.console.conftest import wired
from tests.console.large import MOST_READS, MOST_SECONDS, Large, counted, reads

TENANTS, LIVE, FIRST, MORE = 1_000, 5_000, 300, 3_000
BUSY = 50
HEADERS = {"Origin": ORIGIN}


@pytest.fixture(scope="module")
def large(hosts: Hosts, tmp_path_factory: pytest.TempPathFactory) -> Large:
    """As it is right after the release that keeps hourly figures: none is kept yet."""
    made = Large(Place(hosts, tmp_path_factory.mktemp("large")), TENANTS)
    made.furnish(LIVE)
    made.history(0, FIRST)
    return made


def test_no_page_reads_more_than_200_whatever_the_history(large: Large) -> None:
    """Counted by documents, not by calls; a count takes one for each 1,000."""
    before = reads(large.place)
    assert max(before.values()) <= MOST_READS, before
    large.history(FIRST, FIRST + MORE)
    after = reads(large.place)
    grown = {path: (before[path], after[path]) for path in before if after[path] > before[path] + 8}
    assert not grown
    assert max(after.values()) <= MOST_READS, after


def test_the_hours_are_read_and_not_counted(large: Large) -> None:
    """Of all tenants a sum of each figure and hour; of one its documents."""
    large.hours(BUSY)
    found = reads(large.place, ["/"])
    assert found["/"] <= MOST_READS
    large.history(FIRST + MORE, FIRST + 2 * MORE)
    assert reads(large.place, ["/"])["/"] <= found["/"] + 1


def test_a_right_for_many_tenants_costs_no_more(large: Large) -> None:
    """A query for each tenant, and then the next page."""
    names = [f"t{number:04}" for number in range(300)]
    roles = parse_roles(json.dumps({"ana@example.com": {"viewer": names}}), local=False)
    for path in (
        "/",
        "/tenants",
        "/messages",
        "/messages?view=history",
        "/messages?id=m1",
        "/errors",
    ):
        counter, browser = counted(large.place)
        browser = browser_of(browser.deployment, roles)
        browser.get(path)
        assert counter.operations["read"] <= MOST_READS, (path, counter.operations["read"])


@pytest.mark.parametrize("tenants", [None, 300])
def test_a_preview_of_all_that_match_reads_a_part_of_them(
    large: Large, tenants: int | None
) -> None:
    """Of 5,000 it counts, and looks at 150 at each load."""
    counter, browser = counted(large.place)
    if tenants:
        names = [f"t{number:04}" for number in range(1_000 - tenants, 1_000)]
        roles = parse_roles(json.dumps({"ana@example.com": {"operator": names}}), local=False)
        browser = browser_of(browser.deployment, roles)
    fields = {"form_token": browser.token(), "action": "redrive", "which": "all"}
    pages = []
    for _ in range(2):
        before = counter.operations["read"]
        pages.append(browser.client.post("/selection", data=fields, headers=HEADERS).text)
        assert counter.operations["read"] - before <= MOST_READS
        look = re.search(r'name="look" value="(\w+)"', pages[-1])
        fields["look"] = look[1] if look else ""
    told = ("No máximo 5.000 ", "Das primeiras 300 examinadas, 300 ")
    assert all(it in text_of(pages[-1]) for it in told) is (tenants is None)


def test_the_console_s_own_time_is_small(large: Large) -> None:
    """Python's own time on this thread, which does not wait for the emulator: at most 100 ms.

    Of five runs the quickest: the machine's other work must not decide.
    """
    _counter, browser = counted(large.place)
    for path in ("/messages", "/tenants", "/errors", "/messages?view=history", "/audit"):
        browser.get(path)
        own = []
        for _ in range(5):
            begin = time.thread_time()
            browser.get(path)
            own.append(time.thread_time() - begin)
        assert min(own) <= MOST_SECONDS, (path, own)


MOST_CALLS = {"/": 50_000, "/tenants": 44_000, "/messages": 120_000}
"""Functions that Python calls on a page's thread at a look that is not the first one."""


def test_a_further_look_reads_and_compiles_again_only_what_changes(
    large: Large, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the tenants' secrets, nor the configuration file, nor a template: by counts, because
    a busy machine changes every time."""
    _counter, browser = counted(large.place)
    wiring = browser.deployment
    asked: list[str] = []
    for port, call in ((wiring.secrets, "payload"), (wiring.config, "current")):
        monkeypatch.setattr(port, call, _noted(asked, call, getattr(port, call)))
    monkeypatch.setattr(Environment, "compile", _noted(asked, "compile", Environment.compile))
    for path in MOST_CALLS:
        browser.get(path)
    assert asked.count("payload") == TENANTS_OF_A_PAGE
    assert asked.count("current") == 1
    templates = {"base", "parts", "overview", "tenants", "messages", "filters", "waiting"}
    assert asked.count("compile") == len(templates)
    asked.clear()
    calls = {path: _calls(partial(browser.get, path)) for path in MOST_CALLS}
    assert not asked
    assert not {path: it for path, it in calls.items() if it > MOST_CALLS[path]}


def test_the_dead_are_counted_only_where_something_lives(large: Large) -> None:
    """Of most tenants nothing waits: the second count of each would say so again."""
    busy, quiet = (
        reads(large.place, [path])[path] for path in ("/tenants", "/tenants?after=t0500")
    )
    assert busy - quiet == TENANTS_OF_A_PAGE


def _noted(asked: list[str], name: str, call: Callable[..., Any]) -> Callable[..., Any]:
    def noted(*args: Any, **options: Any) -> Any:  # noqa: ANN401  (whatever it takes)
        asked.append(name)
        return call(*args, **options)

    return noted


def _calls(do: Callable[[], object]) -> int:
    number = 0

    def called(_frame: object, event: str, _argument: object) -> None:
        nonlocal number
        number += event in {"call", "c_call"}

    sys.setprofile(called)
    try:
        do()
    finally:
        sys.setprofile(None)
    return number


class States(OperatorFirestore):
    """Notes each look at the tenants' states."""

    looks: list[list[str]]

    def states(self, tenants: Sequence[str]) -> dict[str, TenantState]:
        self.looks.append(list(tenants))
        return super().states(tenants)


def test_the_page_of_a_tenant_reads_its_state_once(large: Large) -> None:
    """And a tenant that nobody knows is said to be unknown."""
    wiring = wired(large.place)
    store = States(OperatorCalls(large.place.project, emulator=large.place.hosts.firestore))
    store.looks = []
    wiring.__dict__["store"] = store
    browser = browser_of(wiring, Roles(everybody=True))
    browser.get("/tenants/t0001")
    assert store.looks == [["t0001"]]
    browser.get("/tenants/nobody", 404)
