"""A stand-in for Secret Manager, which has no emulator. It serves the REST API (v1) from memory.

The real client calls it::

    transport = SecretManagerServiceRestTransport(
        host=host, url_scheme="http", credentials=AnonymousCredentials()
    )
    client = SecretManagerServiceClient(transport=transport)

Run it with ``python -m infra.local.secret_manager --port N``, or in a test with
``with secret_manager() as host``. It lacks regional secrets, IAM, rotation, aliases and expiry.
"""

import argparse
import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from json import JSONDecodeError
from pathlib import Path

from aiohttp import web

from infra.local.ports import HOST, free_ports
from infra.local.secret_model import ApiError, Json, invalid
from infra.local.secret_store import SecretStore

_SECRETS = "/v1/projects/{project}/secrets"
_SECRET = _SECRETS + "/{secret:[^/:]+}"
_VERSION = _SECRET + "/versions/{version:[^/:]+}"
_STATES = {"enable": "ENABLED", "disable": "DISABLED", "destroy": "DESTROYED"}


class _Api:
    """The routes. Each reads the path, the query and the body, and calls the store."""

    def __init__(self, store: SecretStore) -> None:
        self._store = store

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/", self.health),
            web.post(_SECRETS, self.create),
            web.get(_SECRETS, self.list),
            web.get(_SECRET, self.get),
            web.patch(_SECRET, self.patch),
            web.delete(_SECRET, self.delete),
            web.post(_SECRET + ":addVersion", self.add_version),
            web.get(_SECRET + "/versions", self.versions),
            web.get(_VERSION, self.get_version),
            web.get(_VERSION + ":access", self.access),
            web.post(_VERSION + ":{verb:enable|disable|destroy}", self.change_state),
        ]

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(text="Ok\n")

    async def create(self, request: web.Request) -> web.Response:
        secret_id = request.query.get("secretId", "")
        project = request.match_info["project"]
        return web.json_response(self._store.create(project, secret_id, await _body(request)))

    async def list(self, request: web.Request) -> web.Response:
        terms = request.query.get("filter", "")
        project = request.match_info["project"]
        return web.json_response(self._store.list(project, terms, *_paging(request)))

    async def get(self, request: web.Request) -> web.Response:
        return web.json_response(self._store.get(*_path(request)))

    async def patch(self, request: web.Request) -> web.Response:
        mask = request.query.get("updateMask", "")
        return web.json_response(self._store.patch(*_path(request), await _body(request), mask))

    async def delete(self, request: web.Request) -> web.Response:
        etag = request.query.get("etag", "")
        return web.json_response(self._store.delete(*_path(request), etag))

    async def add_version(self, request: web.Request) -> web.Response:
        return web.json_response(self._store.add_version(*_path(request), await _body(request)))

    async def versions(self, request: web.Request) -> web.Response:
        return web.json_response(self._store.versions(*_path(request), *_paging(request)))

    async def get_version(self, request: web.Request) -> web.Response:
        version = request.match_info["version"]
        return web.json_response(self._store.get_version(*_path(request), version))

    async def access(self, request: web.Request) -> web.Response:
        version = request.match_info["version"]
        return web.json_response(self._store.access(*_path(request), version))

    async def change_state(self, request: web.Request) -> web.Response:
        version, state = request.match_info["version"], _STATES[request.match_info["verb"]]
        return web.json_response(self._store.change_state(*_path(request), version, state))


def _path(request: web.Request) -> tuple[str, str]:
    return request.match_info["project"], request.match_info["secret"]


def _paging(request: web.Request) -> tuple[int, str]:
    try:
        return int(request.query.get("pageSize", "0")), request.query.get("pageToken", "")
    except ValueError as error:
        message = "The page size is not a number."
        raise invalid(message) from error


async def _body(request: web.Request) -> Json:
    try:
        body = await request.json()
    except (JSONDecodeError, UnicodeDecodeError) as error:
        message = "The body is not JSON."
        raise invalid(message) from error
    if not isinstance(body, dict):
        message = "The body is not a JSON object."
        raise invalid(message)
    return body


@web.middleware
async def _errors(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    try:
        return await handler(request)
    except ApiError as error:
        return web.json_response(error.body, status=error.code)
    except web.HTTPException as error:  # an unknown path or verb
        body = {"code": error.status, "message": f"{request.method} {request.path}: {error.reason}"}
        return web.json_response({"error": body | {"status": "NOT_FOUND"}}, status=error.status)


def application(store: SecretStore) -> web.Application:
    """Build the server for a store."""
    app = web.Application(middlewares=[_errors])
    app.add_routes(_Api(store).routes())
    return app


async def _serve(port: int, stop: asyncio.Event, ready: Callable[[], object]) -> None:
    runner = web.AppRunner(application(SecretStore()), shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, HOST, port).start()
    ready()
    await stop.wait()
    await runner.cleanup()


@contextmanager
def secret_manager() -> Iterator[str]:
    """Yield `host:port` of an empty stand-in that runs in this process."""
    [port] = free_ports(1)
    loop, stop, ready = asyncio.new_event_loop(), asyncio.Event(), threading.Event()
    serve = _serve(port, stop, ready.set)
    thread = threading.Thread(target=loop.run_until_complete, args=(serve,), daemon=True)
    thread.start()
    try:
        ready.wait()
        yield f"{HOST}:{port}"
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


def main() -> None:
    """Serve until the process is told to end."""
    parser = argparse.ArgumentParser(description="Secret Manager's REST API, in memory")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, help="keep the secrets here")
    asked = parser.parse_args()
    web.run_app(application(SecretStore(file=asked.file)), host=HOST, port=asked.port, print=None)


if __name__ == "__main__":
    main()
