"""Each act: what it does, that it is on record, and that nothing is done by accident."""

import json
import re
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from smartlink.domain.message import DeadReason, Listed, State
from smartlink.operations import operate
from smartlink.operations.act import perform
from smartlink.operations.actions import DISCARD
from smartlink.operations.audit import note as audit_note
from smartlink.operations.board import CauseLook, Scope
from smartlink.operations.job import Job
from smartlink.operations.ports import AuditRecord, Equal
from smartlink.operations.preview import Preview, Previews, meant_by
from smartlink.operations.rights import Roles, parse_roles
from smartlink.operations.select import Filters, Selected
from smartlink.ports import Unavailable
from tests.cli.place import Place
from tests.cli.test_titular import furnish
from tests.console.browser import ORIGIN, Browser, browser_of, tags_of, text_of
from tests.console.conftest import wired
from tests.console.samples import recent
from tests.contract.test_jobs import PLAIN
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
    fields: dict[str, Any] = {
        "tenant": "acme",
        "document": document,
        "action": what,
        "reason": "the ERP is back",
        "version": version(browser, document),
        **more,
    }
    return browser.post("/message/act", status, **fields).text


def live(browser: Browser, document: str, tenant: str = "acme") -> State | None:
    found = browser.deployment.store.read(tenant, [document])
    return found[document].message.state if found else None


def test_redrive_of_one(own: Browser) -> None:
    act(own, "D-dead-1", "redrive")
    assert live(own, "D-dead-1") is State.PENDING
    intent, result = one_act(own, "messages redrive")
    assert (intent.target, intent.tenant, intent.count) == ("D-dead-1", "acme", 1)
    assert (intent.reason, result.count) == ("the ERP is back", 1)
    lines = own.deployment.store.lines_of("acme", "dead-1")
    assert any("by ana@example.com: the ERP is back" in it.text for it in lines)
    assert "1 mensagem: " in text_of(own.get("/"))
    audit = text_of(own.get("/audit?act=messages+redrive"))
    assert "Reenviar mensagens D-dead-1" in audit
    assert "the ERP is back" in audit


def test_an_act_of_another_version_is_shown_and_found_as_it_is_stored(own: Browser) -> None:
    now = own.deployment.now()
    own.deployment.audit.create(
        AuditRecord(id="a1", act="tenants split", who="ana", verified=True, at=now, target="acme")
    )
    page = own.get("/audit?act=tenants+split")
    assert "tenants split acme" in text_of(page)
    chosen = {"value": "tenants split", "selected": None}
    assert ("option", chosen) in list(tags_of(page))
    assert text_of(page).count("Pausar um tenant") == 1  # as one that may be chosen


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


@pytest.mark.parametrize("document", ["D-pend-1", "D-wait-1", "D-dead-1", "U-up-1"])
def test_hold_of_one_in_any_state(own: Browser, document: str) -> None:
    """Nobody redrives it then by accident, and it cannot be held twice."""
    assert 'value="hold"' in own.get(f"/message?tenant=acme&document={document}")
    act(own, document, "hold")
    found = own.deployment.store.read("acme", [document])[document].message
    assert (found.state, found.dead_reason) == (State.DEAD, DeadReason.UNKNOWN_OUTCOME)
    intent, result = one_act(own, "messages hold")
    assert (intent.target, intent.reason, result.count) == (document, "the ERP is back", 1)
    page = own.get(f"/message?tenant=acme&document={document}")
    assert 'value="hold"' not in page
    act(own, document, "hold", 403)
    act(own, document, "redrive", 403)


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
    fields: dict[str, Any] = {"tenant": "acme", "document": "D-dead-1"}
    fields |= {"action": "discard", "reason": "x"}
    own.post("/message/act", 409, version=shown, **fields)
    assert live(own, "D-dead-1") is State.PENDING
    assert len(records(own)) == 2


def test_a_content_is_shown_after_it_is_on_record(own: Browser) -> None:
    where: dict[str, Any] = {"tenant": "acme", "document": "D-dead-1"}
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
    where: dict[str, Any] = {"tenant": "acme", "document": "D-dead-1"}
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
    where: dict[str, Any] = {"tenant": "acme", "document": "D-dead-2", "reason": "broken"}
    own.post("/message/act", 403, action="redrive", **where)
    own.post("/message/act", 303, action="discard", **where)
    assert live(own, "D-dead-2") is None


def test_a_preview_counts_and_does_nothing(own: Browser) -> None:
    fields: dict[str, Any] = {"action": "redrive", "which": "all", "tenant": "acme"}
    page = text_of(own.post("/selection", **fields).text)
    assert "11 mensagens seriam executadas de novo" in page
    assert "1 fica de fora" in page
    assert live(own, "D-dead-1") is State.DEAD
    assert not records(own)
    own.post("/selection", 400, action="redrive", which="some")


def test_who_may_act_on_some_tenants_is_told_too_what_is_left_alone(fresh: Place) -> None:
    """A preview that finds nothing dead says what lives, of each of the visitor's tenants."""
    fresh.keep("acme", recent(samples.waiting("wait-9", type="OnlyHereCommand")))
    fresh.keep("globex", recent(samples.waiting("wait-8", type="OnlyHereCommand")))
    text = json.dumps({"rui@example.com": {"operator": ["acme", "globex"]}})
    some = browser_of(wired(fresh), parse_roles(text, local=False), "rui@example.com")
    fields: dict[str, Any] = {"action": "discard", "which": "all", "command": "OnlyHereCommand"}
    page = text_of(some.post("/selection", **fields).text)
    assert re.search(r"Não estão mortas e ficam como estão: 2 ", page)
    assert "Nova prévia com as que aguardam nova tentativa" in page


def test_disable_enable_and_pause(own: Browser) -> None:
    own.post("/tenants/acme/disable", 400, reason="")
    for path, seen in (
        ("disable", "Desativado"),
        ("enable", "Ativo"),
        ("pause", "Pausado"),
        ("enable", "Ativo"),
    ):
        own.post(f"/tenants/acme/{path}", 303, reason="a test", span="1h")
        page = text_of(own.get("/tenants/acme"))
        assert f" {seen} " in page, path
    acts = [it.act for it in records(own) if it.intent is None]
    assert acts == ["tenants disable", "tenants enable", "tenants pause", "tenants enable"]
    own.post("/tenants/acme/pause", 400, reason="a test", span="99d")


def test_a_check_tells_what_holds(own: Browser) -> None:
    page = text_of(own.post("/tenants/acme/check").text)
    assert "acme: segredo" in page
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
    """However the CPF is written; it is in no address, no page and no record."""
    furnish(fresh)
    fields: dict[str, Any] = {
        "tenant": "acme",
        "kind": "CPF",
        "value": "529.982.247-25",
        "reason": "she asked",
    }
    page = own.post("/person", **fields).text
    assert "2 mensagens tratam desta pessoa" in text_of(page)
    assert ">alive<" in page
    assert ">gone<" in page
    assert "52998224725" not in page
    assert "529.982.247-25" not in page
    intent, result = one_act(own, "messages list --titular")
    assert (intent.tenant, intent.reason, result.count) == ("acme", "she asked", 2)
    assert "5299822" not in str(records(own)).replace(".", "")
    own.post("/person", 400, **{**fields, "value": " "})
    own.post("/person", 404, **{**fields, "tenant": "globex"})  # it has no key: that is said


def step(browser: Browser, job: str, looked: int = 10_000) -> None:
    """As the function `operate` does once."""
    identity = uuid.uuid4
    verdict = operate.step(
        browser.deployment,
        job,
        Roles(everybody=True),
        lambda: identity().hex,
        threading.Event(),
        operate.Bounds(seconds=60, looked=looked),
    )
    assert verdict


def previewed(browser: Browser, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """The fields of the form that a preview offers."""
    page = browser.post("/selection", **fields).text
    look = re.search(r'name="look" value="(\w+)"', page)
    return {**fields, "look": look[1]} if look else fields


def begin(browser: Browser, shown: int, **fields: Any) -> str:  # noqa: ANN401
    fields = previewed(browser, **fields)
    answer = browser.post("/jobs", 303, reason="the ERP is back", shown=str(shown), **fields)
    return answer.headers["Location"].rpartition("/")[2]


def test_all_that_match_are_redriven_as_a_job(own: Browser) -> None:
    """Previewed, begun with a reason, watched, on record; those that may have run are left."""
    fields: dict[str, Any] = {"action": "redrive", "which": "all", "tenant": "acme"}
    own.post("/jobs", 400, **previewed(own, **fields))
    lost = own.post("/jobs", 200, reason="x", look="of another process", **fields).text
    assert "não é mais conhecida" in text_of(lost)
    other = {**previewed(own, **fields), "action": "discard"}
    assert "não é mais conhecida" in text_of(own.post("/jobs", 200, reason="x", **other).text)
    further = own.post("/selection", 200, look="of another process", **fields).text
    assert "não é mais conhecida" in text_of(further)
    assert not records(own)
    job = begin(own, 11, **fields)
    assert "0 de 11 mensagens" in text_of(own.get(f"/jobs/{job}"))
    step(own, job)
    page = text_of(own.get(f"/jobs/{job}"))
    assert "11 de 11 mensagens" in page
    assert "Concluída" in page
    assert job in own.get("/jobs")
    assert live(own, "D-dead-1") is State.PENDING
    assert live(own, "D-unknown-1") is State.DEAD
    intent, result = one_act(own, "messages redrive")
    assert (intent.count, result.count, intent.reason) == (11, 11, "the ERP is back")


def test_a_preview_of_many_looks_further_at_each_load(own: Browser, fresh: Place) -> None:
    """It says what the database finds, and how far the look has come; then the numbers are exact.
    What dies after it began is not taken."""
    fresh.keep("globex", *(recent(samples.dead(f"m{number:03}")) for number in range(200)))
    fresh.keep("globex", *(recent(samples.dead(f"x{n}", error="other")) for n in range(20)))
    fields: dict[str, Any] = {"action": "redrive", "which": "all", "tenant": "globex"}
    fields["error"] = "Connection"
    form = previewed(own, **fields)
    first = text_of(own.post("/selection", **fields).text)
    assert "No máximo 224 mensagens seriam executadas de novo" in first
    assert "SGDPDataCommand 224" in first
    assert "Das primeiras 150 examinadas, 150 se encaixam" in first
    second = text_of(own.post("/selection", **form).text)
    assert "202 mensagens seriam executadas de novo" in second
    assert "No máximo" not in second
    fresh.keep("globex", recent(samples.dead("m-later"), ago=timedelta(minutes=-1)))
    job = own.post("/jobs", 303, reason="back", **form).headers["Location"].rpartition("/")[2]
    step(own, job)
    assert "202 de 202 mensagens" in text_of(own.get(f"/jobs/{job}"))
    assert live(own, "D-m-later", "globex") is State.DEAD
    assert live(own, "D-x1", "globex") is State.DEAD


def test_a_job_may_begin_before_the_look_is_done(own: Browser, fresh: Place) -> None:
    """It is about all that matched, and says how many it found; its number is a bound."""
    fresh.keep("globex", *(recent(samples.dead(f"m{number:03}")) for number in range(200)))
    fields: dict[str, Any] = {"action": "discard", "which": "all", "error": "Connection"}
    job = begin(own, 0, **fields)
    page = text_of(own.get(f"/jobs/{job}"))
    assert "0 de no máximo 216 mensagens" in page
    assert "acme, globex" in page
    step(own, job)
    page = text_of(own.get(f"/jobs/{job}"))
    assert "207 de no máximo 216 mensagens" in page
    assert "Concluída" in page
    intent, result = one_act(own, "messages discard")
    assert (intent.count, intent.before, result.count) == (216, {"Morta (at most)": "216"}, 207)


def test_a_job_of_more_tenants_than_are_counted_says_how_many_it_takes_at_most(
    fresh: Place,
) -> None:
    """The preview counts no tenant of so many one by one; the job and the record tell a number."""
    fresh.keep("globex", *(recent(samples.dead(f"m{number:03}")) for number in range(160)))
    named = ["acme", "globex", *(f"tenant-{number}" for number in range(20))]
    roles = parse_roles(json.dumps({"ana@example.com": {"operator": named}}), local=False)
    many = browser_of(wired(fresh), roles)
    fresh.store.note_commands(["SGDPDataCommand"], many.deployment.now(), timedelta(minutes=10))
    overview = text_of(many.get("/"))
    assert "Nada foi encontrado que precise de uma pessoa" in overview
    assert "Nada precisa de uma pessoa" not in overview
    fields: dict[str, Any] = {"action": "discard", "which": "all", "error": "Connection"}
    form = previewed(many, **fields)
    assert "Com tantos tenants, não se conta quantas são" in text_of(
        many.post("/selection", **fields).text
    )
    job = many.post("/jobs", 303, reason="old", **form).headers["Location"].rpartition("/")[2]
    page = text_of(many.get(f"/jobs/{job}"))
    assert "0 de no máximo 176 mensagens" in page
    assert "acme, globex" in page


def test_a_look_that_broke_off_counts_nothing_twice(fresh: Place) -> None:
    """The database fails between the dead and those that wait; the next look goes on there."""
    wiring = wired(fresh)
    scope, store = Scope(("acme",)), wiring.store
    meant = meant_by(scope, DISCARD, Filters(), undone=False, waiting=True)
    previews = Previews()
    whole = previews.begin(wiring, meant)[1]
    assert whole.finished
    broken = Preview(meant, whole.begun, meant.walk(), whole.found)
    look = CauseLook(whole.begun, None)
    page = store.page_live

    def fails(tenant: str | None, equal: Equal, *rest: Any) -> Any:  # noqa: ANN401
        if equal.get("Situacao") == State.WAITING:
            message = "no answer"
            raise Unavailable(message)
        return page(tenant, equal, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "page_live", fails)
        with pytest.raises(Unavailable):
            broken.go_on(wiring)
        with pytest.raises(Unavailable):
            look.go_on(wiring, scope)
    broken.go_on(wiring)
    look.go_on(wiring, scope)
    assert (broken.looked, broken.fit) == (whole.looked, whole.fit)
    assert look.looked == whole.looked


def test_those_that_are_ticked_and_no_others(own: Browser) -> None:
    page = own.get("/messages?tenant=acme&state=Morta")
    picks = [
        attributes["value"]
        for name, attributes in tags_of(page)
        if name == "input" and attributes.get("name") == "pick"
    ]
    some = [it for it in picks if it and ("/D-dead-1@" in it or "/D-dead-2@" in it)]
    job = begin(own, 2, action="discard", which="some", pick=some)
    step(own, job)
    assert (live(own, "D-dead-1"), live(own, "D-dead-2")) == (None, None)
    assert live(own, "D-dead-0") is State.DEAD


def test_all_that_live_are_held_as_a_job(own: Browser) -> None:
    """In whatever state; what is held already, or never runs, is left out."""
    fields: dict[str, Any] = {"action": "hold", "which": "all", "tenant": "globex"}
    seen = own.post("/selection", **fields).text
    assert "7 mensagens seriam retidas" in text_of(seen)
    assert "em qualquer situação" in text_of(seen)
    assert "Reter 7 mensagens" in text_of(seen)
    job = begin(own, 7, **fields)
    step(own, job)
    assert "7 de 7 mensagens" in text_of(own.get(f"/jobs/{job}"))
    states = {it.message.state for it in own.deployment.store.live("globex", {})}
    assert states == {State.DEAD}
    assert live(own, "D-pend-1") is State.PENDING
    one_act(own, "messages hold")


def test_those_that_are_ticked_are_held_in_any_state(own: Browser) -> None:
    page = own.get("/messages?tenant=acme&state=Pendente")
    picks = [it["value"] for name, it in tags_of(page) if it.get("name") == "pick"]
    some = [it for it in picks if it and "/D-pend-1@" in it]
    step(own, begin(own, 1, action="hold", which="some", pick=some, state="Pendente"))
    assert (live(own, "D-pend-1"), live(own, "D-wait-1")) == (State.DEAD, State.WAITING)


@pytest.mark.parametrize(
    ("action", "state", "status"),
    [
        ("redrive", "Aguardando", 400),
        ("discard", "Aguardando", 400),
        ("hold", "Pendente", 400),
        ("hold", "Morta", 400),
        ("redrive", "Morta", 200),
        ("discard", "Morta", 200),
    ],
)
def test_all_that_match_are_never_others_than_those_of_the_list(
    own: Browser, action: str, state: str, status: int
) -> None:
    """A job knows no state, so a filter by another one than the act's own is refused."""
    fields: dict[str, Any] = {"action": action, "which": "all", "state": state}
    own.post("/selection", status, **fields)
    own.post("/jobs", 400 if status == 400 else 200, reason="x", shown="0", **fields)
    assert not records(own)


def test_a_job_about_one_request_leaves_all_others_alone(own: Browser, fresh: Place) -> None:
    asked = [recent(samples.dead(f"asked-{it}", request_id="r-9")) for it in range(2)]
    fresh.keep("acme", *asked)
    page = own.get("/messages?tenant=acme&request=r-9")
    assert text_of(page).count(" asked-") == 2
    job = begin(own, 2, action="redrive", which="all", tenant="acme", request="r-9")
    step(own, job)
    assert {live(own, f"D-asked-{it}") for it in range(2)} == {State.PENDING}
    assert live(own, "D-dead-1") is State.DEAD
    intent, result = one_act(own, "messages redrive")
    assert (intent.target, result.count) == ("2 chosen messages --tenant acme --request r-9", 2)


@pytest.mark.parametrize("which", ["all", "some"])
def test_a_form_that_is_sent_again_begins_nothing(own: Browser, which: str) -> None:
    """A double click, a reload, a way back: each leads to the job that was begun, which is on
    record once; also after it was stopped."""
    fields: dict[str, Any] = {"action": "discard", "which": which, "tenant": "globex"}
    shown = 3
    if which == "some":
        page = own.get("/messages?tenant=globex&state=Morta")
        fields["pick"] = [it["value"] for _, it in tags_of(page) if it.get("name") == "pick"][:2]
        shown = 2
    form = previewed(own, **fields)
    token = own.token()
    answers: list[str] = []

    def send() -> None:
        answer = own.client.post(
            "/jobs",
            data={"form_token": token, "reason": "x", "shown": shown, **form},
            headers={"Origin": ORIGIN},
        )
        answers.append(answer.headers["Location"])

    send()
    send()
    job = answers[0].rpartition("/")[2]
    own.post(f"/jobs/{job}/stop", 303, reason="wait")
    step(own, job)
    send()
    assert len(set(answers)) == 1
    assert [it.act for it in records(own) if it.intent is None] == ["messages discard", "job stop"]
    again = previewed(own, **fields)
    assert again["look"] != form["look"]
    assert (
        own.post("/jobs", 303, reason="x", shown=str(shown), **again).headers["Location"]
        != answers[0]
    )


def test_two_forms_at_once_begin_one_job() -> None:
    """The second one waits until the first one's job is there."""
    previews, made = Previews(), list[str]()
    under_way, go_on = threading.Event(), threading.Event()

    def begin() -> Job:
        under_way.set()
        assert go_on.wait(60)
        made.append("job")
        return replace(PLAIN, id=f"job-{len(made)}")

    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(previews.once, "look", begin)
        assert under_way.wait(60)
        second = pool.submit(previews.once, "look", begin)
        go_on.set()
        assert (first.result(), second.result()) == ("job-1", "job-1")


def test_fewer_than_were_shown_begin_nothing(own: Browser) -> None:
    """What was ticked has changed after the preview: the page says what is left of it."""
    page = own.get("/messages?tenant=globex&state=Morta")
    picks = [it["value"] for _, it in tags_of(page) if it.get("name") == "pick"][:2]
    fields: dict[str, Any] = {"action": "discard", "which": "some", "pick": picks}
    form = previewed(own, **fields)
    document = str(picks[0]).partition("/")[2].partition("@")[0]
    found = own.deployment.store.read("globex", [document])[document]
    note = audit_note(own.deployment, "rui", "first")
    perform(
        own.deployment,
        DISCARD,
        "globex",
        [Selected("globex", Listed(found.message, found.version))],
        note,
    )
    seen = text_of(own.post("/jobs", 200, reason="x", shown="2", **form).text)
    assert "já não é o que a prévia mostrava" in seen
    assert "1 das que você marcou mudou ou terminou" in seen
    assert not own.deployment.jobs.newest(5)


def test_a_job_is_stopped_by_one_and_resumed_by_another(own: Browser, fresh: Place) -> None:
    """Two operators at once: both see it; what was done stays done; the rest is done once."""
    other = browser_of(wired(fresh), Roles(everybody=True), "rui@example.com")
    many = [recent(samples.dead(f"m{number:03}")) for number in range(100)]
    fresh.keep("globex", *many)
    job = begin(own, 200, action="redrive", which="all", tenant="globex")
    step(own, job, looked=40)
    other.post(f"/jobs/{job}/stop", 400)
    other.post(f"/jobs/{job}/stop", 303, reason="too many at once")
    step(own, job)
    page = text_of(own.get(f"/jobs/{job}"))
    assert "Parada" in page
    assert "rui@example.com" in page
    assert "40 de 103 mensagens" in page
    own.post(f"/jobs/{job}/stop", 403, reason="again")
    other.post(f"/jobs/{job}/resume", 303, reason="now it may")
    step(own, job)
    assert "103 de 103 mensagens" in text_of(own.get(f"/jobs/{job}"))
    acts = [(it.act, it.who) for it in records(own) if it.intent is None]
    assert acts == [
        ("messages redrive", "ana@example.com"),
        ("job stop", "rui@example.com"),
        ("job resume", "rui@example.com"),
    ]


def test_a_job_of_another_tenant_is_not_there(own: Browser, fresh: Place) -> None:
    job = begin(own, 11, action="redrive", which="all", tenant="acme")
    text = json.dumps({"rui@example.com": {"operator": ["globex"]}})
    other = browser_of(wired(fresh), parse_roles(text, local=False), "rui@example.com")
    assert job not in other.get("/jobs")
    refused = text_of(other.get(f"/jobs/{job}", 404))
    assert text_of(other.get("/jobs/none", 404)) == refused.replace(job, "none")
    other.post(f"/jobs/{job}/stop", 404, reason="x")
    viewer = json.dumps({"rui@example.com": {"viewer": ["acme"]}})
    third = browser_of(wired(fresh), parse_roles(viewer, local=False), "rui@example.com")
    third.get(f"/jobs/{job}")
    third.post(f"/jobs/{job}/stop", 403, reason="x")
