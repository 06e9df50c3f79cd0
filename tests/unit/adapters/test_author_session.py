"""An author's HTTP calls: within the run, safe to repeat, and quoting nothing."""

import json
import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
import requests

from smartlink.adapters.http.author_session import author_session
from smartlink.consumer import Context, Reply, RetryableError, consumer
from smartlink.services.consuming.calls import CallsOf
from smartlink.testing import deliver
from tests.support.world import COMMAND, World

CANARY = "canary-529"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@dataclass
class Server:
    """A bank that answers what a test tells it, one answer after the other."""

    url: str = ""
    answers: list[tuple[int, dict[str, str], bytes]] = field(default_factory=list)
    got: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)
    drips: threading.Event = field(default_factory=threading.Event)

    def keys(self) -> list[str | None]:
        return [headers.get("idempotency-key") for _, _, headers, _ in self.got]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bank: Server

    def _answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.bank.got.append((self.command, self.path, headers, self.rfile.read(length)))
        status, more, body = self.bank.answers.pop(0) if self.bank.answers else (200, {}, b"{}")
        if status == 0:  # the connection is lost
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **more}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.path.startswith("/drip"):
            while not self.bank.drips.wait(0.02):
                try:
                    self.wfile.write(b".")
                except OSError:
                    return
        self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_PUT = _answer  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def bank() -> Iterator[Server]:
    bank = Server()
    handler = type("Bound", (Handler,), {"bank": bank})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    bank.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield bank
    bank.drips.set()
    server.shutdown()
    server.server_close()
    thread.join()


def session(
    left: float | Callable[[], float] = 60.0,
    document: str = "D-1",
    key: str = "",
    timeout: float = 10,
    retries: int = 2,
) -> requests.Session:
    calls = CallsOf("acme", document, TRACE, left if callable(left) else lambda: left)
    return author_session(calls, key, timeout=timeout, retries=retries)


def test_a_call_carries_the_trace_and_an_idempotency_key(bank: Server) -> None:
    """The key is the same in each run, and another for what is another effect; a GET has none."""
    for _ in range(2):
        with session() as one:
            assert one.post(f"{bank.url}/pay", json={"n": 1}).json() == {}
    with session() as one:
        one.get(f"{bank.url}/pay")
        one.post(f"{bank.url}/refund", json={"n": 1})
        one.put(f"{bank.url}/pay", json={"n": 1})
    with session(key="fee") as one:
        one.post(f"{bank.url}/pay", json={"n": 1})
    with session(document="D-2") as one:
        one.post(f"{bank.url}/pay", json={"n": 1})
    first, again, none, *others = bank.keys()
    assert first is not None
    assert str(UUID(first)) == first
    assert again == first
    assert none is None
    assert len({first, *others}) == 5
    assert {headers["traceparent"] for _, _, headers, _ in bank.got} == {TRACE}


def test_a_key_of_the_authors_own_stays(bank: Server) -> None:
    with session() as one:
        one.post(f"{bank.url}/pay", json={}, headers={"idempotency-KEY": "order-7"})
    assert bank.keys() == ["order-7"]


def test_another_body_under_the_same_key_is_refused(bank: Server) -> None:
    """Else the bank would take the second payment for the first. The same body is a new try."""
    with session() as one:
        for _ in range(2):
            one.post(f"{bank.url}/pay?{CANARY}=1", json={"n": 1})
        with pytest.raises(ValueError, match="a session of its own") as refused:
            one.post(f"{bank.url}/pay", json={"n": 2})
    assert CANARY not in str(refused.value)
    assert len(bank.got) == 2


@pytest.mark.parametrize("answer", [0, 429, 502, 503, 504])
def test_a_safe_call_is_tried_again(bank: Server, answer: int) -> None:
    bank.answers = [(answer, {}, b"")]
    with session() as one:
        assert one.get(bank.url).status_code == 200
    assert len(bank.got) == 2


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_any_other_call_is_sent_once(bank: Server, method: str) -> None:
    """What became of it is for the author to say."""
    bank.answers = [(503, {}, b"")]
    with session() as one:
        if method in {"PATCH", "DELETE"}:
            assert one.request(method, bank.url).status_code in {501, 503}
            return
        assert one.request(method, bank.url).status_code == 503
        bank.answers = [(0, {}, b"")]
        with pytest.raises(requests.ConnectionError):
            one.request(method, bank.url)
    assert len(bank.got) == 2


def test_there_is_a_last_try(bank: Server) -> None:
    """Its answer is the author's; the waits between are of the session's own `retries`."""
    bank.answers = [(503, {}, b"")] * 9
    with session(retries=1) as one:
        assert one.get(bank.url).status_code == 503
    assert len(bank.got) == 2


def test_there_is_no_try_that_the_run_has_no_time_for(bank: Server) -> None:
    """Retry-After asks for longer than is left."""
    bank.answers = [(503, {"Retry-After": "30"}, b"")]
    with session(left=20.0) as one:
        assert one.get(bank.url).status_code == 503
    assert len(bank.got) == 1


def test_a_run_that_is_nearly_over_calls_nobody(bank: Server) -> None:
    with session(left=2.1) as one, pytest.raises(requests.ConnectTimeout, match="no time left"):
        one.post(f"{bank.url}/{CANARY}")
    assert bank.got == []


@pytest.mark.parametrize("given", [None, 0.2, (5, 0.2)])
def test_a_wait_ends(bank: Server, given: float | tuple[float, float] | None) -> None:
    """By the session's time-out or the call's, whichever is shorter."""
    with session(timeout=0.2 if given is None else 30, retries=0) as one:
        bank.answers = [(200, {"Content-Length": "5"}, b"")]
        with pytest.raises((requests.ReadTimeout, requests.ConnectionError)):
            one.get(f"{bank.url}/{CANARY}", timeout=given)


def test_a_body_that_drips_ends_with_the_run(bank: Server) -> None:
    """Each of its bytes comes in time."""
    bank.answers = [(200, {"Content-Length": "100000"}, b"")]
    left = iter([10.0] * 4 + [9.0] * 3)
    with session(lambda: next(left, 2.5), timeout=1) as one, pytest.raises(requests.ReadTimeout):
        one.get(f"{bank.url}/drip")


def test_a_body_that_is_cut_off_is_no_body(bank: Server) -> None:
    bank.answers = [(200, {"Content-Length": "9", "Connection": "close"}, b"{}")]
    with session(timeout=1) as one, pytest.raises(requests.RequestException):
        one.post(bank.url)


def test_a_post_follows_no_redirect(bank: Server) -> None:
    """It would become a GET, whose 200 says nothing of the payment. A GET follows."""
    bank.answers = [(302, {"Location": "/login"}, b""), (302, {"Location": "/there"}, b"")]
    with session() as one:
        with pytest.raises(requests.TooManyRedirects):
            one.post(f"{bank.url}/pay")
        assert one.get(f"{bank.url}/here").json() == {}
    assert [(method, path) for method, path, _, _ in bank.got] == [
        ("POST", "/pay"),
        ("GET", "/here"),
        ("GET", "/there"),
    ]


def test_a_large_body_is_whole(bank: Server) -> None:
    body = json.dumps("ç" * 300_000).encode()
    bank.answers = [(200, {}, body), (200, {}, body)]
    with session() as one:
        assert one.get(bank.url).content == body
        streamed = one.get(bank.url, stream=True)
        assert b"".join(streamed.iter_content(1000)) == body


def test_no_error_and_no_line_quotes(bank: Server, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the path, the query, the headers nor a body: they may hold a secret."""
    url = f"{bank.url}/{CANARY}?key={CANARY}"
    headers = {"Authorization": CANARY}
    texts = []
    with caplog.at_level(logging.WARNING), session(retries=1) as one:
        bank.answers = [(0, {}, b""), (0, {}, b"")]
        for called, sent in (
            (url, headers),
            (f"http://127.0.0.1:1/{CANARY}", headers),
            (f"{CANARY}://x", headers),
            (f"http://[{CANARY}", headers),
            (bank.url, {"x": f"{CANARY}\n"}),
        ):
            with pytest.raises(requests.RequestException) as failed:
                one.get(called, headers=sent)
            texts.append(f"{failed.value} {failed.value.__context__}")
        bank.answers = [(401, {}, CANARY.encode())]
        with pytest.raises(requests.HTTPError, match=r"POST http://127.0.0.1: answered 401") as bad:
            one.post(url, data=CANARY).raise_for_status()
        texts.append(str(bad.value))
    assert CANARY not in f"{texts} {caplog.text}"


def test_a_consumer_calls_through_the_relay(bank: Server) -> None:
    """The run after a failed one sends the same key."""
    world = World()

    def pay(_: str, context: Context) -> Reply:
        with context.http("payment", timeout=5) as session:
            session.post(f"{bank.url}/pay", json={"order": 7}).raise_for_status()
        if context.attempt == 1:
            raise RetryableError("the ERP is busy")
        return Reply("Paid", {})

    world.behave = pay
    world.minute()
    world.broker.offer("acme", COMMAND, "", message_id="1")
    world.minutes(60)
    assert world.replies_to() == ["{}"]
    first, second = bank.keys()
    assert first == second is not None
    traces = {headers["traceparent"] for _, _, headers, _ in bank.got}
    assert len(traces) == 1


def test_the_kit_calls_as_the_relay_does(bank: Server) -> None:
    @consumer("PayCommand")
    def pay(_: str, context: Context) -> Reply:
        with context.http() as session:
            return Reply("Paid", session.post(f"{bank.url}/pay", json={}).json())

    assert deliver(pay, "").replied("Paid") == {}
    deliver(pay, "", timeout=1).outcome_unknown("no time left")
