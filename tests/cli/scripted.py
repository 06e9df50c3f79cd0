"""Servers that refuse everything: over HTTP as Google's REST APIs do, and over gRPC."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import grpc

_FORBIDDEN = {"error": {"code": 403, "message": "Permission denied", "status": "PERMISSION_DENIED"}}


class _Forbidding(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = json.dumps(_FORBIDDEN).encode()
        self.send_response(403)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815  (the base class says the name)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def forbidding_http() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Forbidding) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


class _Refusal(grpc.GenericRpcHandler):  # type: ignore[misc]
    def service(self, _call: object) -> object:
        def refuse(_request: bytes, context: grpc.ServicerContext) -> None:
            context.abort(grpc.StatusCode.PERMISSION_DENIED, "Missing or insufficient permissions.")

        return grpc.unary_unary_rpc_method_handler(refuse)


@contextmanager
def forbidding_grpc() -> Iterator[str]:
    server = grpc.server(ThreadPoolExecutor(2))
    server.add_generic_rpc_handlers((_Refusal(),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)
