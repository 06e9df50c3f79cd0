"""What is measured: messages of 2 KB for one command."""

import json
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from dataclasses import asdict, dataclass

from infra.local.functions import load_catalog
from smartlink.domain.catalog import Catalog, Command

SIZE = 2_048
COMMAND, QUIET, SILENT = "BenchCommand", "BenchQuietCommand", "BenchSilentCommand"


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


def offer_due(
    simulator: Callable[..., object], waiting: list[tuple[float, str, Offer]], gone: float
) -> dict[str, float]:
    """Offer what waits for no later than this second, last first; when each message arrived."""
    due: defaultdict[str, list[Offer]] = defaultdict(list)
    while waiting and waiting[-1][0] <= gone:
        _, tenant, offer = waiting.pop()
        due[tenant].append(offer)
    arrived: dict[str, float] = {}
    for tenant, its in due.items():
        arrived |= dict.fromkeys((it.id for it in its), time.time())
        body = {"tenant": tenant, "messages": list(map(asdict, its)), "force": True}
        simulator("POST", "/offer", body)
    return arrived


def catalog(kind: str = COMMAND) -> Catalog:
    """Make a catalogue with the bench's command alone."""
    command = Command(module="consumers.bench", topic="bench-command", timeout=60)
    return Catalog(functions=load_catalog().functions, commands={kind: command})
