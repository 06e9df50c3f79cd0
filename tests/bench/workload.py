"""What is measured: messages of 2 KB for one command."""

import json
import uuid
from dataclasses import dataclass

from infra.local.functions import load_catalog
from smartlink.domain.catalog import Catalog, Command

SIZE = 2_048
COMMAND, QUIET = "BenchCommand", "BenchQuietCommand"


@dataclass(frozen=True)
class Offer:
    """A message that waits in the broker; its request has the same id."""

    id: str
    content: str
    type: str = COMMAND


def offers(count: int, kind: str = COMMAND) -> list[Offer]:
    """Make messages with new ids, of exactly SIZE bytes of content each."""
    return [_offer(kind) for _ in range(count)]


def _offer(kind: str) -> Offer:
    identity = str(uuid.uuid4())
    request = {"requestID": identity, "padding": ""}
    envelope = {"header": {"type": kind, "tenantId": "bench"}, "content": request}
    request["padding"] = "x" * (SIZE - len(json.dumps(envelope)))
    return Offer(identity, json.dumps(envelope), kind)


def catalog(kind: str = COMMAND) -> Catalog:
    """Make a catalogue with the bench's command alone."""
    command = Command(module="consumers.bench", topic="bench-command", timeout=60)
    return Catalog(functions=load_catalog().functions, commands={kind: command})
