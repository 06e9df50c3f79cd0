"""Loading keeps the collector away, and packages' `__init__` until it is needed."""

import gc
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from infra.local.checkout import FUNCTIONS
from smartlink.loading import ON_DEMAND, OnDemand, loading


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


PACKAGE = """
from thick.asked import Asked
from thick.heavy import HEAVY
"""


@pytest.fixture
def thick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[OnDemand]:
    """A package whose `__init__` imports what nobody asked for, and is loaded on demand."""
    package = tmp_path / "thick"
    package.mkdir()
    (package / "__init__.py").write_text(PACKAGE)
    (package / "asked.py").write_text("from thick import version\nclass Asked: pass\n")
    (package / "heavy.py").write_text("HEAVY = []\n")
    (package / "version.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    finder = OnDemand(["thick"])
    finder.install()
    yield finder
    sys.meta_path.remove(finder)
    for name in [name for name in sys.modules if name.partition(".")[0] == "thick"]:
        del sys.modules[name]


@pytest.mark.usefixtures("thick")
def test_a_submodule_is_imported_without_its_package() -> None:
    """Nor does it run when the submodule, as vendors' do, imports another one from it."""
    import_module("thick.asked")
    assert {"thick.asked", "thick.version"} <= sys.modules.keys()
    assert "thick.heavy" not in sys.modules


@pytest.mark.usefixtures("thick")
def test_what_a_package_has_of_its_own_is_there_when_asked_for() -> None:
    """An author's `from package import Client` works, once its submodules were imported too."""
    module = import_module("thick.asked")
    package = import_module("thick")
    assert package.HEAVY is package.HEAVY
    assert package.Asked is module.Asked
    with pytest.raises(AttributeError, match="module 'thick' has no attribute 'Missing'"):
        _ = package.Missing


@pytest.mark.usefixtures("thick")
def test_a_package_that_fails_says_so_each_time(tmp_path: Path) -> None:
    """As one that is imported does."""
    (tmp_path / "thick" / "__init__.py").write_text("import thick.missing\n")
    package = import_module("thick")
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match=r"thick\.missing"):
            _ = package.HEAVY


@pytest.mark.parametrize("name", ON_DEMAND)
def test_a_vendor_s_package_has_on_demand_all_that_it_has(name: str) -> None:
    """In processes of their own: the clients of this one are imported long since."""
    own = "{name: getattr(it, '__name__', '') for name, it in vars(package).items()}"
    code = (
        "import sys, json, importlib\n"
        "from smartlink.loading import OnDemand\n"
        "if sys.argv[2:]: OnDemand().install()\n"
        f"package = importlib.import_module({name!r})\n"
        "assert package.__all__; vars(package).pop('__getattr__', None)\n"
        f"print(json.dumps({own}, sort_keys=True))\n"
    )
    said = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", code, "-", *on_demand],
            cwd=FUNCTIONS,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for on_demand in ([], ["on demand"])
    ]
    assert said[0] == said[1]
    assert len(said[0]) > 100
