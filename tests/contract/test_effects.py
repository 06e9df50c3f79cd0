"""Effects: begun once, changed and deleted only under their version."""

from dataclasses import replace

import pytest

from smartlink.domain.effect import effect_document
from smartlink.ports import Effects, UnreadableDocument
from tests.contract.backends import OddEffects
from tests.support.samples import BEGUN, LATER

TENANT = "acme"


def test_an_effect_is_begun_once(effects: Effects) -> None:
    """Whoever comes second gets None, and finds the first one's."""
    version = effects.write(TENANT, BEGUN, None)
    assert version
    assert effects.write(TENANT, replace(BEGUN, run="another"), None) is None
    assert effects.read(TENANT, BEGUN.document) == (BEGUN, version)
    assert effects.read("globex", BEGUN.document) is None


def test_it_ends_under_its_version(effects: Effects) -> None:
    """A stale version changes nothing."""
    begun = effects.write(TENANT, BEGUN, None)
    ended = replace(BEGUN, ended=LATER, result='{"receipt":7}')
    version = effects.write(TENANT, ended, begun)
    assert version
    assert effects.write(TENANT, BEGUN, begun) is None
    assert effects.read(TENANT, BEGUN.document) == (ended, version)


def test_what_is_gone_cannot_be_changed(effects: Effects) -> None:
    begun = effects.write(TENANT, BEGUN, None)
    assert begun
    effects.delete(TENANT, BEGUN.document, begun)
    assert effects.write(TENANT, BEGUN, begun) is None
    assert effects.read(TENANT, BEGUN.document) is None


def test_a_stale_delete_deletes_nothing(effects: Effects) -> None:
    begun = effects.write(TENANT, BEGUN, None)
    assert begun
    version = effects.write(TENANT, replace(BEGUN, run="another"), begun)
    effects.delete(TENANT, BEGUN.document, begun)
    assert effects.read(TENANT, BEGUN.document) == (replace(BEGUN, run="another"), version)


def test_a_personal_effect_has_no_key(effects: Effects) -> None:
    """Its document's id says which it is."""
    effects.write(TENANT, replace(BEGUN, key=None), None)
    found = effects.read(TENANT, BEGUN.document)
    assert found
    assert found[0].key is None


def test_keys_are_told_apart() -> None:
    """By command too; and a lone surrogate is a key as any."""
    ids = {
        effect_document("PayCommand", "7"),
        effect_document("PayCommand", "\ud800"),
        effect_document("PayCommand7", ""),
        effect_document("OtherCommand", "7"),
    }
    assert len(ids) == 4


def test_one_that_cannot_be_read_is_not_taken_for_none(effects: OddEffects) -> None:
    """Nor can it be begun anew: what is not known to be undone is not done."""
    begun = effects.write(TENANT, BEGUN, None)
    assert begun
    effects.make_unreadable(TENANT, BEGUN.document)
    with pytest.raises(UnreadableDocument):
        effects.read(TENANT, BEGUN.document)
    assert effects.write(TENANT, BEGUN, None) is None
    assert effects.write(TENANT, BEGUN, begun) is None
