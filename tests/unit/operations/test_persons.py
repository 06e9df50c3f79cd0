"""A person's requests, found by the keyed hash of an identifier."""

import json
from dataclasses import replace

import pytest

from smartlink.domain.titular import TitularKeys, parse_titular_keys
from smartlink.operations.audit import note
from smartlink.operations.errors import InvalidError, MissingError
from smartlink.operations.persons import AUDIT, Concerned, concerned
from smartlink.ports import Unavailable
from tests.support.samples import done, pending
from tests.unit.operations.desk import Desk

NEW, OLD = "n" * 40, "o" * 40
CPF = "52998224725"


def hashed(key: str, value: str = CPF, kind: str = "CPF") -> str:
    found = TitularKeys((key.encode(),)).written(kind, value)
    assert found
    return found


@pytest.fixture
def desk() -> Desk:
    """Requests of one person under either key, live and ended, and one of somebody else."""
    made = Desk()
    made.secrets.put_titular("acme", json.dumps({"keys": [NEW, OLD]}).encode())
    made.keep(
        pending("live", titular=(hashed(NEW),)),
        pending("other", titular=(hashed(NEW, "11144477735"),)),
        pending("nobody"),
    )
    ended = done(replace(pending("old"), titular=(hashed(OLD), hashed(OLD, "a@x", "EMAIL"))))
    made.store.commit("acme", ended)
    return made


def look(desk: Desk, kind: str = "CPF", value: str = CPF) -> Concerned:
    own = note(desk.deployment, "ana", "the person asked for it")
    return concerned(desk.deployment, "acme", kind, value, own)


def test_all_of_one_person_and_nobody_elses(desk: Desk) -> None:
    """By whichever key it was written; a kind is no other kind, though the value is the same."""
    found = look(desk)
    assert [it.message.id for it in found.live] == ["live"]
    assert [it.message.id for it in found.ended] == ["old"]
    assert [it.message.id for it in look(desk, "EMAIL", "a@x").ended] == ["old"]
    nobody = look(desk, "RG")
    assert (nobody.live, nobody.ended) == ([], [])


def test_who_looked_is_kept_without_the_identifier(desk: Desk) -> None:
    """Also where nobody was found."""
    look(desk)
    look(desk, "RG")
    lines = desk.store.lines_of("acme", AUDIT)
    assert [it.text.partition(": ")[2] for it in lines] == [
        "the person asked for it (2 found)",
        "the person asked for it (0 found)",
    ]
    assert lines[0].text.startswith(f"ana looked for the requests of Titular {hashed(NEW)}: ")
    assert CPF not in repr(lines)


def test_what_cannot_be_audited_is_not_shown(desk: Desk) -> None:
    desk.store.faults.fail("commit", Unavailable("down"))
    with pytest.raises(Unavailable):
        look(desk)


def test_a_tenant_without_keys_is_told(desk: Desk) -> None:
    own = note(desk.deployment, "ana", "x")
    desk.secrets.put("globex", b"{}")
    with pytest.raises(MissingError, match="smartlink-titular-globex"):
        concerned(desk.deployment, "globex", "CPF", CPF, own)
    desk.secrets.put_titular("acme", b'{"keys": ["too short"]}')
    with pytest.raises(InvalidError, match="smartlink-titular-acme cannot be used") as caught:
        look(desk)
    assert "too short" not in str(caught.value)


def test_keys_show_nowhere() -> None:
    keys = parse_titular_keys(json.dumps({"keys": [NEW]}).encode())
    assert NEW not in repr(keys)
    assert not TitularKeys()
    assert keys
    assert keys.written("CPF", CPF) == hashed(NEW) != hashed(OLD)
    assert TitularKeys().written("CPF", CPF) is None
