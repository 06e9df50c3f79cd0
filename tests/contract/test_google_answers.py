"""Answers of Google's that no emulator gives, from a server that gives what it is told to."""

import base64
import itertools
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from google.api_core import exceptions

from smartlink.adapters.google.failures import Patience, Tries, batches, translated
from smartlink.adapters.google.secret_manager import SecretManager
from smartlink.adapters.google.storage import BucketContents, ConfigObject
from smartlink.ports import Refused, Unavailable
from tests.contract.backends import AT_ONCE

BUCKET = "bucket"
SECRET = b'{"clientSecret": "hunter2"}'


class Google:
    """Answers the n-th request with the n-th answer, and the last one ever after."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, object]] = []
        self.asked: list[tuple[str, dict[str, list[str]]]] = []  # method, query
        self._lock = threading.Lock()

    def answer(self, method: str, path: str) -> tuple[int, bytes]:
        url = urlsplit(path)
        if url.path == f"/storage/v1/b/{BUCKET}":
            return 403, b"{}"  # the client asks, once and beside its work, for its own traces
        with self._lock:
            self.asked.append((method, parse_qs(url.query)))
            status, body = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        return status, body if isinstance(body, bytes) else json.dumps(body).encode()


@pytest.fixture
def google() -> Google:
    return Google()


@pytest.fixture
def host(google: Google) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, body = google.answer(self.command, self.path)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _serve  # noqa: N815  (http.server's names)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def error(code: int, status: str) -> tuple[int, object]:
    return code, {"error": {"code": code, "message": "No.", "status": status}}


@pytest.fixture
def secrets(host: str) -> SecretManager:
    return SecretManager("p", emulator=host, patience=AT_ONCE)


def test_a_missing_permission_names_the_role(google: Google, secrets: SecretManager) -> None:
    google.answers = [error(403, "PERMISSION_DENIED")]
    with pytest.raises(Refused, match=r"smartlink-tenant-acme.*roles/secretmanager.secretAccessor"):
        secrets.payload("acme")
    with pytest.raises(Refused, match=r"secretmanager.secrets.list"):
        secrets.entries()


def test_a_damaged_payload_is_unavailable(google: Google, secrets: SecretManager) -> None:
    """And is quoted nowhere."""
    payload = {"data": base64.b64encode(SECRET).decode(), "dataCrc32c": "1"}
    google.answers = [(200, {"payload": payload})]
    with pytest.raises(Unavailable, match="checksum") as caught:
        secrets.payload("acme")
    assert_silent(caught.value)


@pytest.mark.parametrize("body", [SECRET[:-1], b'{"payload": {"data": "hunter2', b"hunter2"])
def test_an_unreadable_answer_is_quoted_nowhere(
    google: Google, secrets: SecretManager, body: bytes
) -> None:
    google.answers = [(200, body)]
    with pytest.raises(Unavailable) as caught:
        secrets.payload("acme")
    assert_silent(caught.value)


def assert_silent(problem: BaseException | None) -> None:
    while problem is not None:
        assert "hunter2" not in f"{problem!r}"
        problem = problem.__cause__ or (
            None if problem.__suppress_context__ else problem.__context__
        )


@pytest.mark.parametrize(("code", "status"), [(503, "UNAVAILABLE"), (429, "RESOURCE_EXHAUSTED")])
def test_what_passes_is_tried_again(
    google: Google, secrets: SecretManager, code: int, status: str
) -> None:
    good = {"payload": {"data": base64.b64encode(SECRET).decode()}}
    google.answers = [error(code, status), error(code, status), (200, good)]
    assert secrets.payload("acme") == SECRET
    google.answers = [error(code, status)]
    google.asked.clear()
    with pytest.raises(Unavailable):
        secrets.payload("acme")
    assert len(google.asked) == 3


def test_a_file_that_has_not_changed_costs_no_download(google: Google, host: str) -> None:
    google.answers = [(304, b"")]
    source = ConfigObject(f"gs://{BUCKET}/config.json", "p", host, patience=AT_ONCE)
    assert source.read("17") is None
    [(method, query)] = google.asked
    assert method == "GET"
    assert query["ifGenerationNotMatch"] == ["17"]


def test_a_file_replaced_while_it_is_read_is_read_later(google: Google, host: str) -> None:
    google.answers = [(200, {"name": "config.json", "generation": "18"}), error(404, "NOT_FOUND")]
    source = ConfigObject(f"gs://{BUCKET}/config.json", "p", host, patience=AT_ONCE)
    with pytest.raises(Unavailable, match="replaced"):
        source.read("17")


@pytest.mark.parametrize("expiry", [{}, {"customTime": "2025-03-09T12:30:15Z"}])
def test_a_content_that_is_there_is_written_again_only_if_it_expires(
    google: Google, host: str, expiry: dict[str, str]
) -> None:
    """An expiry cannot be taken back, and a message that lives again needs its content."""
    found = {"name": "acme/D-1/00", "generation": "5", "metageneration": "3", **expiry}
    made = {"name": "acme/D-1/00", "generation": "6", "metageneration": "1"}
    google.answers = [error(412, "FAILED_PRECONDITION"), (200, found), (200, made)]
    BucketContents(BUCKET, "p", host, patience=AT_ONCE).put("acme", "D-1", "00", b"x")
    writes = [query for method, query in google.asked if method == "POST"]
    assert [query["ifGenerationMatch"] for query in writes] == [["0"], ["5"]][: 1 + bool(expiry)]
    method, query = google.asked[-1]
    seen = made if expiry else found
    assert method == "PATCH", "whoever looked at it before sees that it changed"
    assert query["ifGenerationMatch"] == [seen["generation"]]
    assert query["ifMetagenerationMatch"] == [seen["metageneration"]]


def test_a_content_that_others_keep_changing_is_not_put(google: Google, host: str) -> None:
    """It is not known to last, so whoever puts it must not refer to it."""
    found = {"name": "acme/D-1/00", "generation": "5", "metageneration": "3"}
    unmet = error(412, "FAILED_PRECONDITION")
    google.answers = [unmet, (200, found), unmet] * 20
    with pytest.raises(Unavailable, match="others changed it first"):
        BucketContents(BUCKET, "p", host, patience=AT_ONCE).put("acme", "D-1", "00", b"x")


def test_a_bucket_that_is_not_ours_is_refused(google: Google, host: str) -> None:
    google.answers = [error(403, "PERMISSION_DENIED")]
    contents = BucketContents(BUCKET, "p", host, patience=AT_ONCE)
    calls: Sequence[Callable[[], object]] = (
        lambda: contents.put("acme", "D-1", "00", b"x"),
        lambda: contents.get("acme/D-1/00"),
        lambda: contents.delete("acme/D-1/00"),
    )
    for call in calls:
        with pytest.raises(Refused, match="in the bucket bucket"):
            call()


def test_tries_end_with_their_time() -> None:
    assert not Tries(Patience(deadline=0, delays=(0.0,))).again()
    tries = Tries(Patience(timeout=5, deadline=100, delays=(0.0, 0.0)))
    assert tries.timeout == 5
    assert [tries.again() for _ in range(3)] == [True, True, False]


def test_waits_grow_and_no_two_callers_wait_alike() -> None:
    """Each wait is drawn between none and a most that grows: full jitter, within the deadline."""
    slept: list[float] = []
    for drawn in (0.0, 0.5, 1.0):
        tries = Tries(Patience(delays=(1, 3, 9, 27)), lambda d=drawn: d, slept.append)  # type: ignore[misc]
        while tries.again():
            pass
    assert slept == [0, 0, 0, 0.5, 1.5, 4.5, 1, 3, 9]
    usual = Patience().delays
    assert all(2 * wait <= longer for wait, longer in itertools.pairwise(usual))
    assert sum(usual) < Patience().deadline / 2


@pytest.mark.parametrize(
    ("sizes", "wanted"),
    [
        ([], []),
        ([4, 4, 4], [[4, 4], [4]]),
        ([11, 1, 1, 1, 1], [[11], [1, 1, 1], [1]]),
        ([1, 11, 1], [[1], [11], [1]]),
        ([5, 5, 5], [[5, 5], [5]]),
    ],
)
def test_batches_fit(sizes: list[int], wanted: list[list[int]]) -> None:
    """At most 3 of at most 10 together; one that is too large goes alone."""
    assert list(batches(sizes, lambda size: size, most=3, most_bytes=10)) == wanted


def test_of_googles_own_words_the_first_300_characters_are_told() -> None:
    """They may quote a document, or a whole request."""
    error = exceptions.InvalidArgument("x" * 400)
    assert str(translated("write", error)) == f"write: InvalidArgument: {'x' * 300}"
