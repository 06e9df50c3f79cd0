"""Runs the official emulators of Firestore and Pub/Sub, and the PyPI emulator of Cloud Storage.

The stack runs all of them, and tests run single ones. The stand-in of Secret Manager is in
`secret_manager`.
"""

import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.checkout import ROOT
from infra.local.errors import NotReadyError
from infra.local.ports import HOST, free_ports
from infra.local.program import PROBE_SECONDS, Program, answers
from infra.local.sdk import Toolkit, find_toolkit
from infra.local.supervisor import supervised

FIRESTORE_VARIABLE = "FIRESTORE_EMULATOR_HOST"
PUBSUB_VARIABLE = "PUBSUB_EMULATOR_HOST"

# With less compiling both start a quarter sooner, but under minutes of load they are slower.
QUICK_START = ("-XX:TieredStopAtLevel=1",)


def firestore_program(
    toolkit: Toolkit, port: int, jvm: tuple[str, ...] = (), documents: Path | None = None
) -> Program:
    """Run the Firestore emulator, which stores everything in its memory.

    It begins with the documents of an export, if there is one.
    """
    main = "com.google.cloud.datastore.emulator.firestore.CloudFirestore"
    command = (str(toolkit.java), *jvm, "-cp", str(toolkit.firestore_jar), main)
    kept = () if documents is None else (f"--import-data={documents}",)
    options = (f"--host={HOST}", f"--port={port}", *kept)
    return Program("firestore", (*command, *options), port, answers(port))


def pubsub_program(toolkit: Toolkit, port: int, jvm: tuple[str, ...] = ()) -> Program:
    """Run the Pub/Sub emulator."""
    command = (str(toolkit.java), *jvm, "-jar", str(toolkit.pubsub_jar))
    options = (f"--host={HOST}", f"--port={port}")
    return Program("pubsub", (*command, *options), port, answers(port))


def storage_program(port: int, folder: Path | None = None) -> Program:
    """Run the Cloud Storage emulator, in memory if it has no folder."""
    kept = () if folder is None else ("--folder", str(folder))
    command = (sys.executable, "-m", "infra.local.cloud_storage", "--port", str(port), *kept)
    return Program("storage", command, port, answers(port), folder=ROOT)


@contextmanager
def firestore_emulator(logs: Path | None = None) -> Iterator[str]:
    """Yield `host:port` of the environment's Firestore emulator, or else of a new one."""
    with _running(FIRESTORE_VARIABLE, _official(firestore_program), logs) as host:
        yield host


@contextmanager
def pubsub_emulator(logs: Path | None = None) -> Iterator[str]:
    """Yield `host:port` of the environment's Pub/Sub emulator, or else of a new one."""
    with _running(PUBSUB_VARIABLE, _official(pubsub_program), logs) as host:
        yield host


@contextmanager
def storage_emulator(logs: Path | None = None) -> Iterator[str]:
    """Yield the URL of an empty Cloud Storage emulator."""
    with _running(None, storage_program, logs) as host:
        yield f"http://{host}"


def _official(program: Callable[[Toolkit, int], Program]) -> Callable[[int], Program]:
    return lambda port: program(find_toolkit(), port)


@contextmanager
def _running(
    variable: str | None, program: Callable[[int], Program], logs: Path | None
) -> Iterator[str]:
    if variable and (outside := outside_host(variable)):
        yield outside
        return
    [port] = free_ports(1)
    with tempfile.TemporaryDirectory() as folder, supervised(logs or Path(folder)) as supervisor:
        supervisor.wait_ready(supervisor.start(program(port)))
        yield f"{HOST}:{port}"


def outside_host(variable: str) -> str | None:
    """Return the address of an emulator that somebody else runs; None if none is named.

    Raises NotReadyError if nothing answers there.
    """
    address = os.environ.get(variable)
    if not address:
        return None
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), PROBE_SECONDS).close()
    except (OSError, ValueError) as error:
        message = (
            f"{variable} is {address}, but nothing answers there: start it or unset {variable}."
        )
        raise NotReadyError(message) from error
    return address
