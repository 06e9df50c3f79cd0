"""A stand-in for the function `consume`, without HTTP: for each line a process, that may die.

`python process.py` reads a project and a dispatch (base64) a line, runs it in a forked process
on the real `bootstrap.consume()`, and writes that process's exit code to stderr. What is imported
is imported before the fork; every client is made after it.
"""

import base64
import os
import resource
import sys
from types import ModuleType

import consumers
from smartlink import bootstrap
from smartlink.adapters import threads
from smartlink.adapters.firestore import calls as firestore_calls
from smartlink.adapters.firestore import store as firestore
from smartlink.adapters.google import secret_manager, storage
from smartlink.services.consuming import consume
from smartlink.services.dispatch import decode_dispatch
from tests.poison import consumers as poison

WARM: tuple[ModuleType, ...] = (
    firestore,
    firestore_calls,
    secret_manager,
    storage,
    threads,
    consume,
)
MEMORY = 1_500_000_000  # bytes of address space beyond what a warm process has


def generation(line: str) -> None:
    """One delivery, in this process."""
    os.environ["GOOGLE_CLOUD_PROJECT"], data = line.split()
    pages = int(open("/proc/self/statm").read().split()[0])  # noqa: PTH123, SIM115
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    bootstrap.consume()(decode_dispatch(base64.b64decode(data)))


def main() -> None:
    """Until the input ends."""
    sys.modules["consumers.poison"] = consumers.poison = poison  # type: ignore[attr-defined]
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                generation(line)
                code = 0
            finally:
                sys.stdout.flush()
                os._exit(code)
        _, status = os.waitpid(child, 0)
        sys.stderr.write(f"{os.waitstatus_to_exitcode(status)}\n")
        sys.stderr.flush()


if __name__ == "__main__":
    main()
