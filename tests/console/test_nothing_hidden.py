"""What a page leaves out, it says; and what stands in a list can be reached."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import quote

import pytest

from console.problems import explained
from smartlink.i18n import Language, data, told
from smartlink.operations.errors import ActiveAlreadyError, OtherCustomerError, SetupError
from smartlink.operations.job import Selection
from smartlink.operations.ports import AuditRecord
from smartlink.operations.rights import Roles, parse_roles
from smartlink.ports import Conflict, CredentialsRefused, Refused, Unavailable
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of, text_of
from tests.console.conftest import wired
from tests.console.samples import recent
from tests.contract.backends import _text_instead
from tests.contract.test_jobs import PLAIN
from tests.support import samples


@pytest.fixture
def own(fresh: Place) -> Browser:
    return browser_of(wired(fresh), Roles(everybody=True))


def broken(place: Place, field: str, *names: str) -> None:
    """Writes a text into a field of each document where another kind of value belongs."""
    calls = wired(place).store._calls  # noqa: SLF001
    writes = [_text_instead(f"{calls.root}/{name}", field) for name in names]
    calls.write_each("break it", writes)


def ended(place: Place, tenant: str, *names: str) -> None:
    """Keeps messages of the history, the first one the newest."""
    now = datetime.now(UTC)
    for number, name in enumerate(names):
        plain = recent(samples.pending(name), timedelta(days=2))
        at = now - timedelta(minutes=number)
        place.end(tenant, *samples.done(plain, replies=0, ended=at))


def walked(browser: Browser, path: str) -> list[str]:
    """The documents of all pages, one page after the other."""
    found: list[str] = []
    while True:
        page = browser.get(path)
        found += re.findall(r"document=(D-old-\d+)", page)
        further = re.search(r'rel="next" href="([^"]+)"', page)
        if further is None:
            assert "É tudo." in text_of(page)
            return found
        path = further[1].replace("&amp;", "&")


@pytest.mark.parametrize("where", ["view=history", "view=history&tenant=globex"])
def test_behind_what_cannot_be_read_the_history_goes_on(
    own: Browser, fresh: Place, where: str
) -> None:
    """Though a whole page of it is unreadable, and though it does not say when it ended."""
    names = [f"old-{number:03}" for number in range(125)]
    ended(fresh, "globex", *names)
    history = "tenants/globex/GTotvsLinkMessageExec/D-"
    broken(fresh, "QtdeTentativaExec", *(history + it for it in names[:60]))
    broken(fresh, "DataFim", *(history + it for it in names[60:115]))
    found = walked(own, f"/messages?{where}")
    assert sorted(found) == [f"D-{it}" for it in names]


def test_a_page_behind_what_is_gone_says_so(own: Browser) -> None:
    said = text_of(own.get("/messages?view=history&after=acme/D-gone", 404))
    assert "comece pela primeira" in said


def test_a_tenant_without_a_secret_is_found_by_how_its_name_begins(
    own: Browser, fresh: Place
) -> None:
    for name in ("perdida", "perdida-2"):
        fresh.keep(name, recent(samples.dead("x")))
        fresh.store.save_state(name, fresh.store.states([name])[name])
    for part in ("perdida", "PERD"):
        page = own.get(f"/tenants?name={part}")
        assert ">perdida<" in page
        assert ">perdida-2<" in page
    assert ">perdida-2<" in own.get("/tenants?name=perdida&after=perdida")
    assert ">perdida<" not in own.get("/tenants?name=perdida&after=perdida")
    page = text_of(own.get("/tenants?name=dida"))
    assert "só se acham os que têm o nome começado assim" in page
    assert "Não há esse tenant aqui" in text_of(own.get("/tenants?name=../x"))


def test_a_job_that_cannot_be_read_is_listed(own: Browser, fresh: Place) -> None:
    made = replace(PLAIN, id="odd-job", selection=Selection(at=samples.NOW, tenants=("acme",)))
    wired(fresh).jobs.create(made)
    broken(fresh, "Situacao", "Tarefa/odd-job")
    page = own.get("/jobs")
    assert ">odd-job<" in page
    assert "Ilegível" in text_of(page)
    roles = parse_roles(json.dumps({"ana@example.com": {"viewer": ["acme"]}}), local=False)
    assert "odd-job" not in browser_of(wired(fresh), roles).get("/jobs")


def test_a_job_says_what_it_left_out_and_that_more_fit(own: Browser, fresh: Place) -> None:
    """In the reader's words; and who made it, where another answers for it now."""
    about = Selection(at=samples.NOW, tenants=("acme",))
    counts = replace(PLAIN.counts, second=3, skipped={"may-have-run": 2, "later": 1, "new": 1})
    made = replace(
        PLAIN, id="told", selection=about, counts=counts, more=True, made_by="eva", who="rui"
    )
    wired(fresh).jobs.create(made)
    page = text_of(own.get("/jobs/told"))
    for words in (
        "pode ter sido feita: apure",
        "chegou, morreu ou foi reenviada depois da seleção",
        "new",
        "Não são todas",
        "Já tinham terminado antes com o mesmo id 3",
        "rui",
        "eva",
    ):
        assert words in page, words
    assert "may-have-run" not in page


def causes(place: Place, number: int) -> None:
    letters = "abcdefghijklmnop"
    names = [f"{a}{b}" for a in letters for b in letters][:number]
    place.keep("globex", *(recent(samples.dead(it, error=f"falha {it}")) for it in names))


def test_causes_that_are_not_shown_are_counted(own: Browser, fresh: Place) -> None:
    causes(fresh, 110)
    own.get("/errors?tenant=globex")
    page = own.get("/errors?tenant=globex")
    assert page.count('class="trend"') == 100
    seen = text_of(page)
    assert re.search(r"São mostradas as 100 causas mais frequentes, de 11\d", seen)


def test_what_is_in_no_cause_is_counted(own: Browser, fresh: Place) -> None:
    fresh.keep("acme", recent(samples.dead("silent", error="")))
    broken(fresh, "QtdeTentativaExec", "tenants/acme/GTotvsLinkMessage/D-dead-1")
    seen = text_of(own.get("/errors?tenant=acme"))
    assert "1 não pode ser lida" in seen
    assert "1 não tem erro" in seen


def test_a_command_that_no_catalogue_has_is_named(own: Browser) -> None:
    """As the command line does, where nothing is found."""
    for path in (
        "/messages?command=SGDPDataComand",
        "/messages?command=SGDPDataComand&view=history",
    ):
        seen = text_of(own.get(path))
        assert (
            "O catálogo não tem o comando SGDPDataComand: você quis dizer SGDPDataCommand" in seen
        )
    assert "O catálogo" not in text_of(own.get("/messages?command=SGDPMaskCommand"))


def picks(browser: Browser, path: str) -> list[str]:
    return re.findall(r'name="pick" value="([^"]+)"', browser.get(path))


def test_what_was_ticked_and_is_left_out_is_counted(own: Browser, fresh: Place) -> None:
    """Because it has changed since, or because the visitor may not act on its tenant."""
    ticked = [
        *picks(own, "/messages?tenant=globex&state=Morta"),
        *picks(own, "/messages?error=10.0.0.7&tenant=acme"),
    ]
    text = json.dumps({"rui@example.com": {"viewer": ["globex"], "operator": ["acme"]}})
    rui = browser_of(wired(fresh), parse_roles(text, local=False), "rui@example.com")
    assert {it.partition("/")[0] for it in picks(rui, "/messages")} == {"acme"}
    page = own.get("/message?tenant=acme&document=D-dead-1")
    version = re.search(r'name="version" value="([^"]+)"', page)
    assert version
    own.post(
        "/message/act",
        303,
        tenant="acme",
        document="D-dead-1",
        action="redrive",
        reason="x",
        version=version[1],
    )
    fields: dict[str, Any] = {"which": "some", "action": "redrive", "pick": ticked}
    seen = text_of(own.post("/selection", **fields).text)
    assert "1 das que você marcou mudou ou terminou depois de listada" in seen
    seen = text_of(rui.post("/selection", **fields).text)
    foreign = sum(it.startswith("globex/") for it in ticked)
    assert f"{foreign} das que você marcou são de tenants em que você não pode agir" in seen
    seen = text_of(rui.post("/selection", which="all", action="redrive").text)
    assert "Só entram os tenants em que você pode agir: acme" in seen


def test_what_nobody_can_read_is_shown_without_raw_values(own: Browser, fresh: Place) -> None:
    broken(fresh, "QtdeTentativaExec", "tenants/acme/GTotvsLinkMessage/D-dead-1")
    seen = text_of(own.get("/message?tenant=acme&document=D-dead-1"))
    assert re.search(r"DataRecebimento \d{4}-\d\d-\d\dT[\d:.]+Z", seen)
    assert "bytes, que não são mostrados" in seen
    assert "nanos" not in seen
    assert "--content" not in seen


def test_figures_by_command_say_what_is_of_none(own: Browser, fresh: Place) -> None:
    """The sum of the table is that of the tiles; a preview's, what the database finds."""
    page = own.get("/")
    assert re.search(r"outros tipos: [^0-9]*(\d+) 7 ", text_of(page))
    fresh.keep("acme", *(recent(samples.dead(f"many-{it:03}")) for it in range(160)))
    page = own.post("/selection", which="all", action="redrive", tenant="acme").text
    assert "SGDPDataCommand 165, outros tipos 7" in text_of(page)


def test_the_audit_says_how_far_it_has_looked(own: Browser) -> None:
    audit = own.deployment.audit
    for number in range(110):
        at = samples.NOW + timedelta(seconds=number)
        made = AuditRecord(
            id=f"{number:03}", act="job stop", who="rui", verified=True, at=at, target="x"
        )
        audit.create(made)
    seen = text_of(own.get("/audit?who=nobody"))
    assert "Nenhum" in seen
    assert "Só foi olhado o que se fez depois de 9 de mar. de 2026 09:" in seen
    assert "smartlink audit" in text_of(own.get("/audit"))


def test_what_a_port_says_stands_behind_the_page_s_own_words(own: Browser) -> None:
    """In the reader's language, with the mend; and whether something may have been done."""
    for error, acted, said in (
        (CredentialsRefused("RAC refuses"), True, "confira o client id e o client secret (RAC r"),
        (Unavailable("read x"), False, "carregue a página de novo"),
        (Unavailable("write x"), True, "ninguém sabe se foi feito"),
        (Refused("read x: denied"), False, "talvez falte um direito"),
        (Conflict("x"), True, "x: alguém alterou isso"),
        (ActiveAlreadyError("acme", "here"), True, "Novas credenciais (trocar)"),
        (OtherCustomerError("acme", data("x")), True, "página de acme"),
    ):
        assert said in told(explained(error, acted=acted), Language.PORTUGUESE)
    assert own


def test_a_secret_that_stayed_behind_is_told() -> None:
    """After a failed activation: else the next one finds the name taken, and nobody knows why."""
    for kept, said in (
        (Unavailable("delete it"), "apague smartlink-tenant-acme à mão"),
        (None, "O segredo foi apagado de novo"),
    ):
        error = SetupError("acme", kept)
        error.__cause__ = Unavailable("the broker")
        text = told(explained(error, acted=True), Language.PORTUGUESE)
        assert said in text
        assert "(the broker)" in text


def test_a_document_that_a_person_made_can_be_reached(own: Browser, fresh: Place) -> None:
    """Whatever its name: it stands in the list, so its page opens, and the next page begins
    behind it."""
    fresh.keep("acme", recent(replace(samples.dead("x"), document="A person's")))
    broken(fresh, "Situacao", "tenants/acme/GTotvsLinkMessage/A person's")
    page = own.get("/messages?tenant=acme")
    [link] = re.findall(r'href="(/message\?[^"]*person[^"]*)"', page)
    assert "Ilegível" in text_of(own.get(unescape(link)))
    own.get("/messages?tenant=acme&after=acme/A person's")


REFUSED = ("..", "a/b", "__x__", "/", "acme/__x__", "acme/" + "é" * 751, "\x00")


@pytest.mark.parametrize("text", [*REFUSED, "acme/D-a/0001-01-01T00:00:00+23:59"])
def test_a_wrong_address_is_no_failure_of_the_database(own: Browser, text: str) -> None:
    """It is said to be wrong; asked of the database, it would read as a missing right."""
    for path in (
        "/messages?after=",
        "/messages?view=history&after=",
        "/tenants?after=",
        "/message?tenant=acme&document=",
        "/messages?id=",
        "/messages?command=",
        "/jobs/",
    ):
        answer = own.client.get(path + quote(text, safe=""))
        assert answer.status_code in {200, 400, 404, 308}, (path, answer.status_code)
    ticked = own.post("/selection", which="some", action="redrive", pick=[f"acme/{text}@1"])
    assert "1 das que você marcou mudou ou terminou" in text_of(ticked.text)


@pytest.mark.parametrize("back", ["/\t/evil.example", "/\\evil.example", "//evil.example", "x"])
def test_the_choice_of_a_language_leads_nowhere_else(own: Browser, back: str) -> None:
    answer = own.post("/language", 303, language="en", back=back)
    assert answer.headers["Location"] == "/"


def test_a_form_that_is_too_long_is_said_to_be(own: Browser) -> None:
    fields = {"text": "x" * 1_200_000}
    seen = text_of(own.post("/configuration/check", 413, **fields).text)
    assert "O formulário é longo demais" in seen
