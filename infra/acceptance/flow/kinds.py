"""The hundred messages: what is sent, and how it must end."""

import base64
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from smartlink.domain.message import DeadReason

LOGS, DATA = "SGDPLogsCommand", "SGDPDataCommand"
"""The commands that are asked: the first needs no table of an ERP."""

UNKNOWN = "SmartlinkAcceptanceUnknown"
DONE = "done"
AUDIENCE = "SGDP"
LARGE = 300_000  # characters: beyond what a document holds

Make = Callable[[str], Mapping[str, object]]
"""Makes what the broker offers, of a request's id."""


@dataclass(frozen=True, slots=True)
class Kind:
    """Messages that are alike."""

    name: str  # its probe is `flow-` and this
    what: str
    relied: str
    count: int
    wave: int
    make: Make
    ends: str = DONE  # or the reason for which it must be dead


def totvs(request: str, **more: object) -> str:
    """Write a request of TPD in TOTVS's style."""
    header = {"type": LOGS, "tenantId": "acceptance", "locale": "pt_BR"}
    body = {"requestID": request, "identifiers": {}, **more}
    return json.dumps({"header": header, "content": body}, ensure_ascii=False)


def _event(request: str, **data: object) -> str:
    named = {"specversion": "1.0", "id": request, "source": AUDIENCE, "type": LOGS}
    return json.dumps(named | data)


def _encoded(request: str) -> str:
    body = json.dumps({"requestID": request, "identifiers": {}}).encode()
    return _event(request, data_base64=base64.b64encode(body).decode())


def _offer(content: str, command: str = LOGS, **more: object) -> Mapping[str, object]:
    return {"type": command, "content": content, "audience": "ERP", **more}


def _hostile(request: str) -> str:
    number = int(request.rpartition("-")[2])
    return ("../../{}", "a/b c/{}", "~é%2F{}", f"{'x' * 1_500}{{}}")[number % 4].format(request)


KINDS = (
    Kind(
        "retry",
        "requests while the tenant's ERP secret is missing, which is made afterwards",
        "Retries by RM's formula, from due times in Firestore (domain/retry.py).",
        3,
        0,
        lambda it: _offer(totvs(it), id=it),
    ),
    Kind(
        "plain",
        "requests in TOTVS's style",
        "The whole way: Scheduler, poll, Firestore, Pub/Sub, consume, the outbox.",
        30,
        1,
        lambda it: _offer(totvs(it), id=it),
    ),
    Kind(
        "cloudevents",
        "requests in CloudEvents' style",
        "domain/payload.py reads both styles.",
        8,
        1,
        lambda it: _offer(_event(it, data={"requestID": it, "identifiers": {}}), id=it),
    ),
    Kind(
        "encoded",
        "CloudEvents whose data is in base64",
        "domain/payload.py.",
        4,
        1,
        lambda it: _offer(_encoded(it), id=it),
    ),
    Kind(
        "quoted",
        "JSON inside a JSON text",
        "domain/payload.py.",
        4,
        1,
        lambda it: _offer(json.dumps(totvs(it)), id=it),
    ),
    Kind(
        "marked",
        "a byte order mark before the JSON",
        "domain/payload.py.",
        3,
        1,
        lambda it: _offer(f"\ufeff{totvs(it)}", id=it),
    ),
    Kind(
        "large",
        "contents above 256 KB",
        "They go to Cloud Storage, and the consumer reads them there (adapters/google/storage.py).",
        3,
        1,
        lambda it: _offer(totvs(it, padding="é" * LARGE), id=it),
    ),
    Kind(
        "broken",
        "contents that are no JSON",
        "Nothing blocks the queue, and nothing vanishes (invariant 2).",
        4,
        1,
        lambda it: _offer('{"header": ', id=it),
        DeadReason.REJECTED,
    ),
    Kind(
        "refused",
        "requests that their consumer refuses for good",
        "A fatal error is dead at the first attempt (services/consuming/execute.py).",
        4,
        1,
        lambda it: _offer(json.dumps({"header": {"type": DATA}, "content": {}}), DATA, id=it),
        DeadReason.REJECTED,
    ),
    Kind(
        "unknown",
        "messages of a command that no catalogue has",
        "They are kept as dead until an operator acts (invariant 2).",
        4,
        1,
        lambda it: _offer(totvs(it), UNKNOWN, id=it),
        DeadReason.UNKNOWN_COMMAND,
    ),
    Kind(
        "hostile",
        "ids with slashes, dots, percent signs, and of 1,500 characters",
        "Documents' names are escaped injectively (domain/identity.py).",
        4,
        1,
        lambda it: _offer(totvs(it), id=_hostile(it)),
    ),
    Kind(
        "nameless",
        "messages without an id",
        "The id is derived from the content (domain/identity.py).",
        4,
        2,
        lambda it: _offer(totvs(it), withoutId=True),
    ),
    Kind(
        "zeros",
        "messages whose id is a GUID of zeros",
        "Such an id is none (domain/identity.py).",
        3,
        2,
        lambda it: _offer(totvs(it), id="00000000-0000-0000-0000-000000000000"),
    ),
    Kind(
        "several",
        "several messages in one answer of get, with other names and tags as text",
        "adapters/http/envelope.py reads each form.",
        4,
        2,
        lambda it: _offer(totvs(it), id=it),
    ),
    Kind(
        "thaw",
        "requests after minutes without any",
        "Connections outlive an instance that got no CPU (adapters/firestore/calls.py: keepalive).",
        5,
        3,
        lambda it: _offer(totvs(it), id=it),
    ),
)
"""What the broker offers anew. Repeats, reused ids and what is published make it a hundred."""

REPEATED = 5  # of the plain ones, offered once more
REUSED = 3  # ids of plain ones, with another content
PUBLISHED = 5


@dataclass(frozen=True, slots=True)
class Offered:
    """A message that the broker offered."""

    kind: str
    request: str
    entry: Mapping[str, Any]

    @property
    def id(self) -> str | None:
        """The id under which it is stored; None if that is derived from the content."""
        found = str(self.entry.get("id", ""))
        return found if found.strip("0-") else None


def of_wave(run: str, wave: int) -> list[Offered]:
    """Make the messages of a wave."""
    return [
        Offered(kind.name, request, kind.make(request))
        for kind in KINDS
        if kind.wave == wave
        for number in range(kind.count)
        for request in [f"{run}-{kind.name}-{number}"]
    ]


def once_more(plain: list[Offered]) -> list[Offered]:
    """Offer plain messages again: some as they were, some with another content."""
    repeats = [Offered("repeat", it.request, it.entry) for it in plain[:REPEATED]]
    others = plain[REPEATED : REPEATED + REUSED]
    changed = [
        Offered("reused", f"{it.request}-other", {**it.entry, "content": totvs(f"{it.request}-o")})
        for it in others
    ]
    return [*repeats, *changed]
