"""The PyPI emulator of Cloud Storage, made to refuse what Google refuses.

The emulator itself ignores preconditions, lists all objects in one page, does not change `updated`,
and accepts a custom time that is moved back or removed.
"""

import argparse
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from email.parser import BytesParser
from functools import partial
from http.server import ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import parse_qs, unquote, urlsplit

from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

from infra.local.ports import HOST

_OBJECT = "/o/"
_VERSIONS = 20  # of an object that are kept
_VERSION_BYTES = 1_000_000  # of one: a configuration has no more
_LOCK = threading.Lock()


class _Strict(RequestHandler):  # type: ignore[misc]
    """Serves one request at a time, so that a checked precondition still holds when it is done."""

    rfile: BinaryIO

    def do_GET(self) -> None:  # noqa: N802  (http.server's name)
        """List objects in pages."""
        with _LOCK:
            path = urlsplit(self.path).path
            if path.startswith("/storage/v1/b/") and path.endswith("/o"):
                self._list(path.split("/")[4])
            elif "generation" in self._query:
                self._get_version(self._query["generation"])
            else:
                super().do_GET()

    def do_POST(self) -> None:  # noqa: N802  (http.server's name)
        """Upload an object if the preconditions hold."""
        with _LOCK:
            name = self._query.get("name") or self._described(self._body()).get("name")
            if "/upload/" not in self.path or name is None:
                super().do_POST()
            elif self._holds(str(name)):
                self._keep_version(str(name))
                super().do_POST()
                made = self._found(str(name))
                if made is not None:  # the emulator counts the upload's own metadata as a change
                    made["metageneration"] = "1"

    def do_PATCH(self) -> None:  # noqa: N802  (http.server's name)
        """Change an object's metadata if Google would."""
        with _LOCK:
            change = json.loads(self._body())
            found = self._found(self._name)
            if not self._holds(self._name):
                return
            before = (found or {}).get("customTime")
            if before and "customTime" in change and not _forward(before, change["customTime"]):
                self._refuse(400, "Custom time cannot be removed or set to an earlier time.")
                return
            super().do_PATCH()
            if found is not None:
                found["updated"] = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"

    def do_DELETE(self) -> None:  # noqa: N802  (http.server's name)
        """Delete an object if the preconditions hold."""
        with _LOCK:
            if self._holds(self._name):
                super().do_DELETE()

    @property
    def _query(self) -> Mapping[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query).items()}

    @property
    def _name(self) -> str:
        return unquote(urlsplit(self.path).path.partition(_OBJECT)[2])

    def _body(self) -> bytes:
        """Return the request's body, so that it can be read again."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.rfile = BytesIO(body)
        return body

    def _described(self, body: bytes) -> Mapping[str, Any]:
        """Return the object's metadata at the head of an upload."""
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/related"):
            parsed = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
            body = parsed.get_payload()[0].get_payload(decode=True)  # type: ignore[index, union-attr, assignment]
        elif not kind.startswith("application/json"):
            return {}
        return dict(json.loads(body or b"{}"))

    def _found(self, name: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self.storage.get_file_obj(self._bucket, name)
        except NotFound:
            return None
        return found

    @property
    def _bucket(self) -> str:
        return urlsplit(self.path).path.partition("/b/")[2].split("/")[0]

    def _holds(self, name: str) -> bool:
        """Tell whether the preconditions hold; if not, refuse the request."""
        found = self._found(name)
        for wanted, has in (
            (self._query.get("ifGenerationMatch"), found["generation"] if found else "0"),
            (self._query.get("ifMetagenerationMatch"), found and found["metageneration"]),
        ):
            if wanted is None or has == wanted:
                continue
            status = 412 if found or wanted == "0" or self.command == "POST" else 404
            self._refuse(status, "At least one of the pre-conditions did not hold.")
            return False
        return True

    def _refuse(self, status: int, message: str) -> None:
        self._answer(status, {"error": {"code": status, "message": message}})

    def _answer(self, status: int, answer: object) -> None:
        self._answer_with(status, json.dumps(answer).encode(), "application/json")

    def _answer_with(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _keep_version(self, name: str) -> None:
        """What is about to be replaced stays, as in a bucket with versions, unless it is large."""
        found = self._found(name)
        if found is None or int(found["size"]) > _VERSION_BYTES:
            return
        kept = self._versions.setdefault((self._bucket, name), [])
        ended = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
        kept.append((found | {"timeDeleted": ended}, self.storage.get_file(self._bucket, name)))
        del kept[:-_VERSIONS]

    @property
    def _versions(self) -> dict[tuple[str, str], list[tuple[dict[str, Any], bytes]]]:
        """The replaced versions of each object, the oldest first: they live with the storage."""
        versions: dict[tuple[str, str], list[tuple[dict[str, Any], bytes]]]
        versions = self.storage.__dict__.setdefault("replaced_versions", {})
        return versions

    def _get_version(self, generation: str) -> None:
        """An object as it was at a generation: its description, or its content."""
        found = self._found(self._name)
        if found is not None and found["generation"] == generation:
            super().do_GET()
            return
        for described, content in self._versions.get((self._bucket, self._name), ()):
            if described["generation"] == generation:
                if self._query.get("alt") == "media":
                    self._answer_with(200, content, "application/octet-stream")
                else:
                    self._answer(200, described)
                return
        self._refuse(404, f"No such object: {self._bucket}/{self._name}#{generation}")

    def _list(self, bucket: str) -> None:
        first = self._query.get("pageToken") or self._query.get("startOffset", "")
        most = int(self._query.get("maxResults", 1_000))
        files, _ = self.storage.get_file_list(bucket)
        if self._query.get("versions", "").lower() == "true":
            kept = (
                it for (owner, _), its in self._versions.items() if owner == bucket for it in its
            )
            files = [*files, *(described for described, _ in kept)]
        found = sorted((it for it in files if it["name"] >= first), key=lambda it: it["name"])
        answer = {"kind": "storage#objects", "items": found[:most]}
        if len(found) > most:
            answer["nextPageToken"] = found[most]["name"]
        self._answer(200, answer)


def _forward(before: str, after: str | None) -> bool:
    return after is not None and datetime.fromisoformat(before) <= datetime.fromisoformat(after)


def _server(port: int, folder: Path | None = None) -> ThreadingHTTPServer:
    kept = None if folder is None else str(folder.absolute())
    storage = Storage(use_memory_fs=kept is None, data_dir=kept)
    return ThreadingHTTPServer((HOST, port), partial(_Strict, storage))


@contextmanager
def cloud_storage(port: int) -> Iterator[str]:
    """Yield `host:port` of an empty emulator that runs in this process."""
    server = _server(port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"{HOST}:{port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description="Cloud Storage's JSON API, in memory")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--folder", type=Path, help="keep the objects here")
    asked = parser.parse_args()
    _server(asked.port, asked.folder).serve_forever()


if __name__ == "__main__":
    main()
