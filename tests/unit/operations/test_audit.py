"""An act is recorded before it begins and after it; what cannot be recorded is not done."""

from datetime import timedelta

import pytest

from smartlink.i18n import Language, data, spoken, told
from smartlink.operations.acts import WORDS, Act, words_of
from smartlink.operations.audit import (
    AuditFilter,
    NotRecordedError,
    ResultNotRecordedError,
    look,
    recorded,
    tenant_facts,
)
from smartlink.operations.job import ACTIONS
from tests.support.samples import dead
from tests.support.world import secret
from tests.unit.operations.desk import Desk, InMemoryAudit


def made(lost: str = "") -> tuple[Desk, InMemoryAudit, list[str]]:
    desk = Desk()
    desk.keep(dead("m"))
    audit = InMemoryAudit()
    audit.failing = [it == "x" for it in lost]
    desk.audit = audit
    return desk, audit, []


def act(desk: Desk, warned: list[str], *, fails: bool = False) -> None:
    with recorded(
        desk.deployment,
        Act.REDRIVE,
        target="--error locked",
        tenant="acme",
        reason=" The lock is gone ",
        count=3,
        before={"Morta": 3},
        warn=warned.append,
    ) as record:
        if fails:
            text = "the database is down"
            raise RuntimeError(text)
        record.count, record.outcome, record.after = 2, "2 redriven", {"redriven": 2}


def test_an_act_has_an_intent_and_a_result() -> None:
    desk, audit, warned = made()
    act(desk, warned)
    intent, result = audit.kept
    assert (intent.act, intent.who, intent.verified) == ("messages redrive", "ana", True)
    assert (intent.target, intent.reason) == ("--error locked", "The lock is gone")
    assert (intent.count, intent.before, intent.outcome) == (3, {"Morta": "3"}, None)
    assert (result.intent, result.outcome) == (intent.id, "2 redriven")
    assert (result.count, result.after) == (2, {"redriven": "2"})
    assert warned == []


def test_what_cannot_be_recorded_is_not_done() -> None:
    desk, audit, warned = made("x")
    with pytest.raises(NotRecordedError, match="so nothing was done"):
        act(desk, warned, fails=True)
    assert audit.kept == []


def test_a_result_that_is_lost_is_told() -> None:
    desk, audit, warned = made(".x")
    with pytest.raises(ResultNotRecordedError, match="was done"):
        act(desk, warned)
    [deed] = look(desk.deployment, AuditFilter(), 10).deeds
    assert (deed.intent.id, deed.result) == (audit.kept[0].id, None)


@pytest.mark.parametrize("lost", [False, True])
def test_a_failure_is_a_result_and_stays_the_error(*, lost: bool) -> None:
    desk, audit, warned = made(".x" if lost else "")
    with pytest.raises(RuntimeError, match="the database is down"):
        act(desk, warned, fails=True)
    if lost:
        [told] = warned
        assert audit.kept[0].id in told
    else:
        assert audit.kept[1].outcome == "failed: the database is down"


def test_acts_are_found_however_many_others_come_after_them() -> None:
    desk, _, warned = made()
    act(desk, warned)
    for number in range(400):
        with recorded(desk.deployment, Act.PUBLISH, target=f"T{number}", warn=warned.append):
            pass
    wanted = AuditFilter(tenant="acme", who="AN", act="redrive")
    [deed] = look(desk.deployment, wanted, 10).deeds
    assert deed.result is not None
    assert deed.result.outcome == "2 redriven"
    few = look(desk.deployment, AuditFilter(), 10)
    assert (len(few.deeds), few.more, few.cut) == (10, True, None)
    cut = look(desk.deployment, wanted, 10, 100)
    assert (cut.deeds, cut.cut) == ([], desk.now())
    desk.time += timedelta(days=2)
    assert look(desk.deployment, AuditFilter(newer=timedelta(days=1)), 10).deeds == []


def test_the_facts_of_a_tenant_hold_no_secret() -> None:
    desk, _, _ = made()
    desk.secrets.put("acme", secret(enabled=False))
    facts = tenant_facts(desk.deployment, "acme")
    assert facts["enabled"] is False
    assert "s3cret" not in str(facts)
    desk.secrets.put("acme", b"{")
    assert tenant_facts(desk.deployment, "acme")["enabled"] == "no usable secret"


def test_each_act_that_can_be_stored_has_words_of_its_own() -> None:
    """Nothing but an `Act` can be recorded, which the type checker holds."""
    assert set(WORDS) == set(Act)
    for language in (Language.ENGLISH, Language.PORTUGUESE):
        assert len({told(it, language) for it in WORDS.values()}) == len(Act)
    assert {it.audited for it in ACTIONS.values()} <= set(Act)


def test_an_act_of_another_version_is_told_as_it_is_stored() -> None:
    assert told(words_of("tenants split"), Language.PORTUGUESE) == told(data("tenants split"))


@pytest.mark.parametrize("wanted", ["publish", "lish", "Publicar uma mensagem", "PUBLICAR"])
def test_an_act_is_found_by_its_stored_word_and_by_its_reader_s(wanted: str) -> None:
    desk, _, warned = made()
    act(desk, warned)
    with recorded(desk.deployment, Act.PUBLISH, target="T", warn=warned.append):
        pass
    with spoken(Language.PORTUGUESE):
        found = look(desk.deployment, AuditFilter(act=wanted), 10).deeds
    assert [it.intent.act for it in found] == [Act.PUBLISH]
