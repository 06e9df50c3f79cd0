"""The deployed zip: alone, complete, cheap to start, and nothing that no function imports."""

import ast
import json
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import Any

import pytest

from consumers.sgdp.maps import FOLDER as MAPS
from consumers.sgdp.maps import SCHEMA
from infra.local.functions import load_catalog
from tests.project.checkout import FUNCTIONS
from tests.support.bundle import bundle, copy_bundle

PROBE = """
import sys
folder, packages = sys.argv[1:]
sys.path = [path for path in sys.path if "site-packages" not in path] + [packages, folder]
events = []
interesting = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.mkdir", "os.remove")
def hook(name, args):
    if name.startswith(interesting):
        events.append(f"{name} {args!r}")
    elif name == "open" and isinstance(args[1], str) and set(args[1]) & set("wax+"):
        events.append(f"open {args!r}")
    elif name == "open" and str(args[0]).startswith(folder):
        if not str(args[0]).endswith((".py", ".pyc")):
            events.append(f"open {args!r}")
import importlib
sys.addaudithook(hook)
main = importlib.import_module("main")
seen = list(events)
import inspect, json, threading, types
from functions_framework._function_registry import REGISTRY_MAP
targets = {}
for name in main.__all__:
    function = getattr(main, name)
    targets[name] = [
        isinstance(function, types.FunctionType),
        function.__name__,
        REGISTRY_MAP.get(name),
        len(inspect.signature(function).parameters),
    ]
print(json.dumps({
    "targets": targets,
    "events": seen,
    "threads": threading.active_count(),
    "modules": sorted(sys.modules),
    "file": main.__file__,
}))
"""
VENDORS = (
    "google.api_core",
    "google.auth",
    "google.cloud.firestore",
    "google.cloud.firestore_v1",
    "google.cloud.pubsub",
    "google.cloud.secretmanager",
    "google.cloud.secretmanager_v1",
    "google.cloud.storage",
    "google.protobuf",
    "google.pubsub",
    "grpc",
    "requests",
    "sqlalchemy",
    "urllib3",
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a fresh process says that imported `main` from the zip's content and nothing else."""
    folder = copy_bundle(tmp_path_factory.mktemp("zip") / "workspace")
    packages = sysconfig.get_path("purelib")
    command = [sys.executable, "-I", "-S", "-B", "-c", PROBE, str(folder), packages]
    ran = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    assert answer["file"] == str(folder / "main.py")
    return answer


def test_it_holds_the_targets(imported: dict[str, Any]) -> None:
    """Each is a real function under its own name, registered as what its trigger needs."""
    assert imported["targets"] == {
        "poll": [True, "poll", "http", 1],
        "poll_shard": [True, "poll_shard", "cloudevent", 1],
        "consume": [True, "consume", "cloudevent", 1],
        "publish": [True, "publish", "http", 1],
        "console": [True, "console", "http", 1],
        "operate": [True, "operate", "cloudevent", 1],
    }


def test_importing_it_does_nothing(imported: dict[str, Any]) -> None:
    """No socket, no process, no file but modules, no thread; and no variable is needed."""
    assert imported["events"] == []
    assert imported["threads"] == 1


def test_importing_it_loads_no_vendors_client(imported: dict[str, Any]) -> None:
    """A cold start pays only for what its function uses: clients come with the first call."""
    loaded = [
        module
        for module in imported["modules"]
        if any(module == vendor or module.startswith(f"{vendor}.") for vendor in VENDORS)
    ]
    assert loaded == []


def test_importing_it_loads_no_consumer(imported: dict[str, Any]) -> None:
    """A function loads its own command's, with the first call."""
    own = [name for name in imported["modules"] if name.startswith(("smartlink", "consumers"))]
    assert "smartlink.entrypoints.targets" in own
    assert not [name for name in own if name.startswith("consumers")]


def test_it_holds_what_the_functions_import_and_no_other_module() -> None:
    """The cloud compiles every file in the zip, and what is missing ends a function at run time.

    If this fails, change `infra/bundle.json`, or import from a function what nobody imports.
    """
    roots = ["main", *(command.module for command in load_catalog().commands.values())]
    assert {file for file in bundle() if file.suffix == ".py"} == imported_from(roots)


def test_of_what_is_no_module_it_holds_only_what_is_read() -> None:
    """Cloud Build reads the libraries' list, TPD the maps, the console its pages and texts."""
    maps = {path.relative_to(FUNCTIONS) for path in MAPS.glob("*.json") if path != SCHEMA}
    others = {file for file in bundle() if file.suffix != ".py"}
    drawn = [
        *(FUNCTIONS / "console/templates").iterdir(),
        *(FUNCTIONS / "console/static").iterdir(),
    ]
    texts = (FUNCTIONS / "smartlink/i18n/catalogues").rglob("*.mo")
    pages = {path.relative_to(FUNCTIONS) for path in (*drawn, *texts)}
    assert others == {PurePath("requirements.txt"), *maps, *pages}


def imported_from(roots: list[str]) -> set[PurePath]:
    """The files of `functions/` that these modules need, with what those import in turn."""
    found: set[PurePath] = set()
    waiting = list(roots)
    while waiting:
        parts = waiting.pop().split(".")
        for length in range(1, len(parts) + 1):
            file = module_file(FUNCTIONS.joinpath(*parts[:length]))
            if file is not None and file.relative_to(FUNCTIONS) not in found:
                found.add(file.relative_to(FUNCTIONS))
                waiting += imports(file)
    return found


def module_file(place: Path) -> Path | None:
    """The file of a module or a package, if it is ours."""
    files = (place.with_suffix(".py"), place / "__init__.py")
    return next((file for file in files if file.is_file()), None)


def imports(file: Path) -> Iterator[str]:
    """The modules that a file names, at its top and inside its functions."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.module is not None, f"{file}: a relative import"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
