"""Loading keeps the collector away."""

import gc
from collections.abc import Iterator

import pytest

from smartlink.loading import loading


@pytest.fixture(autouse=True)
def thawed() -> Iterator[None]:
    """What a test froze is collected again."""
    yield
    gc.unfreeze()


def test_nothing_is_collected_while_something_is_loaded() -> None:
    """The collector is off inside, and on again after it; what was made is not looked at again."""
    before = gc.get_freeze_count()
    with loading():
        inside = gc.isenabled()
    assert (inside, gc.isenabled()) == (False, True)
    assert gc.get_freeze_count() > before


def test_the_collector_is_on_again_after_a_failure() -> None:
    """A module that cannot be loaded leaves a process that collects its garbage."""
    with pytest.raises(ImportError), loading():
        raise ImportError
    assert gc.isenabled()
