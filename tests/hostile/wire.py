"""The relay in memory, but for RAC and the broker: the real adapters, over real HTTP."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from smartlink.adapters.http.connections import Bounds, Http
from smartlink.adapters.http.rac import RacTokens
from smartlink.adapters.http.smart_link import SmartLinkBroker
from smartlink.settings import Paths
from tests.support.world import World
from tests.unit.adapters.http_server import HttpServer, Reply, Seen

BOUNDS = Bounds(
    connect_seconds=5,
    read_seconds=0.3,
    silence_seconds=0.3,
    response_limit=4_000_000,
    retry_after_seconds=0,
    backoff_seconds=0,
)
TOKEN = Reply(body=b'{"access_token": "t0ken", "expires_in": 3600}')
EMPTY = Reply(204)


@dataclass(slots=True)
class Wire:
    """One server that is both RAC and broker. Each `get` answers the next of `answers`."""

    world: World
    token: Reply = TOKEN
    always: Reply | None = None  # of every call of the broker
    fails: Callable[[Seen], Reply | None] = lambda _: None  # of some of its calls
    answers: list[Reply] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, seen: Seen) -> Reply:
        self.seen.append(seen)
        if seen.path.endswith("/token"):
            return self.token
        if self.always is not None:
            return self.always
        if failed := self.fails(seen):
            return failed
        if seen.path.endswith("/get"):
            return self.answers.pop(0) if self.answers else EMPTY
        return EMPTY

    @property
    def acked(self) -> list[int]:
        """The tags that were acked."""
        acks = [seen.body for seen in self.seen if seen.path.endswith("/ack")]
        return [json.loads(body)["deliveryTag"] for body in acks]

    @property
    def sent(self) -> list[bytes]:
        """What was sent."""
        return [seen.body for seen in self.seen if "/send/" in seen.path]


@contextmanager
def wired(world: World | None = None, tls: ssl.SSLContext | None = None) -> Iterator[Wire]:
    """A world whose broker and RAC are at the other end of a wire."""
    wire = Wire(world or World())
    world = wire.world
    with HttpServer(wire.answer, tls) as server:
        http = Http(BOUNDS)
        tokens = RacTokens(http, f"{server.url}/token", world.clock)
        world.broker = SmartLinkBroker(http, server.url, Paths(), tokens)  # type: ignore[assignment]
        world.cold_start()
        yield wire
