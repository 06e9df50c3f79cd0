"""How much memory a poll takes at most, in a process of its own.

`python -m tests.hostile.memory blanks 8` (or contents, one, rows; or due) prints the MiB by which
its peak is above what it had before, the server's answer left out.
"""

import json
import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from smartlink.adapters.in_memory import (
    InMemoryContents,
    InMemoryMessages,
    InMemoryPublisher,
    Sent,
)
from smartlink.adapters.threads import ThreadTurns
from smartlink.domain.message import Content, Message, Version
from smartlink.domain.settlement import Settlement
from smartlink.ports import DuePage, Envelope
from tests.hostile import wire as wires
from tests.support.world import COMMAND, World
from tests.unit.adapters.http_server import Reply

MIB = 1_048_576
_SHARED = "z" * 262_000
_ENVELOPE = '{"MsgId":"m%d","MsgType":"%s","MsgDeliveryTag":%d,"MsgContent":"%s"}'


def blanks() -> bytes:
    """Almost all of it is nothing."""
    return _listed("{}") + b" " * (62 * MIB) + b"]"


def contents() -> bytes:
    """240 messages, each as large as a document takes."""
    return _listed(*["x" * 262_000] * 240) + b"]"


def one() -> bytes:
    """A single message, for the bucket."""
    return _listed("y" * (62 * MIB)) + b"]"


def rows() -> bytes:
    """A single message as large as is looked into for its correlation id; parsed, it takes many
    times that."""
    head, row = '{"header":{"correlationId":"c"},"content":[', "[1.10]"
    number = (4 * MIB - len(head) - 2) // (len(row) + 1)
    content = head + ",".join([row] * number) + "]}"
    return _listed(json.dumps(content)[1:-1]) + b"]"


def _listed(*texts: str) -> bytes:
    written = (_ENVELOPE % (n, COMMAND, n, text) for n, text in enumerate(texts, 1))
    return ("[" + ",".join(written)).encode()


class Forgetful(InMemoryMessages):
    """What is stored is elsewhere: it takes none of the poll's memory."""

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        known = Content("0", 2, "{}")
        return super().create(tenant, [replace(it, content=known) for it in messages])


class Bucket(InMemoryContents):
    """Likewise."""

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:  # noqa: ARG002
        return super().put(tenant, document, sha256, b"")


class Topics(InMemoryPublisher):
    """Likewise."""

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None:
        pass


class Copying(InMemoryMessages):
    """Whose queries answer copies, as a database does; it keeps one content for all."""

    def due(self, *args: Any, **options: Any) -> DuePage:  # noqa: ANN401
        page = super().due(*args, **options)
        for number, it in enumerate(page):
            text = (it.message.content.text or "") + " "
            content = replace(it.message.content, text=text)
            page[number] = replace(it, message=replace(it.message, content=content))
        return page

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        super().commit(tenant, [_forgetting(it) for it in settlements])


class Nowhere(list[Sent]):
    """Where what was sent is not kept."""

    def append(self, _: Sent) -> None:
        pass


def _forgetting(settlement: Settlement) -> Settlement:
    if settlement.history is None:
        return settlement
    content = Content("0", 2, "{}")
    message = replace(settlement.history.message, content=content)
    return replace(settlement, history=replace(settlement.history, message=message))


def receive(answer: bytes, number: int) -> None:
    """So many tenants are answered so at once."""
    wires.BOUNDS = replace(
        wires.BOUNDS, read_seconds=30, silence_seconds=30, response_limit=64 * MIB
    )
    world = World(
        tenants=tuple(f"tenant-{it}" for it in range(number)),
        # One answer a batch: the answers are alike, and a batch takes the same tag but once.
        variables={"SMARTLINK_RECEIVE_BATCH": "1"},
        store=Forgetful(),
        contents=Bucket(),
        publisher=Topics(),
    )
    world.turns = ThreadTurns(32, world.clock)  # type: ignore[assignment]
    with wires.wired(world) as wire:
        wire.answers += [Reply(body=answer)] * number
        for _ in range(10):
            world.tick(minutes=1)
        assert not wire.answers
        assert len(wire.acked) >= number, "not all that came was stored"


def due() -> None:
    """32 tenants have 100 messages each to send, as large as a document takes."""
    tenants = tuple(f"tenant-{number}" for number in range(32))
    world = World(tenants=tenants, store=Copying())
    world.broker.sent = Nowhere()
    for tenant in tenants:
        for number in range(100):
            world.publish(tenant=tenant, id=f"{tenant}-{number}", content=_SHARED)
    world.turns = ThreadTurns(32, world.clock)  # type: ignore[assignment]
    world.cold_start()
    world.minutes(3)
    assert [len(world.live(tenant)) for tenant in tenants] == [0] * len(tenants)


def peak() -> float:
    """Of this process so far, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024


_RECEIVED: dict[str, Callable[[], bytes]] = {
    it.__name__: it for it in (blanks, contents, one, rows)
}

if __name__ == "__main__":
    if sys.argv[1] == "due":
        run: Callable[[], None] = due
    else:
        run = partial(receive, _RECEIVED[sys.argv[1]](), int(sys.argv[2]))
    before = peak()
    run()
    sys.stdout.write(f"{peak() - before:.0f}\n")
