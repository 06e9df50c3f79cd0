"""TCP proxies that misbehave on request: in front of the broker, Firestore, Pub/Sub, functions."""

import asyncio
import random
import socket
import struct
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import Enum, auto

from infra.local.ports import HOST

_CHUNK = 65_536
_AT_ONCE = struct.pack("ii", 1, 0)  # linger for no time: what is unsent is dropped
_PATIENCE_SECONDS = 10


class Mode(Enum):
    """What a proxy does to the bytes."""

    PASS = auto()
    CUT = auto()  # breaks every connection, and any new one at once
    STALL = auto()  # keeps the connections but lets nothing through; later it all goes on
    LOSE = auto()  # requests get through and take effect, their answers are lost with a reset
    BLACKHOLE = auto()  # swallows what comes on connections that are open by now; new ones pass
    TRUNCATE = auto()  # the beginning of an answer, then the end of the connection


class Proxy:
    """Forwards connections to a port of this machine. Change its mode from any thread."""

    def __init__(self, target: int, seed: str, loop: asyncio.AbstractEventLoop) -> None:
        self.counts: Counter[Mode] = Counter()
        """Connections that each mode broke, and of STALL and BLACKHOLE the chunks it held back."""
        self.connections = 0
        self.swallowed: list[float] = []  # when, by the monotonic clock, something was
        self._target = target
        self._dice = random.Random(seed)
        self._loop = loop
        self._mode = Mode.PASS
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._open: set[asyncio.WriteTransport] = set()
        self._forgotten: set[asyncio.WriteTransport] = set()

    def set(self, mode: Mode) -> None:
        """Behave so from now on."""
        asyncio.run_coroutine_threadsafe(self._set(mode), self._loop).result(_PATIENCE_SECONDS)

    async def _set(self, mode: Mode) -> None:
        self._mode = mode
        if mode is Mode.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()
        if mode is Mode.CUT:
            self._break_all()
        if mode is Mode.BLACKHOLE:
            self._forgotten |= self._open

    def _break_all(self) -> None:
        self.counts[Mode.CUT] += len(self._open) // 2
        for transport in self._open:
            _reset(transport)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Forward one connection, both ways, until either side ends it."""
        self.connections += 1
        if self._mode is Mode.CUT:
            self.counts[Mode.CUT] += 1
            _reset(writer.transport)
            return
        try:
            answers, requests = await asyncio.open_connection(HOST, self._target)
        except OSError:  # the process behind has just been killed
            _reset(writer.transport)
            return
        ends = {writer.transport, requests.transport}
        self._open |= ends
        ways = [
            asyncio.ensure_future(self._requests(reader, requests)),
            asyncio.ensure_future(self._answers(answers, writer)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            self._open -= ends
            self._forgotten -= ends
            writer.close()
            requests.close()

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(_CHUNK):
            await self._held()
            if self._swallows(sink):
                continue
            sink.write(data)
            await sink.drain()

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(_CHUNK):
            await self._held()
            if self._swallows(sink):
                continue
            if self._mode is Mode.LOSE:
                self.counts[Mode.LOSE] += 1
                _reset(sink.transport)
                return
            if self._mode is Mode.TRUNCATE:
                self.counts[Mode.TRUNCATE] += 1
                sink.write(data[: int(len(data) * self._dice.uniform(0.1, 0.95))])
                return
            sink.write(data)
            await sink.drain()

    def _swallows(self, sink: asyncio.StreamWriter) -> bool:
        forgotten = sink.transport in self._forgotten
        if forgotten:
            self.counts[Mode.BLACKHOLE] += 1
            self.swallowed.append(time.monotonic())
        return forgotten

    async def _held(self) -> None:
        if not self._flowing.is_set():
            self.counts[Mode.STALL] += 1
            await self._flowing.wait()


def _reset(transport: asyncio.WriteTransport) -> None:
    """Close it so that the other side sees a reset: an end would look like the server's own."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
    transport.abort()


@contextmanager
def proxies(routes: Mapping[str, tuple[int, int]], seed: int = 0) -> Iterator[dict[str, Proxy]]:
    """Serve each route, from its first port to its second one, on a thread until the block ends."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="proxies", daemon=True)
    thread.start()

    async def listen() -> tuple[dict[str, Proxy], list[asyncio.Server]]:
        made: dict[str, Proxy] = {}
        servers = []
        for name, (port, target) in routes.items():
            made[name] = Proxy(target, f"{name} {seed}", loop)
            servers.append(await asyncio.start_server(made[name].serve, HOST, port))
        return made, servers

    async def close(servers: list[asyncio.Server]) -> None:
        for server in servers:
            server.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    try:
        made, servers = asyncio.run_coroutine_threadsafe(listen(), loop).result(_PATIENCE_SECONDS)
        try:
            yield made
        finally:
            with suppress(TimeoutError):
                asyncio.run_coroutine_threadsafe(close(servers), loop).result(_PATIENCE_SECONDS)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(_PATIENCE_SECONDS)
        loop.close()
