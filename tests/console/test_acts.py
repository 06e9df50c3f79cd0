"""Each act: what it does, that it is on record, and that nothing is done by accident."""

import json
import re
from dataclasses import replace

import pytest

from smartlink.domain.message import State
from smartlink.operations.ports import AuditRecord
from smartlink.operations.rights import Roles
from tests.cli.place import Place
from tests.console.browser import Browser, browser_of, text_of
from tests.console.conftest import wired
from tests.console.samples import recent
from tests.support import samples


@pytest.fixture
def own(fresh: Place) -> Browser:
    return browser_of(wired(fresh), Roles(everybody=True))


def records(browser: Browser) -> list[AuditRecord]:
    return list(reversed(list(browser.deployment.audit.records(None))))


def one_act(browser: Browser, act: str) -> tuple[AuditRecord, AuditRecord]:
    """The only act on record: its intent and its result."""
    intent, result = records(browser)
    assert (intent.act, intent.who, intent.verified) == (act, "ana@example.com", True)
    assert result.intent == intent.id
    return intent, result


def version(browser: Browser, document: str) -> str:
    page = browser.get(f"/message?tenant=acme&document={document}")
    found = re.search(r'name="version" value="([^"]+)"', page)
    assert found
    return found[1]


def act(browser: Browser, document: str, what: str, status: int = 303, **more: str) -> str:
    fields = {
        "tenant": "acme",
        "document": document,
        "action": what,
        "reason": "the ERP is back",
        "version": version(browser, document),
        **more,
    }
    return browser.post("/message/act", status, **fields).text


def live(browser: Browser, document: str) -> State | None:
    found = browser.deployment.store.read("acme", [document])
    return found[document].message.state if found else None


def test_redrive_of_one(own: Browser) -> None:
    act(own, "D-dead-1", "redrive")
    assert live(own, "D-dead-1") is State.PENDING
    intent, result = one_act(own, "messages redrive")
    assert (intent.target, intent.tenant, intent.count) == ("D-dead-1", "acme", 1)
    assert (intent.reason, result.count) == ("the ERP is back", 1)
    lines = own.deployment.store.lines_of("acme", "dead-1")
    assert any("by ana@example.com: the ERP is back" in it.text for it in lines)
    assert "1 mensagens a executar de novo" in text_of(own.get("/"))
    audit = text_of(own.get("/audit"))
    assert "messages redrive" in audit
    assert "the ERP is back" in audit


def test_discard_of_one(own: Browser) -> None:
    act(own, "D-dead-1", "discard")
    assert live(own, "D-dead-1") is None
    assert "dead-1" in text_of(own.get("/messages?view=history&state=Descartada"))
    one_act(own, "messages discard")


def test_what_waits_can_be_discarded_and_not_redriven(own: Browser) -> None:
    act(own, "D-wait-1", "redrive", 403)
    assert live(own, "D-wait-1") is State.WAITING
    act(own, "D-wait-1", "discard")
    assert live(own, "D-wait-1") is None


def test_what_may_have_been_done_runs_again_only_if_somebody_found_out(own: Browser) -> None:
    act(own, "D-unknown-1", "redrive", 403)
    assert live(own, "D-unknown-1") is State.DEAD
    assert not records(own)
    act(own, "D-unknown-1", "redrive", undone="yes")
    assert live(own, "D-unknown-1") is State.PENDING


def test_nothing_is_done_without_a_reason_or_to_what_has_changed(own: Browser) -> None:
    """Two operators see the same message: the second one's click changes nothing."""
    shown = version(own, "D-dead-1")
    act(own, "D-dead-1", "redrive", 400, reason="   ")
    act(own, "D-dead-1", "burn", 400)
    assert live(own, "D-dead-1") is State.DEAD
    assert not records(own)
    act(own, "D-dead-1", "redrive")
    fields = {"tenant": "acme", "document": "D-dead-1", "action": "discard", "reason": "x"}
    own.post("/message/act", 409, version=shown, **fields)
    assert live(own, "D-dead-1") is State.PENDING
    assert len(records(own)) == 2


def test_a_content_is_shown_after_it_is_on_record(own: Browser) -> None:
    where = {"tenant": "acme", "document": "D-dead-1"}
    assert "requestID" not in own.get("/message?tenant=acme&document=D-dead-1")
    assert '"requestID": "r-1"' in text_of(own.post("/message/content", **where).text)
    intent, result = one_act(own, "messages show --content")
    assert (intent.target, result.outcome) == ("D-dead-1", "shown")


def test_what_cannot_be_recorded_is_not_shown(
    own: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    from smartlink.ports import Unavailable  # noqa: PLC0415

    def down(record: AuditRecord) -> None:
        raise Unavailable(record.act)

    monkeypatch.setattr(own.deployment.audit, "create", down)
    where = {"tenant": "acme", "document": "D-dead-1"}
    assert "requestID" not in own.post("/message/content", 403, **where).text
    act(own, "D-dead-1", "redrive", 403)
    assert live(own, "D-dead-1") is State.DEAD


def test_an_export_is_what_a_replay_takes(own: Browser) -> None:
    answer = own.post("/message/export", tenant="acme", document="D-dead-1")
    assert "attachment" in answer.headers["Content-Disposition"]
    document = json.loads(answer.text)
    assert document["format"] == "smartlink-message/1"
    assert document["text"] == '{"requestID": "r-1"}'
    one_act(own, "messages export")


def test_an_unreadable_message_can_be_discarded_and_nothing_else(
    own: Browser, fresh: Place
) -> None:
    from tests.contract.backends import _text_instead  # noqa: PLC0415

    store = own.deployment.store
    name = f"{store._calls.root}/tenants/acme/GTotvsLinkMessage/D-dead-2"  # noqa: SLF001
    store._calls.write_each("break it", [_text_instead(name, "Situacao")])  # noqa: SLF001
    assert fresh
    page = text_of(own.get("/message?tenant=acme&document=D-dead-2"))
    assert "Ilegível" in page
    assert "Ilegível" in text_of(own.get("/messages?tenant=acme"))
    where = {"tenant": "acme", "document": "D-dead-2", "reason": "broken by hand"}
    own.post("/message/act", 403, action="redrive", **where)
    own.post("/message/act", 303, action="discard", **where)
    assert live(own, "D-dead-2") is None


def test_a_preview_counts_and_does_nothing(own: Browser) -> None:
    fields = {"action": "redrive", "which": "all", "tenant": "acme"}
    page = text_of(own.post("/selection", **fields).text)
    assert "11 mensagens seriam executadas de novo" in page
    assert "1 ficam de fora" in page
    assert live(own, "D-dead-1") is State.DEAD
    assert not records(own)
    own.post("/selection", 400, action="redrive", which="some")


def test_disable_enable_and_pause(own: Browser) -> None:
    own.post("/tenants/acme/disable", 400, reason="")
    for path, seen in (
        ("disable", "Desabilitado"),
        ("enable", "Ativo"),
        ("pause", "Em pausa"),
        ("enable", "Ativo"),
    ):
        own.post(f"/tenants/acme/{path}", 303, reason="a test", span="1h")
        page = text_of(own.get("/tenants/acme"))
        assert f" {seen} " in page, path
    acts = [it.act for it in records(own) if it.intent is None]
    assert acts == ["tenants disable", "tenants enable", "tenants pause", "tenants enable"]
    own.post("/tenants/acme/pause", 400, reason="a test", span="99d")


def test_a_check_tells_what_holds(own: Browser, fresh: Place) -> None:
    fresh.hosts.simulator.simulator if False else None  # noqa: B018
    page = text_of(own.post("/tenants/acme/check").text)
    assert "acme: secret" in page
    one_act(own, "tenants check")


def test_push_and_roll_back_of_the_configuration(own: Browser) -> None:
    """Checked, shown as a difference, pushed with a reason, and only over what was looked at."""
    from smartlink.operations.configuration import SAMPLE  # noqa: PLC0415

    text = SAMPLE.replace('"QtdeTentativasExec": 5', '"QtdeTentativasExec": 3')
    page = own.post("/configuration/check", text=text).text
    assert '+      "QtdeTentativasExec": 3,' in page or "QtdeTentativasExec" in text_of(page)
    assert not records(own)
    found = re.search(r'name="generation" value="(\d+)"', page)
    assert found
    own.post("/configuration/push", 403, text=text, reason="fewer", generation="1")
    own.post("/configuration/push", 303, text=text, reason="fewer", generation=found[1])
    intent, result = one_act(own, "config push")
    assert (intent.before["QtdeTentativasExec"], result.after["QtdeTentativasExec"]) == ("5", "3")
    assert "QtdeTentativasExec 3 " in text_of(own.get("/configuration"))
    assert "Com problema" not in text_of(own.get("/configuration"))
    bad = own.post("/configuration/check", text="{").text
    assert "QtdeTentativasExec" in bad


def test_a_person_is_found_by_the_hash_and_the_look_is_kept(own: Browser, fresh: Place) -> None:
    from smartlink.domain.titular import TitularKeys  # noqa: PLC0415

    key = "k" * 40
    url = f"http://{fresh.hosts.secrets}"
    assert url
    hashed = TitularKeys((key.encode(),)).written("CPF", "52998224725")
    assert hashed
    message = recent(replace(samples.pending("about-1"), titular=(hashed,)))
    fresh.keep("acme", message)
    fields = {"tenant": "acme", "kind": "CPF", "value": "529.982.247-25", "reason": "she asked"}
    answer = own.post("/person", 404, **fields)  # no key: nobody can be found, and that is said
    assert "smartlink-titular-acme" in answer.text
    assert "52998224725" not in answer.text
    own.post("/person", 400, **{**fields, "value": "12"})
