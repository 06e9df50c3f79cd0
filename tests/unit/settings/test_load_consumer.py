"""The composition root finds a command's consumer, or says what is amiss."""

import sys
from types import ModuleType

import pytest

from smartlink.bootstrap import load_consumer
from smartlink.consumer import Context, consumer
from smartlink.settings import SettingsError

MODULE = "consumers.loaded_by_a_test"


def do(content: str, context: Context) -> None:
    """Do nothing."""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    made = ModuleType(MODULE)
    monkeypatch.setitem(sys.modules, MODULE, made)
    return made


def test_the_one_that_bears_the_command(module: ModuleType) -> None:
    """A module may hold others, and anything else."""
    module.first = consumer("First")(do)  # type: ignore[attr-defined]
    module.second = consumer("Second")(do)  # type: ignore[attr-defined]
    assert load_consumer("Second", MODULE) is module.second


@pytest.mark.parametrize("stamps", [[], ["Other"], ["Probe", "Probe"]])
def test_none_or_several(module: ModuleType, stamps: list[str]) -> None:
    """The error names the module and the stamp that it must hold once."""
    for number, stamp in enumerate(stamps):
        setattr(module, f"consumer{number}", consumer(stamp)(do))
    with pytest.raises(SettingsError, match=rf'{MODULE} .* @consumer\("Probe"\)'):
        load_consumer("Probe", MODULE)


@pytest.mark.parametrize("name", ["consumers.nobody", "consumers.no.such.package", "nowhere.x"])
def test_a_module_that_is_not_there(name: str) -> None:
    """The error names the command's entry and its module."""
    with pytest.raises(SettingsError, match=f"Probe names {name}: there is no such module"):
        load_consumer("Probe", name)


def test_a_missing_library_is_not_taken_for_a_missing_module(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A consumer that imports what is not installed fails with that name."""

    class Finder:
        @staticmethod
        def find_spec(name: str, *_: object) -> None:
            if name == MODULE:
                message = "No module named 'no_such_library'"
                raise ModuleNotFoundError(message, name="no_such_library")

    monkeypatch.setattr(sys, "meta_path", [Finder, *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match="no_such_library"):
        load_consumer("Probe", MODULE)
