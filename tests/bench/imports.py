"""What a function imports: the packages, the time and the memory, beside a bare function.

Ours is loaded as its first call loads it: `main`, then its use case with the adapters. The bare
one runs the import statements that stand in the modules of ours that were loaded, and nothing
else: the difference is what the relay's own code costs.
"""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# The vendors that the functions depend on (pyproject.toml), by the module that only they load.
VENDORS = {
    "firestore": "google.cloud.firestore_v1",
    "flask": "flask",
    "functions_framework": "functions_framework",
    "grpc": "grpc",
    "pubsub": "google.pubsub_v1",
    "pydantic": "pydantic",
    "requests": "requests",
    "secretmanager": "google.cloud.secretmanager_v1",
    "sqlalchemy": "sqlalchemy",
    "storage": "google.cloud.storage",
}
_OWN = ("main", "smartlink", "consumers", "console")
_PROBE = """
import json, sys, time
begin, used = time.perf_counter(), time.process_time()
{statements}
seconds, cpu = time.perf_counter() - begin, time.process_time() - used
try:
    status = open("/proc/self/status").read().split()
    peak = int(status[status.index("VmHWM:") + 1]) * 1024
except OSError:
    peak = 0
own = [getattr(it, "__file__", None) for name, it in sys.modules.items()
       if name.partition(".")[0] in {own!r}]
print(json.dumps({{"seconds": seconds, "cpu": cpu, "bytes": peak, "modules": sorted(sys.modules),
                  "own": sorted(filter(None, own))}}))
"""


@dataclass(frozen=True)
class Imported:
    """What one process loaded."""

    seconds: float
    cpu: float  # seconds: what a busy machine does not change
    bytes: int  # the process's peak; 0 where /proc is not
    modules: frozenset[str]
    own: tuple[Path, ...]  # files of ours

    @property
    def vendors(self) -> set[str]:
        """Which of the vendors' packages are among the modules."""
        return {name for name, module in VENDORS.items() if module in self.modules}


# What a use case's first call loads, beside those that bootstrap makes.
_LOADS = {
    "operate": (
        "from smartlink.operations import operate as job\n"
        "from smartlink.entrypoints import operate\n"
        "operate._desk().jobs, operate._desk().publisher"
    ),
    "console": "from console import target\ntarget._app()",
}
# Ours loads its modules without the garbage collector (smartlink/loading.py); the bare one, too, so
# that the difference is what our own code costs, and not what that saves.
UNCOLLECTED = ("import gc", "gc.disable()")


def loaded(use_case: str, folder: Path, environment: Mapping[str, str]) -> Imported:
    """Load a use case in the deployed folder, in a new process."""
    load = f"from smartlink import bootstrap\nbootstrap.{use_case}()"
    return _probe(f"import main\n{_LOADS.get(use_case, load)}", folder, environment)


def bare(statements: Iterable[str], folder: Path, environment: Mapping[str, str]) -> Imported:
    """Run nothing but the import statements, in a new process."""
    return _probe("\n".join([*UNCOLLECTED, *statements]), folder, environment)


def _probe(statements: str, folder: Path, environment: Mapping[str, str]) -> Imported:
    code = _PROBE.format(statements=statements, own=_OWN)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        cwd=folder,
        env=dict(environment),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        message = f"the imports failed in {folder}: {done.stderr[-1_000:]}"
        raise ImportError(message)
    found = json.loads(done.stdout.splitlines()[-1])
    own = tuple(Path(name) for name in found["own"])
    return Imported(
        found["seconds"], found["cpu"], found["bytes"], frozenset(found["modules"]), own
    )


def third_party(files: Iterable[Path], late: Iterable[str] = ()) -> list[str]:
    """The statements at the top of these files that import what is neither ours nor Python's.

    `late` names vendors whose imports stand in functions, which the first call runs.
    """
    modules = tuple(VENDORS[name] for name in late)
    found: dict[str, None] = {}
    for file in files:
        tree = ast.parse(file.read_bytes())
        inside = [it for it in ast.walk(tree) if isinstance(it, ast.FunctionDef)] if modules else []
        nested = [node for function in inside for node in ast.walk(function)]
        found |= dict.fromkeys(_statements(tree.body))
        found |= dict.fromkeys(
            it for it in _statements(nested) if it.split()[1].startswith(modules)
        )
    return list(found)


def _statements(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (f"import {it.name}" for it in node.names if _is_theirs(it.name))
        elif isinstance(node, ast.ImportFrom) and not node.level and _is_theirs(node.module):
            yield from (f"from {node.module} import {it.name}" for it in node.names)


def _is_theirs(module: str | None) -> bool:
    top = (module or "").partition(".")[0]
    return top not in _OWN and top not in sys.stdlib_module_names
