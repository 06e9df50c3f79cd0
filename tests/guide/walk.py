"""``python -m tests.guide.walk PAGE``: run a page's Python blocks, then use what they made.

One namespace, in a process of its own: its modules are those of the checkout that the reader has.
"""

import json
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import requests
from google.auth.credentials import AnonymousCredentials
from google.cloud import firestore

from infra.simulator.rac import SCOPE
from infra.simulator.running import running_simulator
from smartlink.publisher import Publisher
from tests.guide.blocks import read

Names = dict[str, Any]
GRANT = {
    "grant_type": "client_credentials",
    "client_id": "client",
    "client_secret": "secret",
    "scope": SCOPE,
}


class _Function(BaseHTTPRequestHandler):
    """The function `publish`: it accepts what is under the id `order-7`, and knows `order-8`."""

    def do_POST(self) -> None:
        size = int(self.headers["Content-Length"])
        asked = json.loads(self.rfile.read(size))
        if asked["id"] == "order-7":
            self._answer(200, {"id": asked["id"], "repeated": False})
        else:
            error = {"field": "id", "message": "another message has this id"}
            self._answer(409, {"error": error})

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def walk(page: Path) -> Names:
    """Run each block; a failure's stack names the page's own lines."""
    names: Names = {"__name__": "guide"}
    for block in read(page).blocks:
        if block.language == "python":
            code = compile("\n" * block.line + block.text, str(page), "exec")
            exec(code, names)  # noqa: S102  (it is what this is for)
    return names


@contextmanager
def _function() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Function)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def it_publishes(announce: Callable[[Publisher, int], str]) -> None:
    """The page's own code, over real HTTP."""
    with (
        _function() as url,
        Publisher(url, credentials=AnonymousCredentials(), waits=()) as publisher,
    ):
        assert announce(publisher, 7) == "sent"
        assert announce(publisher, 8).startswith("wrong: id")
    with Publisher("http://127.0.0.1:9", credentials=AnonymousCredentials(), waits=()) as publisher:
        assert announce(publisher, 7) == "later, under the id order-7"


def it_adds_both(add_order: Callable[[Any, Any, int], str]) -> None:
    """The page's own code, on the vendor's client: two documents, and no call before the commit."""
    client = firestore.Client("guide", credentials=AnonymousCredentials())
    transaction = client.transaction()
    assert add_order(transaction, client, 7) == "order-7"
    assert len(transaction) == 2


def it_finds_the_local_stack(
    local_publisher: Callable[[Path], Publisher],
    sent: Callable[[str, Path], list[dict[str, object]]],
) -> None:
    """The page's own code, with a stack's file, its simulator and its function."""
    with tempfile.TemporaryDirectory() as folder, _function() as url, running_simulator() as broker:
        broker.add_tenant("acme", "client", "secret")
        stack = Path(folder) / "stack.json"
        stack.write_text(json.dumps({"functions": {"publish": url}, "simulator": broker.url}))
        with local_publisher(stack) as publisher:
            known = publisher.publish(tenant="acme", type="OrderPlaced", content={}, id="order-7")
            assert known.id == "order-7"
        granted = requests.post(broker.rac_token_url, data=GRANT, timeout=10).json()
        headers = {"Authorization": f"Bearer {granted['access_token']}"}
        send = f"{broker.url}/api/v1/link/send/OrderPlaced/APP"
        requests.post(send, "one", headers=headers, timeout=10).raise_for_status()
        assert [it["content"] for it in sent("acme", stack)] == ["one"]


if __name__ == "__main__":
    made = walk(Path(sys.argv[1]))
    it_publishes(made["announce"])
    it_adds_both(made["add_order"])
    it_finds_the_local_stack(made["local_publisher"], made["sent_locally"])
