"""The demo's own parts: what it asks, what it calls a success, what it says of a failure."""

import io
import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest
import requests
from rich.console import Console

from infra.local.demo.asks import Ask, make_asks, to_be_anonymised
from infra.local.demo.report import show
from infra.local.demo.result import Masking, Result, Row
from infra.local.demo.story import Story
from infra.local.erp import ErpDatabase
from infra.local.errors import NotReadyError
from infra.local.rest import Json
from infra.local.tenants import LocalTenant
from infra.people import SamplePerson
from infra.simulator.running import RunningSimulator, running_simulator

PATIENCE = 10
WAITS, DONE = "Em Processamento", "Processada"


def people(count: int = 40) -> list[SamplePerson]:
    return [
        SamplePerson(number, f"P{number}", f"cpf{number}", "rg", f"{number}@x", employed=False)
        for number in range(count)
    ]


def test_sixty_requests_are_asked_in_every_variety() -> None:
    """20 of each command, both tenants, both payload styles, some dry runs."""
    asks = make_asks({"acme": people(), "globex": people()})

    assert len(asks) == 60
    assert set(Counter(ask.command for ask in asks).values()) == {20}
    for command in {ask.command for ask in asks}:
        own = [ask for ask in asks if ask.command == command]
        assert Counter(ask.tenant for ask in own) == {"acme": 10, "globex": 10}
        assert Counter(ask.style for ask in own) == {"totvs": 10, "cloudevents": 10}
    assert sum(ask.to_verify for ask in asks) == 4
    assert to_be_anonymised(asks, "acme") == 8


def test_nobody_is_asked_about_twice() -> None:
    """Who has been anonymised would not be found again."""
    asks = make_asks({"acme": people(), "globex": people()})

    assert len({(ask.tenant, ask.person.id) for ask in asks}) == 60


def result(*afters: str, right: bool = True) -> Result:
    asked = Ask("acme", "SGDPMaskCommand", people()[0], "totvs")
    rows = [Row(asked, f"r{n}", WAITS, after, None) for n, after in enumerate(afters)]
    masking = {"acme": Masking(people=40, before=0, after=8 if right else 7, expected=8)}
    counts = {"GTotvsLinkMessage": 0, "GTotvsLinkMessageExec": 120, "GTotvsLinkLog": 122}
    return Result("emulators", {"processed": 1.0}, rows, masking, counts)


def printed(shown: Result) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    show(shown, console)
    return console.export_text()


def test_it_is_a_success_only_if_all_is_processed_and_the_right_people_are_anonymous() -> None:
    """No request at all is none either."""
    assert result(DONE, DONE).ok
    assert not result(DONE, WAITS).ok
    assert not result(DONE, right=False).ok
    assert not result().ok


def test_the_report_fits_80_columns_and_shows_before_and_after() -> None:
    """Statuses, people, the three collections, the verdict."""
    text = printed(result(DONE, DONE))

    for words in (WAITS, DONE, "acme", "GTotvsLinkMessageExec", "120", "All 2 requests are"):
        assert words in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_failure_names_the_open_requests_and_what_is_known() -> None:
    """So that one need not start with the logs."""
    failed = result(DONE, WAITS)
    failed.clues = ["acme: SGDPMaskCommand m1 is Morta after 5 attempts: no such table"]

    text = printed(failed)

    assert "1 of 2 requests are not “Processada”" in text
    assert f"acme SGDPMaskCommand r1: {WAITS}" in text
    assert "no such table" in text
    assert "wrong people are anonymised: acme" in printed(result(DONE, right=False))


def test_json_has_what_the_tables_have() -> None:
    """And says at once whether it went well."""
    document = json.loads(json.dumps(result(DONE, WAITS).json()))

    assert document["ok"] is False
    assert [row["after"] for row in document["requests"]] == [DONE, WAITS]
    assert document["anonymised"]["acme"] == {"people": 40, "before": 0, "after": 8, "asked": 8}
    assert document["collections"]["GTotvsLinkMessageExec"] == 120


class DeadWorld:
    """A relay that does nothing."""

    mode = "emulators"

    def __init__(self, simulator: str) -> None:
        self.simulator = simulator

    def tick(self) -> None:
        """Do nothing."""

    def check(self) -> None:
        """Find nothing."""

    def documents(self, tenant: str, collection: str) -> list[Json]:
        waiting = {"Comando": "SGDPMaskCommand", "Situacao": "Aguardando", "QtdeTentativaExec": 1}
        live = tenant == "acme" and collection == "GTotvsLinkMessage"
        return [waiting | {"ID": "m1", "UltimoErro": "the ERP is away"}] if live else []

    def counts(self) -> Mapping[str, int]:
        return {"GTotvsLinkMessage": 1}

    def clues(self) -> list[str]:
        return ["poll.log: cannot listen"]


class Silence:
    def say(self, step: str) -> None:
        """Say nothing."""

    def progress(self, done: int, total: int) -> None:
        """Show nothing."""


def story(simulator: RunningSimulator, folder: Path) -> Story:
    """A story about two tenants that has no time at all."""
    databases = {}
    for seed, name in enumerate(("acme", "globex")):
        simulator.add_tenant(name, name, "hush")
        entry = {"tenant": name, "clientId": name, "clientSecret": "hush"}
        databases[name] = ErpDatabase(LocalTenant.model_validate(entry), folder, seed)
    return Story(DeadWorld(simulator.url), databases, Silence(), seconds=0)


def test_a_relay_that_never_polls_is_told_with_what_its_logs_say(tmp_path: Path) -> None:
    """No request is made that would be lost."""
    with running_simulator() as simulator:
        with pytest.raises(NotReadyError, match=r"(?s)queues.*poll\.log: cannot listen"):
            story(simulator, tmp_path).run()

        assert simulator.requests() == []


def test_what_is_open_when_the_time_is_over_is_explained(tmp_path: Path) -> None:
    """The errors of documents, then those of the logs."""
    with running_simulator() as simulator:
        told = story(simulator, tmp_path)
        for name in ("acme", "globex"):
            form = {"client_id": name, "client_secret": "hush", "scope": "authorization_api"}
            form["grant_type"] = "client_credentials"
            token = requests.post(simulator.rac_token_url, data=form, timeout=PATIENCE).json()
            requests.post(
                f"{simulator.url}/api/v1/link/setup",
                json={"subscriptions": ["SGDPDataCommand"]},
                headers={"Authorization": f"Bearer {token['access_token']}"},
                timeout=PATIENCE,
            ).raise_for_status()

        ended = told.run()

    assert not ended.ok
    assert len(ended.open) == 60
    assert ended.clues == [
        "acme: SGDPMaskCommand m1 is Aguardando after 1 attempts: the ERP is away",
        "poll.log: cannot listen",
    ]
