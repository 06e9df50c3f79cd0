"""Sessions: what is retried, bounded, refused, and never told."""

import gzip
import ipaddress
import logging
import socket
import ssl
import traceback
import tracemalloc
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from smartlink.adapters.http import connections
from smartlink.adapters.http.connections import (
    Bounds,
    Call,
    Http,
    HttpSession,
    SessionPool,
    split_url,
)
from smartlink.ports import PortError, Refused, Unavailable
from tests.unit.adapters.http_server import (
    Answering,
    HttpServer,
    Reply,
    Seen,
    closed_port,
    in_turn,
)

CANARY = "canary-8d1f"
OK = Reply(body=b"fine")
LIMIT = 1_000_000


def bounds(read_seconds: float = 5) -> Bounds:
    return Bounds(
        connect_seconds=5,
        read_seconds=read_seconds,
        response_limit=LIMIT,
        retry_after_seconds=0,
        backoff_seconds=0,
    )


def session(
    url: str, *, cookies: bool = True, read_seconds: float = 5, ends_in: float = 60
) -> HttpSession:
    made = HttpSession(Http(bounds(read_seconds)), url, cookies=cookies)
    made.ends = monotonic() + ends_in
    return made


def a_call(verb: str = "GET", body: bytes | None = None) -> Call:
    headers = {"Authorization": f"Bearer {CANARY}"}
    return Call(name="A call", verb=verb, path=f"/path/{CANARY}", headers=headers, body=body)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("verb", ["GET", "POST"])
def test_a_passing_fault_is_retried(status: int, verb: str) -> None:
    """Two answers that may pass, then a good one: the caller sees the good one only."""
    fault = Reply(status, b"busy")
    with HttpServer(in_turn(fault, fault, OK)) as server:
        http = session(server.url)
        assert http.call(a_call(verb, b"{}")).body == b"fine"
        assert http.clean
    assert [seen.body for seen in server.seen] == [b"{}"] * 3


def test_retries_end() -> None:
    """Three requests at most: poll has 50 s for everything."""
    with HttpServer(lambda _: Reply(503)) as server:
        with pytest.raises(Unavailable, match="answered 503"):
            session(server.url).call(a_call())
        assert len(server.seen) == 3


@pytest.mark.parametrize("fault", [Reply(503), Reply(hang_up=True)])
def test_a_late_fault_is_not_retried(fault: Reply) -> None:
    """Once the time for retries is over (here at once) the fault is the call's result."""
    spent = replace(bounds(), retry_seconds=0)
    with HttpServer(lambda _: fault) as server:
        with pytest.raises(Unavailable):
            HttpSession(Http(spent), server.url, cookies=True).call(a_call())
        assert len(server.seen) == 1


def test_a_lost_connection_is_retried() -> None:
    """A server that hangs up without an answer, as one that was restarted does."""
    with HttpServer(in_turn(Reply(hang_up=True), OK)) as server:
        assert session(server.url).call(a_call("POST", b"{}")).body == b"fine"


@pytest.mark.parametrize("after", ["86400", "Fri, 31 Dec 2999 23:59:59 GMT", "9" * 5_000, "soon"])
def test_retry_after_is_clamped(after: str) -> None:
    """However long, or unreadable, a Retry-After is, the wait stays within the bound (here 0 s)."""
    with HttpServer(in_turn(Reply(429, headers={"Retry-After": after}), OK)) as server:
        assert session(server.url).call(a_call()).body == b"fine"


def test_retry_after_reaches_the_caller() -> None:
    """When the retries are used up the caller learns how long the server wants to be left alone."""
    with (
        HttpServer(lambda _: Reply(429, headers={"Retry-After": "600"})) as server,
        pytest.raises(Unavailable) as raised,
    ):
        session(server.url).call(a_call())
    assert raised.value.retry_after == 600


def test_an_endless_fault_is_not_read() -> None:
    """The body of an answer that is retried is dropped: it may have no end."""
    endless = Reply(503, b"x" * 10_000, endless=True)
    with HttpServer(in_turn(endless, OK)) as server:
        assert session(server.url).call(a_call()).body == b"fine"


def test_nobody_listens() -> None:
    """A refused connection is Unavailable, and leaves the session unclean."""
    http = session(f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(Unavailable, match="nobody answers at its address"):
        http.call(a_call())
    assert not http.clean


def test_a_read_timeout_is_not_retried() -> None:
    """A server that was silent for the whole time-out gets no second one: the time is spent."""
    over = Event()

    def silent(_: Seen) -> Reply:
        over.wait(10)
        return Reply(hang_up=True)

    with HttpServer(silent) as server:
        with pytest.raises(Unavailable, match="an answer took more than"):
            session(server.url, read_seconds=0.1).call(a_call())
        assert len(server.seen) == 1
        over.set()


def test_a_dripping_body_is_bounded_in_time() -> None:
    """A server that sends a byte now and then is as good as silent."""
    impatient = Http(replace(bounds(), silence_seconds=0.2))
    with (
        HttpServer(lambda _: Reply(body=b"x", endless=True, pause=0.01)) as server,
        pytest.raises(Unavailable, match="its answer paused"),
    ):
        HttpSession(impatient, server.url, cookies=True).call(a_call())


def test_a_call_ends_when_the_time_that_its_caller_has_is_over() -> None:
    """However much of a body comes in time: a tick has its end."""
    with (
        HttpServer(lambda _: Reply(body=b"x" * 2_000, endless=True, pause=0.02)) as server,
        pytest.raises(Unavailable, match="more than the time that was left"),
    ):
        session(server.url, ends_in=0.2).call(a_call())


class Raw:
    """A server that answers each connection with these pieces, `pause` seconds between them; the
    last one comes in blocks of 2,000 bytes."""

    def __init__(self, *pieces: bytes, pause: float = 0) -> None:
        *first, last = pieces
        blocks = [last[at : at + 2_000] for at in range(0, len(last), 2_000)]
        self._pieces = (*first, *blocks)
        self._pause = pause
        self._over = Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with suppress(OSError), connection:
            connection.recv(65_536)
            for piece in self._pieces:
                connection.sendall(piece)
                if self._pause and self._over.wait(self._pause):
                    return


def test_dripping_headers_are_bounded_in_time() -> None:
    """The wait for an answer ends with its headers, however many bytes of them keep coming."""
    head = (b"HTTP/1.1 200 OK\r\n", *[b"X-Long: x\r\n"] * 90)
    with Raw(*head, pause=0.01) as server:
        began = monotonic()
        with pytest.raises(Unavailable, match="an answer took more than"):
            session(server.url, read_seconds=0.2).call(a_call())
        assert monotonic() - began < 2


def test_a_slow_body_that_keeps_coming_is_read() -> None:
    """What bounds a call is silence, not size: the whole takes longer than any single wait may."""
    body = b"y" * 40_000
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 40000\r\n\r\n"
    with Raw(head, body, pause=0.02) as server:
        began = monotonic()
        http = HttpSession(Http(replace(bounds(), silence_seconds=0.3)), server.url, cookies=True)
        assert http.call(a_call()).body == body
        assert monotonic() - began > 0.3


def test_a_body_that_pauses_is_given_up() -> None:
    """Silence within a body is a failure of its own, and is told as such."""
    over = Event()

    def stuck(_: Seen) -> Reply:
        return Reply(body=b"x", endless=True, pause=10)

    impatient = replace(bounds(), silence_seconds=0.1)
    with (
        HttpServer(stuck) as server,
        pytest.raises(Unavailable, match=r"its answer paused for 0\.1 s"),
    ):
        HttpSession(Http(impatient), server.url, cookies=True).call(a_call())
    over.set()


@pytest.mark.parametrize(
    "garbage",
    [
        b"canary: no HTTP at all\r\n\r\n",
        b"HTTP/1.1 canary OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"A: canary\r\n" * 200,
        b"HTTP/1.1 200 OK\r\ncanary" + b"x" * 70_000,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\ncanary",
    ],
)
def test_what_is_no_http_is_unavailable(garbage: bytes) -> None:
    """Whatever stands at the address: an error of ours, which quotes nothing of it."""
    with Raw(garbage) as server, pytest.raises(Unavailable) as raised:
        session(server.url).call(a_call())
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize("status", [500, 501, 599, 408])
def test_a_fault_of_the_server_is_unavailable(status: int) -> None:
    """It may work later, but not at once: no retry."""
    with HttpServer(lambda _: Reply(status)) as server:
        with pytest.raises(Unavailable, match=str(status)):
            session(server.url).call(a_call())
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [400, 403, 404, 422, 499])
def test_a_refusal_is_refused(status: int) -> None:
    """Asking again is of no use: no retry."""
    with HttpServer(lambda _: Reply(status, CANARY.encode())) as server:
        with pytest.raises(Refused, match=str(status)):
            session(server.url).call(a_call())
        assert len(server.seen) == 1


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    """A redirect could carry the token to another host. It is an outage, as a gateway makes one
    for its maintenance page, and no refusal of what was sent."""
    with HttpServer(lambda _: OK) as thief:
        redirect = Reply(status, b"x", headers={"Location": thief.url}, endless=True)
        with (
            HttpServer(lambda _: redirect) as server,
            pytest.raises(Unavailable, match=str(status)),
        ):
            session(server.url).call(a_call())
        assert thief.seen == []


def test_a_truncated_body_is_unavailable() -> None:
    """What was cut off is not taken for the whole."""
    with HttpServer(lambda _: Reply(body=b"fi", missing=2)) as server, pytest.raises(Unavailable):
        session(server.url).call(a_call())


def test_a_body_at_the_limit_passes() -> None:
    """The limit itself is allowed."""
    with HttpServer(lambda _: Reply(body=b"x" * LIMIT)) as server:
        assert len(session(server.url).call(a_call()).body) == LIMIT


def test_an_oversized_body_is_refused() -> None:
    """One byte more is refused, naming the limit, and so is a body without an end."""
    larger, endless = Reply(body=b"x" * (LIMIT + 1)), Reply(body=b"x" * 100_000, endless=True)
    for reply in (larger, endless):
        with (
            HttpServer(in_turn(reply)) as server,
            pytest.raises(Refused, match=f"more than {LIMIT} bytes"),
        ):
            session(server.url).call(a_call())


@pytest.mark.parametrize("layers", [1, 2])
def test_a_decompression_bomb_is_bounded(layers: int) -> None:
    """Compressed nothings that would fill the memory are given up at the limit."""
    bomb = b"\0" * 100_000_000
    for _ in range(layers):
        bomb = gzip.compress(bomb)
    headers = {"Content-Encoding": ", ".join(["gzip"] * layers)}
    with HttpServer(lambda _: Reply(body=bomb, headers=headers)) as server:
        http = session(server.url)
        tracemalloc.start()
        with pytest.raises(Refused, match="more than"):
            http.call(a_call())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 8 * LIMIT


def test_a_compressed_body_is_decoded() -> None:
    """Servers may compress although nobody asked them to."""
    reply = Reply(body=gzip.compress(b"fine"), headers={"Content-Encoding": "gzip"})
    with HttpServer(lambda _: reply) as server:
        assert session(server.url).call(a_call()).body == b"fine"


def test_connections_are_used_again() -> None:
    """Calls of one session share a connection, with bodies and without."""
    with HttpServer(lambda _: OK) as server:
        http = session(server.url)
        for body in (b"1", None, b"333", None):
            http.call(a_call("POST", body))
        assert [seen.body for seen in server.seen] == [b"1", b"", b"333", b""]
        assert len({seen.connection for seen in server.seen}) == 1


def test_a_call_takes_nothing_along_from_the_one_before() -> None:
    """Not its path, verb, body or headers; nor does it after the connection was closed."""
    first = replace(a_call("POST", b"1"), path="/send/A", headers={"X-First": "1"})
    with HttpServer(lambda _: OK) as server:
        http = session(server.url)
        http.call(first)
        http.call(replace(a_call("GET"), path="/get"))
        http.close()
        http.call(replace(a_call("POST", b"22"), path="/send/A"))
    seen = [(it.verb, it.path, it.body, it.headers.get("X-First")) for it in server.seen]
    assert seen[0] == ("POST", "/send/A", b"1", "1")
    assert seen[1:] == [("GET", "/get", b"", None), ("POST", "/send/A", b"22", None)]
    assert "Content-Length" not in server.seen[1].headers
    assert server.seen[1].connection == server.seen[0].connection != server.seen[2].connection


def test_a_path_that_makes_no_url_leaves_nothing_to_the_next_call() -> None:
    with HttpServer(lambda _: OK) as server:
        http = session(server.url)
        http.call(a_call("POST", b"1"))
        with pytest.raises(Unavailable):
            http.call(replace(a_call("GET"), path=":no-port/"))
        http.call(a_call("POST", b"2"))
    assert [(it.verb, it.body) for it in server.seen] == [("POST", b"1"), ("POST", b"2")]


def test_cookies_are_kept_only_where_wanted() -> None:
    """A session has the server's cookies, or takes none at all."""
    with HttpServer(lambda _: Reply(headers={"Set-Cookie": "channel=7"})) as server:
        for cookies in (True, False):
            http = session(server.url, cookies=cookies)
            http.call(a_call())
            http.call(a_call())
    assert [seen.headers.get("Cookie") for seen in server.seen] == [None, "channel=7", None, None]


def test_the_newest_cookie_is_sent() -> None:
    """A server may move a session on."""
    count = iter(range(9))
    with HttpServer(lambda _: Reply(headers={"Set-Cookie": f"channel={next(count)}"})) as server:
        http = session(server.url)
        for _ in range(3):
            http.call(a_call())
    assert [seen.headers.get("Cookie") for seen in server.seen] == [None, "channel=0", "channel=1"]


def test_each_session_has_its_own_connection_and_cookies() -> None:
    """An ack goes over what received: nobody else's call does, before or after."""
    http = Http(bounds())
    with HttpServer(lambda seen: Reply(headers={"Set-Cookie": f"of={seen.path}"})) as server:
        sessions = {name: HttpSession(http, server.url, cookies=True) for name in "abc"}
        for _ in range(2):
            for name, its in sessions.items():
                its.call(replace(a_call(), path=f"/{name}"))
    connections = {
        seen.path: {it.connection for it in server.seen if it.path == seen.path}
        for seen in server.seen
    }
    assert [len(its) for its in connections.values()] == [1, 1, 1]
    assert len(set.union(*connections.values())) == 3
    sent = [(seen.path, seen.headers.get("Cookie")) for seen in server.seen]
    assert sent[:3] == [("/a", None), ("/b", None), ("/c", None)]
    assert sent[3:] == [("/a", "of=/a"), ("/b", "of=/b"), ("/c", "of=/c")]


def test_a_closed_session_closes_its_connection() -> None:
    """What a server holds of a session that failed ends with it; the next one begins afresh."""
    http = Http(bounds())
    with HttpServer(lambda _: OK) as server:
        for _ in range(2):
            failed = HttpSession(http, server.url, cookies=True)
            failed.call(a_call())
            failed.close()
    assert len({seen.connection for seen in server.seen}) == 2


@pytest.mark.parametrize("value", ["a\r\nX-Smuggled: 1", "a\nb", "caf\u00e9", "\0"])
def test_no_header_breaks_out_of_its_line(value: str) -> None:
    """What is no header is refused, not sent."""
    with HttpServer(lambda _: OK) as server:
        with pytest.raises(Refused, match="header X-Test"):
            session(server.url).call(replace(a_call(), headers={"X-Test": value}))
        assert server.seen == []


def test_a_large_body_is_sent_at_once() -> None:
    """Without asking the server first whether it would take it."""
    with HttpServer(lambda _: OK) as server:
        session(server.url).call(a_call("POST", b"x" * 3_000_000))
    assert len(server.seen[0].body) == 3_000_000
    assert "Expect" not in server.seen[0].headers
    assert "Content-Type" not in server.seen[0].headers


def test_a_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a network lets nothing out but through its proxy, the relay works too."""
    with HttpServer(lambda _: OK) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        assert session("http://link.invalid").call(a_call()).body == b"fine"
        assert [seen.path for seen in proxy.seen] == [f"http://link.invalid/path/{CANARY}"]
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with HttpServer(lambda _: OK) as server:
            assert session(server.url).call(a_call()).body == b"fine"
        assert len(proxy.seen) == 1


def test_a_proxy_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else an operator would look for the fault at the broker."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(Unavailable, match="the proxy that the environment names"):
        session("http://link.invalid").call(a_call())


@pytest.mark.parametrize(
    "proxy",
    [
        "http://gw:canary-4d1c@127.0.0.1:99999",
        "http://gw:canary-4d1c@[::",
        "socks5://gw:canary-4d1c@127.0.0.1:1",
        "gw:canary-4d1c@bad host:1",
        "http://gw:canary-4d1c@127.0.0.1:1",
    ],
)
def test_a_proxys_password_is_in_no_text(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invariant 10: whatever is wrong with the proxy, or with its URL."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.setenv(name, proxy)
    for origin in ("http://link.invalid", "https://link.invalid"):
        with pytest.raises(Unavailable, match="the proxy that the environment names") as raised:
            session(origin).call(a_call())
        assert "canary" not in "".join(traceback.format_exception(raised.value))


def test_nothing_else_of_the_environment_is_trusted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A .netrc does not replace the token, REQUESTS_CA_BUNDLE not the authorities."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    monkeypatch.setenv("NETRC", str(netrc))
    pem = certificate(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pem))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(pem))
    with HttpServer(lambda _: OK) as server:
        session(server.url).call(a_call())
        assert server.seen[0].headers["Authorization"] == f"Bearer {CANARY}"
    with (
        HttpServer(lambda _: OK, tls_server(pem)) as server,
        pytest.raises(Unavailable, match="certificate is not to be trusted"),
    ):
        session(server.url).call(a_call())


def test_a_refusal_that_is_answered_keeps_the_connection() -> None:
    """Of such a body the beginning is read, so that the same connection serves the next call."""
    call = replace(a_call(), answered=(401,))
    with HttpServer(lambda _: Reply(401, b"why")) as server:
        http = session(server.url)
        assert http.call(call).body == b"why"
        assert http.call(call).body == b"why"
        assert http.clean
        assert len({seen.connection for seen in server.seen}) == 1
    endless = Reply(401, b"x" * 10_000, endless=True)
    with HttpServer(lambda _: endless) as server:
        assert len(session(server.url).call(call).body) == 65_536


@pytest.mark.parametrize("status", [200, 204])
def test_an_answer_without_a_body_keeps_the_connection(status: int) -> None:
    """Most answers are such: an idle tenant's `get`."""
    with HttpServer(lambda _: Reply(status)) as server:
        http = session(server.url)
        for _ in range(3):
            assert http.call(a_call()).body == b""
        assert len({seen.connection for seen in server.seen}) == 1


def test_a_connection_that_was_idle_for_long_is_not_used() -> None:
    """A NAT may have forgotten it, and would say nothing. The cookies stay."""
    now = [1_000.0]
    with HttpServer(lambda _: Reply(headers={"Set-Cookie": "channel=7"})) as server:
        http = HttpSession(Http(bounds(), clock=lambda: now[0]), server.url, cookies=True)
        for seconds in (0, 100, 101):
            now[0] += seconds
            http.call(a_call())
    first, second, third = server.seen
    assert first.connection == second.connection != third.connection
    assert third.headers["Cookie"] == "channel=7"


def test_a_connection_that_swallows_everything_costs_one_call() -> None:
    """The first call waits in vain; the next one, over a new connection, is answered."""
    with socket.create_server(("127.0.0.1", 0)) as hole:
        url = f"http://127.0.0.1:{hole.getsockname()[1]}"
        pool = SessionPool(lambda: session(url, read_seconds=0.1), idle=8)
        with pool.lease("acme", 60) as http, pytest.raises(Unavailable):
            http.call(a_call())
        accepted, _ = hole.accept()
        Thread(target=_answer_next, args=(hole,), daemon=True).start()
        with pool.lease("acme", 60) as http:
            assert http.call(a_call()).body == b"fine"
        accepted.close()


def _answer_next(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.recv(65_536)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine")


def test_the_authorities_are_loaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not for each connection: that takes 30 ms of CPU, so 30 s for a thousand tenants."""
    pem = certificate(tmp_path)
    loads: list[object] = []
    load = ssl.SSLContext.load_verify_locations

    def counted(context: ssl.SSLContext, *args: Any, **options: Any) -> None:  # noqa: ANN401
        loads.append(context)
        load(context, *args, **options)

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", counted)
    with HttpServer(lambda _: OK, tls_server(pem)) as server:
        http = Http(bounds(), ca_file=str(pem))
        for _ in range(5):
            assert HttpSession(http, server.url, cookies=True).call(a_call()).body == b"fine"
        assert len({seen.connection for seen in server.seen}) == 5
    assert loads == [http.tls]


def faulty(seen: Seen) -> Reply:
    """Quotes what it was sent, as badly as servers do."""
    quoted = seen.headers["Authorization"]
    return Reply(599, quoted.encode(), headers={"X-Quoted": quoted, "Content-Encoding": CANARY})


@pytest.mark.parametrize(
    "answering",
    [faulty, lambda _: Reply(hang_up=True), lambda _: Reply(body=CANARY.encode(), missing=1)],
)
def test_failures_tell_no_secret(answering: Answering, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the token, nor the path, nor the body show in errors, tracebacks, logs or reprs."""
    caplog.set_level(logging.WARNING)
    with HttpServer(answering) as server, pytest.raises(PortError) as raised:
        session(server.url).call(a_call("POST", CANARY.encode()))
    shown = "".join(traceback.format_exception(raised.value)) + caplog.text
    assert CANARY not in shown
    assert "A call at http://127.0.0.1:" in shown


def test_repr_tells_no_secret() -> None:
    """A call may be logged by mistake."""
    call = Call(name="x", verb="GET", path="/", headers={"a": CANARY}, body=CANARY.encode())
    assert CANARY not in repr(call)


def test_a_certificate_is_verified(tmp_path: Path) -> None:
    """A server that no authority vouches for gets no request; one that it knows does."""
    pem = certificate(tmp_path)
    with HttpServer(lambda _: OK, tls_server(pem)) as server:
        with pytest.raises(Unavailable, match="certificate is not to be trusted"):
            session(server.url).call(a_call())
        assert server.seen == []
        trusting = Http(bounds(), ca_file=str(pem))
        assert HttpSession(trusting, server.url, cookies=True).call(a_call()).body == b"fine"


def tls_server(pem: Path) -> ssl.SSLContext:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(pem)
    return tls


def certificate(folder: Path) -> Path:
    """A file with a key and a certificate for 127.0.0.1 that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    file = folder / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file.write_bytes(private + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_a_pool_hands_a_session_to_one_holder() -> None:
    """Concurrent holders have different sessions, later ones those of before, per key."""
    pool = SessionPool(lambda: session("http://127.0.0.1:1"), idle=8)
    with pool.lease("a", 60) as first, pool.lease("a", 60) as second:
        assert first is not second
    with pool.lease("b", 60) as other, pool.lease("a", 60) as again:
        assert again in {first, second}
        assert other not in {first, second}


def test_a_pool_drops_what_failed() -> None:
    """A session whose call or holder failed is not handed out again."""
    pool = SessionPool(lambda: session(f"http://127.0.0.1:{closed_port()}"), idle=8)
    with pool.lease("a", 60) as unclean, pytest.raises(Unavailable):
        unclean.call(a_call())
    held = [unclean]

    def fail() -> None:
        with pool.lease("a", 60) as failed:
            held.append(failed)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with pool.lease("a", 60) as fresh:
        assert len({unclean, *held, fresh}) == 3


def test_a_pool_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the bound the session is closed that was idle for longest."""
    closed: list[HttpSession] = []

    def close(closing: HttpSession) -> None:
        closed.append(closing)

    monkeypatch.setattr(HttpSession, "close", close)
    pool = SessionPool(lambda: session("http://127.0.0.1:1"), idle=2)
    leased = {}
    for key in "abc":
        with pool.lease(key, 60) as leased[key]:
            pass
    assert closed == [leased["a"]]
    with pool.lease("b", 60) as b, pool.lease("c", 60) as c, pool.lease("a", 60) as a:
        assert (b, c) == (leased["b"], leased["c"])
        assert a is not leased["a"]
    assert closed == [leased["a"], a]


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("https://h", ("https://h", "")),
        ("http://h:1/", ("http://h:1", "")),
        ("https://h/a/b", ("https://h", "/a/b")),
    ],
)
def test_a_url_is_split(url: str, parts: tuple[str, str]) -> None:
    """Into what a connection needs and what a request needs."""
    assert split_url(url) == parts


def test_the_caller_waits_for_an_hour_at_most() -> None:
    """Whatever the server would like."""
    with (
        HttpServer(lambda _: Reply(429, headers={"Retry-After": "86400"})) as server,
        pytest.raises(Unavailable) as raised,
    ):
        session(server.url).call(a_call())
    assert raised.value.retry_after == 3_600


def test_no_header_goes_along_that_nobody_chose() -> None:
    """`requests` has some of its own."""
    with HttpServer(lambda _: OK) as server:
        session(server.url).call(a_call())
    names = {name.lower() for name in dict(server.seen[0].headers)}
    assert names == {"host", "user-agent", "accept-encoding", "authorization"}


def test_large_blocks_go_back_to_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first one on: an instance is ended for what its allocator keeps, too."""
    told: list[bool] = []
    monkeypatch.setattr(
        "smartlink.adapters.http.connections.return_large_blocks", lambda: told.append(True)
    )
    Http(bounds())
    assert told == [True]


def test_errors_that_go_round_in_a_circle_are_each_looked_at_once() -> None:
    """What is wrapped in an error may, in the end, name the error itself."""
    outer, inner = OSError("outer"), OSError("inner")
    outer.__cause__, inner.__cause__ = inner, outer
    assert list(islice(connections._causes(outer), 9)) == [outer, inner]  # noqa: SLF001
