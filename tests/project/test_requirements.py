"""What is installed is pinned with hashes, and the same everywhere."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.project.checkout import FUNCTIONS, ROOT
from tests.support.bundle import bundle
from tests.support.simulator_bundle import FILES as SIMULATOR_FILES

FILES = {name: ROOT / name / "requirements.txt" for name in ("functions", "infra", "tests")}
SIMULATOR = ROOT / "infra" / "simulator"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


class Pin(NamedTuple):
    name: str
    version: str
    marker: str


def pins(path: Path) -> dict[Pin, frozenset[str]]:
    """Each pin of a lock file with its hashes."""
    found: dict[Pin, frozenset[str]] = {}
    for entry in path.read_text().replace("\\\n", " ").splitlines():
        line = entry.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        text, *hashes = re.split(r"\s+--hash=", line)
        matched = re.fullmatch(
            r"([a-z0-9.-]+)(?:\[[a-z,]+\])?==([^ ;]+)(?: *; *(.+))?", text.strip()
        )
        assert matched, f"{path.name} has a line that is no pin: {text}"
        found[Pin(matched[1], matched[2], matched[3] or "")] = frozenset(hashes)
    return found


@pytest.mark.parametrize(("part", "whole"), [("functions", "infra"), ("infra", "tests")])
def test_what_is_tested_is_what_is_deployed(part: str, whole: str) -> None:
    """The functions' pins are the local stack's, and those are the tests': version and hash."""
    inner, outer = pins(FILES[part]), pins(FILES[whole])
    assert {pin: hashes for pin, hashes in outer.items() if pin in inner} == inner


@pytest.mark.parametrize("name", FILES)
def test_the_locks_are_of_pyproject(name: str) -> None:
    """Each dependency that is asked for is locked, at a version that is allowed."""
    extras = PYPROJECT["optional-dependencies"]
    asked = [*PYPROJECT["dependencies"]]
    asked += extras["local"] if name != "functions" else []
    asked += extras["test"] if name == "tests" else []
    locked = {canonicalize_name(pin.name): pin.version for pin in pins(FILES[name])}
    for text in asked:
        requirement = Requirement(text)
        version = locked[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(version), f"{text} is locked at {version}"


def imported(file: Path) -> Iterator[str]:
    """Third parties' modules that a file imports, wherever in it."""
    ours = {it.stem for it in FUNCTIONS.iterdir()}
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Import):
            names = [it.name for it in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names = [node.module, *(f"{node.module}.{it.name}" for it in node.names)]
        else:
            continue
        top = names[0].partition(".")[0]
        if top not in ours and top not in sys.stdlib_module_names:
            yield from names


def home(name: str) -> str | None:
    """The file of a module; None for a namespace, which is nobody's, and for what is no module."""
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # a name within a module
        return None
    return spec.origin if spec else None


def test_what_is_imported_is_asked_for() -> None:
    """Not left to what another package happens to depend on: that one may stop to.

    What is deployed asks for its own; what operators run from the same folder may use theirs.
    """
    owners = {
        str(distribution.locate_file(file)): canonicalize_name(distribution.name)
        for distribution in distributions()
        for file in distribution.files or ()
        if file.suffix in {".py", ".so"}
    }
    deployed = [FUNCTIONS / file for file in bundle() if file.suffix == ".py"]
    operators = PYPROJECT["optional-dependencies"]["local"]
    for files, more in ((deployed, []), (FUNCTIONS.rglob("*.py"), operators)):
        texts = [*PYPROJECT["dependencies"], *more]
        asked = {canonicalize_name(Requirement(text).name) for text in texts}
        names = {name for file in files for name in imported(file)}
        homes = {name: file for name in sorted(names) if (file := home(name))}
        assert {name.partition(".")[0] for name in names} <= {it.partition(".")[0] for it in homes}
        assert {owners[file] for file in homes.values()} - asked == set()


def test_the_zip_installs_no_tools() -> None:
    """What checks or simulates is not deployed."""
    names = {pin.name for pin in pins(FILES["functions"])}
    assert not names & {"pytest", "hypothesis", "mypy", "ruff", "aiohttp", "gcp-storage-emulator"}


def test_the_simulator_is_deployed_with_what_it_needs() -> None:
    """Of what the local stack has: the same versions and hashes; each import is asked for."""
    whole, own = pins(FILES["infra"]), pins(SIMULATOR / "requirements.txt")
    assert {pin: hashes for pin, hashes in whole.items() if pin in own} == own
    lines = (SIMULATOR / "requirements.in").read_text().splitlines()
    asked = {line for line in lines if not line.startswith("#")}
    assert asked <= {pin.name for pin in own}
    files = [ROOT / file for file in SIMULATOR_FILES.values() if file.endswith(".py")]
    names = {name.partition(".")[0] for file in files for name in imported(file)} - {"infra"}
    assert {canonicalize_name(name) for name in names} == asked
