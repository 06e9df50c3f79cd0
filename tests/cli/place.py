"""A place to operate: emulators, a simulator, and the installed command as a child process."""

import json
import os
import shlex
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from infra.local.rest import Rest
from infra.simulator.running import RunningSimulator
from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore
from smartlink.adapters.google.secret_manager import SecretManager
from smartlink.domain.message import LogLine, Message
from smartlink.domain.settlement import Settlement

COMMAND = Path(sys.executable).parent / "smartlink"
GOLDEN = Path(__file__).parent / "golden"
PATIENCE = 60


@dataclass(frozen=True)
class Hosts:
    """What runs for the whole session."""

    firestore: str
    storage: str
    secrets: str
    simulator: RunningSimulator


@dataclass(frozen=True)
class Ran:
    """How the command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # noqa: ANN401
        return json.loads(self.out)


def environment(folder: Path, more: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the machine's own settings, 80 columns, English, no terminal."""
    foreign = ("SMARTLINK_", "GOOGLE_", "FIRESTORE_", "PUBSUB_", "STORAGE_", "SECRET_MANAGER_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    for name in ("NO_COLOR", "FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS"):
        kept.pop(name, None)
    ours = {"COLUMNS": "80", "SMARTLINK_LOCAL_DIR": str(folder), "SMARTLINK_OPERATOR": "ana"}
    ours["SMARTLINK_LANG"] = "en"
    return {**kept, **ours, "HOME": str(folder), "CLOUDSDK_CONFIG": str(folder), **more}


@dataclass
class Place:
    """One test's project on the shared emulators."""

    hosts: Hosts
    folder: Path
    patience: float = PATIENCE  # seconds that a command may take
    project: str = field(default_factory=lambda: f"cli-{uuid.uuid4().hex[:10]}")

    def __post_init__(self) -> None:
        self.write_stack()
        self.store = OperatorFirestore(OperatorCalls(self.project, emulator=self.hosts.firestore))
        self.secrets = SecretManager(self.project, emulator=self.hosts.secrets)

    def write_stack(self, **emulators: str) -> None:
        """As `make local` does; emulators may be replaced by something scripted."""
        named = {
            "FIRESTORE_EMULATOR_HOST": self.hosts.firestore,
            "PUBSUB_EMULATOR_HOST": "127.0.0.1:9",
            "STORAGE_EMULATOR_HOST": self.hosts.storage,
            "SECRET_MANAGER_EMULATOR_HOST": self.hosts.secrets,
        }
        stack = {
            "project": self.project,
            "emulators": named | emulators,
            "baseUrl": self.hosts.simulator.url,
            "racTokenUrl": self.hosts.simulator.rac_token_url,
            "functions": {},
            "buckets": {"contents": f"{self.project}-contents"},
            "configUri": f"gs://{self.project}-config/totvsAppConfig_v2.json",
            "pids": {"stack": os.getpid()},
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "stack.json").write_text(json.dumps(stack))

    def make_buckets(self) -> None:
        for name in ("config", "contents"):
            url = f"{self.hosts.storage}/storage/v1/b?project={self.project}"
            Rest().call("POST", url, {"name": f"{self.project}-{name}"})

    def write_config(self, document: object) -> None:
        objects = f"{self.hosts.storage}/upload/storage/v1/b/{self.project}-config/o"
        name = "totvsAppConfig_v2.json"
        Rest().upload(f"{objects}?uploadType=media&name={name}", json.dumps(document).encode())

    def run(self, *arguments: str, text: str | None = None, **more: str) -> Ran:
        """Run the command to its end."""
        ran = subprocess.run(
            [COMMAND, *arguments],
            input=text,
            stdin=subprocess.DEVNULL if text is None else None,
            capture_output=True,
            text=True,
            timeout=self.patience,
            env=environment(self.folder, more),
            check=False,
        )
        return Ran(ran.returncode, ran.stdout, ran.stderr)

    def run_all(self, *calls: str, **more: str) -> list[Ran]:
        """Run independent commands side by side, each given as one line."""
        with ThreadPoolExecutor(4) as pool:
            return list(pool.map(lambda call: self.run(*shlex.split(call), **more), calls))

    @contextmanager
    def started(self, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
        """Start the command; it is interrupted at the latest when the block ends."""
        with subprocess.Popen(
            [COMMAND, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment(self.folder, {"PYTHONUNBUFFERED": "1"}),
        ) as process:
            try:
                yield process
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    raise

    def keep(self, tenant: str, *messages: Message, logs: Sequence[LogLine] = ()) -> None:
        """Store messages as they are, with log lines."""
        for start in range(0, len(messages), 200):
            self.store.create(tenant, messages[start : start + 200])
        if logs:
            self.store.log(tenant, list(logs))

    def end(self, tenant: str, *settlements: Settlement) -> None:
        self.store.commit(tenant, settlements)


def golden(name: str, text: str) -> None:
    """The screen is as in the file. SMARTLINK_GOLDEN=write makes the file: look at it then."""
    path = GOLDEN / f"{name}.txt"
    own = "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"
    if os.environ.get("SMARTLINK_GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(own, encoding="utf-8")
    assert own == path.read_text(encoding="utf-8")
    assert max(map(len, own.splitlines())) <= 80
