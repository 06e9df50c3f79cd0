"""How modules are loaded: without Python's garbage collector, and not what nobody uses of them."""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from threading import RLock
from types import ModuleType

ON_DEMAND = (
    "google.cloud.firestore_v1",
    "google.cloud.firestore_v1.services.firestore",
    "google.cloud.firestore_v1.services.firestore.transports",
    "google.cloud.secretmanager_v1",
    "google.cloud.secretmanager_v1.services.secret_manager_service",
    "google.pubsub_v1",
    "google.pubsub_v1.services.publisher",
)
"""Packages whose `__init__` imports clients for asyncio, REST and services that we do not use."""


@contextmanager
def loading() -> Iterator[None]:
    """Keep the collector away from what is imported or made in the block, then and later.

    An import makes some hundred thousand objects that live as long as the process. The collector
    would look through them again and again, a tenth of a cold start, and later at each of its
    full rounds. What little of it is garbage stays: so only for what happens once in a process.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


class OnDemand(MetaPathFinder):
    """Packages that run their `__init__` when something of it is first asked for.

    Until then they hold their submodules only, which whoever uses the package imports by their
    own names: `from package.client import Client`. `from package import Client` works as ever,
    and costs what it always did. A tenth of a cold start is spared.
    """

    def __init__(self, packages: Sequence[str] = ON_DEMAND) -> None:
        self._packages = frozenset(packages)

    def install(self) -> None:
        """For all that is imported from now on in this process."""
        sys.meta_path.insert(0, self)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """See importlib."""
        if fullname not in self._packages:
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            spec.loader = _OnDemandLoader(spec.loader)
        return spec


class _OnDemandLoader(Loader):
    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._begun = False
        self._lock = RLock()

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        vars(module)["__getattr__"] = lambda name: self._missing(module, name)

    def _missing(self, module: ModuleType, name: str) -> object:
        submodule = f"{module.__name__}.{name}"
        if not name.startswith("__") and find_spec(submodule) is not None:
            return import_module(submodule)
        with self._lock:
            if not self._begun:  # else the package itself asks, while it runs
                self._begun = True
                try:
                    self._loader.exec_module(module)
                except BaseException:
                    self._begun = False
                    raise
        if name not in vars(module):
            message = f"module {module.__name__!r} has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=module)
        return vars(module)[name]
