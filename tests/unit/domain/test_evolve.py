"""`evolve` is `dataclasses.replace` for messages, only cheaper."""

from dataclasses import FrozenInstanceError, replace
from datetime import timedelta

import pytest

from smartlink.domain.message import Claim, State
from tests.support.samples import NOW, pending


def test_it_changes_what_replace_changes() -> None:
    before = pending()
    claim = Claim("c-1", 2, NOW)
    due = NOW + timedelta(minutes=1)
    evolved = replace(before, state=State.RUNNING, claim=claim, due=due, attempt=1)
    assert evolved == replace(before, state=State.RUNNING, claim=claim, due=due, attempt=1)
    assert repr(evolved) == repr(
        replace(before, state=State.RUNNING, claim=claim, due=due, attempt=1)
    )


def test_the_message_before_stays_as_it_was() -> None:
    """A claim that was not won hands over the message that it was made of."""
    before, same = pending(), pending()
    replace(before, state=State.DEAD)
    assert before == same


def test_what_evolved_is_as_frozen_as_any_message() -> None:
    evolved = replace(pending(), attempt=3)
    with pytest.raises(FrozenInstanceError):
        evolved.attempt = 4  # type: ignore[misc]
    assert hash(evolved) == hash(replace(pending(), attempt=3))
