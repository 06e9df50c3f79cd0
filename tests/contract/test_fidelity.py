"""Whatever a sender writes comes back as it was."""

from dataclasses import replace

import pytest

from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import Attempt, Content, Ended, Ending, Result, State, Stored
from smartlink.domain.settlement import Settlement
from tests.contract.backends import Store
from tests.support.samples import LATER, NOW, ended, everything_set, line, pending, under_claim

TENANT = "acme"
ODD = {
    "empty": "",
    "space": " ",
    "nul": "a\0b",
    "emoji": "👩‍💻",
    "lone-surrogate": "\ud83d and \udc69",
    "quotes": "\"'`\\",
    "slashes": "a/b/../.",
    "dot": ".",
    "dots": "..",
    "reserved": "__x__",
    "tilde": "~",
    "percent": "%2F%",
    "newlines": "\r\n\t\u2028",
    "long": "x" * 5_000,
    "long-lone-surrogates": "\udcff" * 2_000,
}


@pytest.mark.parametrize("text", ODD.values(), ids=ODD)
def test_an_odd_text_comes_back_everywhere(store: Store, text: str) -> None:
    """As id, command, audience, content, errors: live, swapped and in the history."""
    attempt = Attempt(1, NOW, LATER, Result.RETRY, text)
    odd = pending(
        text,
        text,
        type=text,
        audience=text,
        correlation_id=text,
        error=text,
        attempts=(attempt,),
    )
    [version] = store.create(TENANT, [odd])
    assert version
    assert store.read(TENANT, [odd.document]) == {odd.document: Stored(odd, version)}
    [version] = store.swap(TENANT, [Stored(under_claim(odd), version)])
    assert version
    assert store.due(TENANT, LATER, 1) == [Stored(under_claim(odd), version)]
    log = line("text", message_id=text)
    history = ended(under_claim(odd))
    settlement = Settlement(document=odd.document, fence=version, history=history, logs=(log,))
    store.commit(TENANT, [settlement])
    kept = replace(history, message=replace(history.message, due=None))
    assert store.history(TENANT, [odd.document]) == {odd.document: kept}
    assert store.logs(TENANT) == [log]


def test_odd_ids_never_share_a_document(store: Store) -> None:
    messages = [pending(text, text) for text in ODD.values()]
    assert all(store.create(TENANT, messages))
    found = store.read(TENANT, [item.document for item in messages])
    assert {document: item.message for document, item in found.items()} == {
        item.document: item for item in messages
    }


@pytest.mark.parametrize("character", ["x", "é", "👩", "\ud800"])
def test_the_largest_inline_content_comes_back(store: Store, character: str) -> None:
    size = len(character.encode("utf-8", "surrogatepass"))
    large = pending("large", character * (262_144 // size))
    [version] = store.create(TENANT, [large])
    assert version
    assert store.read(TENANT, ["D-large"]) == {"D-large": Stored(large, version)}


def test_every_field_comes_back(store: Store) -> None:
    """With none at its default, and instants to the microsecond."""
    full = everything_set()
    [version] = store.create(TENANT, [full])
    assert version
    assert store.read(TENANT, ["D-m-1"]) == {"D-m-1": Stored(full, version)}
    plain = pending("plain")
    [version] = store.create(TENANT, [plain])
    assert version
    [version] = store.swap(TENANT, [Stored(replace(full, document="D-plain"), version)])
    found = store.read(TENANT, ["D-plain"])["D-plain"].message
    origin = {
        name: getattr(plain, name)
        for name in (
            "document",
            "id",
            "type",
            "content",
            "received",
            "audience",
            "correlation_id",
            "request_id",
            "personal",
            "published",
            "trace",
            "step",
        )
    }
    assert found == replace(full, **origin)


def test_a_content_in_the_bucket_is_stored_by_its_name(store: Store) -> None:
    far = pending("far", content=Content("0" * 64, 1_000_000, object="acme/D-far/000"))
    [version] = store.create(TENANT, [far])
    assert version
    assert store.read(TENANT, ["D-far"]) == {"D-far": Stored(far, version)}


@pytest.mark.parametrize(
    ("ending", "state"), [(Ending.DONE, State.RUNNING), (Ending.DISCARDED, State.DEAD)]
)
def test_history_drops_what_only_the_living_need(
    store: Store, ending: Ending, state: State
) -> None:
    full = replace(everything_set(), personal=False)
    settlement = Settlement(document="D-m-1", fence=None, history=Ended(full, ending, NOW, LATER))
    store.commit(TENANT, [settlement])
    kept = replace(
        full,
        state=state,
        due=None,
        dispatches=0,
        alone=False,
        redriven=None,
        undone=False,
        failure=None,
        order=None,
        queued=False,
    )
    assert store.history(TENANT, ["D-m-1"]) == {"D-m-1": Ended(kept, ending, NOW, LATER)}


def test_history_keeps_no_personal_content(store: Store) -> None:
    """Hash and size alone, whether the content was inline or in the bucket."""
    inline = pending("inline", "my name", personal=True)
    far = pending("far", personal=True, content=Content("0" * 64, 9, object="acme/D-far/0"))
    settlements = [
        Settlement(document=item.document, fence=None, history=ended(item))
        for item in (inline, far)
    ]
    store.commit(TENANT, settlements)
    found = store.history(TENANT, [inline.document, far.document])
    for item in (inline, far):
        bare = replace(item.content, text=None, object=None)
        assert found[item.document].message.content == bare


def test_a_log_spells_out_what_is_no_text(store: Store) -> None:
    odd = line("half a pair: \ud83d", debug="another: \udc69", message_id="\ud83d")
    store.log(TENANT, [odd, line("x" * 4_000, debug="y" * 16_000)])
    texts = {log.text: log for log in store.logs(TENANT)}
    spelt = replace(odd, text=r"half a pair: \ud83d", debug=r"another: \udc69")
    assert texts[spelt.text] == spelt
    assert texts["x" * 4_000].debug == "y" * 16_000


def test_documents_of_both_directions_have_the_same_id_apart(store: Store) -> None:
    down, up = (
        pending("same", document=document_id(direction, "same"), direction=direction)
        for direction in Direction
    )
    assert all(store.create(TENANT, [down, up]))
    found = store.read(TENANT, [down.document, up.document])
    assert {it.message.direction: it.message for it in found.values()} == {
        Direction.DOWNSTREAM: down,
        Direction.UPSTREAM: up,
    }
