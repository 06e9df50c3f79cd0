"""A real HTTP server on this machine that answers as a test says."""

import socket
import ssl
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Seen:
    """A request as it came over the wire."""

    verb: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    connection: int  # the client's port


@dataclass(frozen=True)
class Reply:
    """An answer.

    `missing` bytes are declared but never sent; `hang_up` closes without an answer; `endless`
    repeats the body until the client leaves, `pause` seconds apart.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    missing: int = 0
    hang_up: bool = False
    endless: bool = False
    pause: float = 0


Answering = Callable[[Seen], Reply]


def in_turn(*replies: Reply) -> Answering:
    """These answers one after the other; a further request gets no answer."""
    left = list(replies)
    return lambda _: left.pop(0) if left else Reply(hang_up=True)


class HttpServer:
    """`with HttpServer(answering) as server: … server.url, server.seen`."""

    def __init__(self, answering: Answering, tls: ssl.SSLContext | None = None) -> None:
        self.seen: list[Seen] = []
        self.stopping = Event()
        self._answering = answering
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        scheme = "http"
        if tls is not None:
            scheme = "https"
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.url = f"{scheme}://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        """Listens."""
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stops, and frees its port."""
        self.stopping.set()
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        stub = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

            def handle_one_request(self) -> None:
                """Reads and answers one request, of any verb."""
                self.raw_requestline = self.rfile.readline(65_537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                seen = Seen(
                    self.command, self.path, dict(self.headers), body, self.client_address[1]
                )
                stub.seen.append(seen)
                self.answer(stub._answering(seen))

            def answer(self, reply: Reply) -> None:
                self.close_connection = reply.hang_up or reply.endless or reply.missing > 0
                if reply.hang_up:
                    return
                self.send_response(reply.status)
                length = "" if reply.endless else str(len(reply.body) + reply.missing)
                headers = {"Content-Length": length}
                for name, value in (headers | dict(reply.headers)).items():
                    if value:
                        self.send_header(name, value)
                self.end_headers()
                with suppress(OSError):  # the client may leave
                    self.wfile.write(reply.body)
                    while reply.endless and not stub.stopping.wait(reply.pause):
                        self.wfile.write(reply.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Keeps quiet."""

        return Handler


def closed_port() -> int:
    """A port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port
