"""A change restarts the functions whose code it touches, and no others."""

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from infra.local.changes import Change, change_of
from infra.local.imports import reached
from smartlink.domain.catalog import Catalog, parse_catalog

RELAY = ("poll", "poll_shard", "publish")
CODE = {
    "main.py": "",
    "smartlink/__init__.py": "",
    "smartlink/consumer.py": "",
    "smartlink/testing/delivery.py": "",
    "consumers/__init__.py": "",
    "consumers/one.py": "from consumers.shared import thing\nimport smartlink.consumer",
    "consumers/two.py": "def f():\n    from .shared.thing import it",
    "consumers/three.py": "import json",
    "consumers/shared/__init__.py": "",
    "consumers/shared/thing.py": "from . import deeper",
    "consumers/shared/deeper.py": "",
    "consumers/unused.py": "",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in CODE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def catalog(*commands: str, call: int = 540, **timeouts: int) -> Catalog:
    entries = {
        name: {
            "module": f"consumers.{name}",
            "topic": f"topic-{name}",
            "timeoutSeconds": timeouts.get(name, 60),
        }
        for name in commands
    }
    functions: dict[str, object] = {
        name: {"timeoutSeconds": 60} for name in ("poll", "poll_shard", "publish")
    }
    functions |= {"poll_shard": {"timeoutSeconds": 60, "topic": "shards"}}
    functions |= {"consume": {"timeoutSeconds": call}}
    return parse_catalog(json.dumps({"functions": functions, "commands": entries}))


ALL = catalog("one", "two", "three")
EVERY = (*RELAY, "consume-one", "consume-two", "consume-three")


@pytest.mark.parametrize(
    ("file", "restarted"),
    [
        ("consumers/one.py", ["consume-one"]),
        ("consumers/shared/thing.py", ["consume-one", "consume-two"]),
        ("consumers/shared/deeper.py", ["consume-one", "consume-two"]),
        ("consumers/shared/removed.py", []),
        ("consumers/__init__.py", ["consume-one", "consume-two", "consume-three"]),
        ("consumers/unused.py", []),
        ("consumers/shared/maps/people.json", ["consume-one", "consume-two"]),
        ("consumers/elsewhere/people.json", []),
        ("consumers/people.json", ["consume-one", "consume-two", "consume-three"]),
        ("smartlink/consumer.py", EVERY),
        ("smartlink/services/new.py", EVERY),
        ("main.py", EVERY),
        ("smartlink/testing/delivery.py", []),
        ("../catalog.json", []),
    ],
)
def test_a_file_restarts_who_imports_it(folder: Path, file: str, restarted: Sequence[str]) -> None:
    """Directly, through others, from inside a function; the relay's own code restarts all."""
    change = change_of([(folder / file).resolve()], folder.resolve(), ALL, ALL, ())
    assert change.restarted == tuple(restarted)
    assert bool(change) == bool(restarted)
    assert (change.started, change.removed, change.topics_removed) == ((), (), ())


def test_a_new_command(folder: Path) -> None:
    """Its function is added; those that read the catalogue are restarted."""
    before = catalog("one", "two")
    change = change_of([folder / "consumers" / "three.py"], folder, before, ALL, ())
    assert change == Change(("consume-three",), RELAY, (), (), ("three",))
    assert str(change) == "added consume-three; restarted poll, poll_shard, publish"


def test_a_removed_command(folder: Path) -> None:
    """With its topic."""
    change = change_of([], folder, ALL, catalog("one", "two"), ())
    assert change == Change((), RELAY, ("consume-three",), ("topic-three",))


def test_a_changed_entry(folder: Path) -> None:
    """Its own consumer too."""
    change = change_of([], folder, ALL, catalog("one", "two", "three", two=30), ())
    assert change == Change((), (*RELAY, "consume-two"), (), (), ("two",))


def test_a_changed_function(folder: Path) -> None:
    """A call's time-out is everybody's."""
    assert (
        change_of([], folder, ALL, catalog("one", "two", "three", call=300), ()).restarted == EVERY
    )


def test_what_is_down_is_tried_again(folder: Path) -> None:
    """With whatever changes next."""
    change = change_of([], folder, ALL, ALL, {"consume-one", "poll"})
    assert (change.restarted, change.commands) == (("poll", "consume-one"), ("one",))


def test_a_file_that_does_not_parse_is_still_its_modules(folder: Path) -> None:
    """So its next change restarts the function."""
    (folder / "consumers" / "one.py").write_text("def (")
    assert folder / "consumers" / "one.py" in reached(folder, "consumers.one")


def test_a_removed_import_counts(folder: Path) -> None:
    """A function whose import went away is looked at again."""
    gone = folder / "consumers" / "shared" / "deeper.py"
    gone.unlink()
    assert change_of([gone], folder, ALL, ALL, ()).restarted == ("consume-one", "consume-two")
