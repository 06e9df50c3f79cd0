"""`functions/` is the deployed zip: alone, complete, cheap to start, without tests."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

from tests.project.checkout import FUNCTIONS, tracked

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
    folder = tmp_path_factory.mktemp("zip") / "workspace"
    shutil.copytree(FUNCTIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    packages = sysconfig.get_path("purelib")
    command = [sys.executable, "-I", "-S", "-B", "-c", PROBE, str(folder), packages]
    ran = subprocess.run(command, env={}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout)
    assert answer["file"] == str(folder / "main.py")
    return answer


def test_it_holds_the_four_targets(imported: dict[str, Any]) -> None:
    """Each is a real function under its own name, registered as what its trigger needs."""
    assert imported["targets"] == {
        "poll": [True, "poll", "http", 1],
        "poll_shard": [True, "poll_shard", "cloudevent", 1],
        "consume": [True, "consume", "cloudevent", 1],
        "publish": [True, "publish", "http", 1],
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


def test_it_ships_no_tests() -> None:
    """The cloud compiles every file in the zip."""
    shipped = [path.relative_to(FUNCTIONS) for path in tracked() if FUNCTIONS in path.parents]
    assert Path("main.py") in shipped
    assert Path("requirements.txt") in shipped
    assert not [path for path in shipped if re.match(r"(test_|conftest)|.*_test\.py", path.name)]
    maps = Path("consumers/sgdp/maps")
    data = [path for path in shipped if path.suffix not in {".py", ".txt", ".md", ".typed"}]
    assert not [path for path in data if path.parent != maps or path.suffix != ".json"]
    pattern = re.compile(r"^\s*(import|from) (pytest|hypothesis|infra|tests)\b", re.MULTILINE)
    sources = [path for path in shipped if path.suffix == ".py"]
    assert not [path for path in sources if pattern.search((FUNCTIONS / path).read_text())]
