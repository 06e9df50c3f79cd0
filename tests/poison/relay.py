"""The relay of a poison test: the poll in this process, `consume` in others, the real Firestore
emulator between them. This process plays the broker, Pub/Sub and the passing of time."""

import base64
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.in_memory import (
    InMemoryBroker,
    InMemoryConfig,
    InMemoryContents,
    InMemoryPublisher,
    InMemorySecrets,
    at_once,
)
from smartlink.bootstrap import new_id
from smartlink.common_wiring import Adapters
from smartlink.domain.identity import Direction, document_id
from smartlink.domain.message import Ended, Stored
from smartlink.poll_wiring import PollAdapters, make_poll
from smartlink.ports import Envelope
from smartlink.services.polling.poll import Poll
from smartlink.settings import load_settings
from tests.contract.backends import AT_ONCE, FirestoreStore
from tests.support.inline import InlineTurns
from tests.support.world import Clock, config_file, secret

COMMAND = "PoisonCommand"
ROOT = Path(__file__).parents[2]
CATALOG = {
    "functions": {
        "poll": {"timeoutSeconds": 60},
        "publish": {"timeoutSeconds": 60},
        "poll_shard": {"timeoutSeconds": 60, "topic": "topic-shards"},
        "consume": {"timeoutSeconds": 17},
    },
    "commands": {
        COMMAND: {"module": "consumers.poison", "topic": "topic-poison", "timeoutSeconds": 1}
    },
}


def environment(project: str, firestore: str) -> dict[str, str]:
    return {
        "GOOGLE_CLOUD_PROJECT": project,
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
        "SMARTLINK_CATALOG": json.dumps(CATALOG),
        "SMARTLINK_COMMAND": COMMAND,
        "FIRESTORE_EMULATOR_HOST": firestore,
        "STORAGE_EMULATOR_HOST": "127.0.0.1:9",
        "SECRET_MANAGER_EMULATOR_HOST": "127.0.0.1:9",
    }


@dataclass
class Relay:
    """One deployment on the emulator."""

    store: FirestoreStore
    process: "subprocess.Popen[str]"
    limit: int
    variables: dict[str, str]
    clock: Clock = field(default_factory=Clock)
    broker: InMemoryBroker = field(default_factory=InMemoryBroker)
    publisher: InMemoryPublisher = field(default_factory=InMemoryPublisher)
    codes: list[int] = field(default_factory=list)
    """How the processes of `consume` ended."""

    def __post_init__(self) -> None:
        self.clock.now = datetime.now(UTC)  # the consumers' processes have the real one
        self.poll = self._poll()

    def _poll(self) -> Poll:
        settings = load_settings(self.variables)
        secrets = InMemorySecrets({"acme": secret()})
        adapters = Adapters(
            store=self.store,
            contents=InMemoryContents(),
            secrets=secrets,
            beside=at_once,
            clock=self.clock,
            new_id=new_id,
            wait=lambda most: None,  # noqa: ARG005
        )
        own = PollAdapters(
            config=InMemoryConfig(config_file(attempts=self.limit)),
            broker=self.broker,
            publisher=self.publisher,
            turns=InlineTurns(self.clock),
        )
        return make_poll(settings, adapters, own)

    def offer(self, *contents: str) -> list[str]:
        return [self.broker.offer("acme", COMMAND, content) for content in contents]

    def round(self) -> int:
        """A poll and its deliveries; then hours pass, so that every lease and wait is over."""
        self.poll.tick()
        taken = self.publisher.take()
        for _, envelope in taken:
            self._deliver(envelope)
        self.clock.forward(hours=3)
        return len(taken)

    def _deliver(self, envelope: Envelope) -> None:
        assert self.process.stdin
        assert self.process.stderr
        project = self.variables["GOOGLE_CLOUD_PROJECT"]
        self.process.stdin.write(f"{project} {base64.b64encode(envelope.data).decode()}\n")
        self.process.stdin.flush()
        for line in self.process.stderr:
            if line.strip().lstrip("-").isdigit():
                self.codes.append(int(line))
                return
        raise AssertionError("the consumers' parent died")

    def live(self, message_id: str) -> Stored | None:
        document = document_id(Direction.DOWNSTREAM, message_id)
        return self.store.read("acme", [document]).get(document)

    def ended(self, message_id: str) -> Ended | None:
        document = document_id(Direction.DOWNSTREAM, message_id)
        return self.store.history("acme", [document]).get(document)


@contextmanager
def processes(firestore: str) -> Iterator["subprocess.Popen[str]"]:
    """The process that the consumers' processes come from."""
    path = os.pathsep.join([str(ROOT / "functions"), str(ROOT)])
    with subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("process.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment("", firestore), "PYTHONPATH": path},
        text=True,
    ) as process:
        yield process
        assert process.stdin
        process.stdin.close()


def relay(firestore: str, process: "subprocess.Popen[str]", limit: int) -> Relay:
    """A relay with an attempt limit and a database of its own."""
    project = f"poison-{uuid.uuid4().hex[:12]}"
    calls = FirestoreCalls(project, emulator=firestore, patience=AT_ONCE)
    return Relay(FirestoreStore(calls), process, limit, environment(project, firestore))
