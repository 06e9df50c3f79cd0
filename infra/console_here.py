"""The console on this machine: loopback only, opened by a one-time token."""

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from console.app import make_app
from console.gates import LocalGate
from infra.cli.erp_check import check_erp
from smartlink.operations.ports import Deployment

HOST = "127.0.0.1"


def console_here(
    deployment: Deployment, port: int, handler: type[WSGIRequestHandler] = WSGIRequestHandler
) -> tuple[BaseWSGIServer, str]:
    """Makes the server, and the address that lets one browser in.

    Raises OSError where the port is taken, and Refused without credentials.
    """
    gate = LocalGate(deployment.operator, "")
    app = make_app(deployment, gate, check_erp=check_erp)
    server = make_server(HOST, port, app, threaded=True, request_handler=handler)
    gate.host = f"{HOST}:{server.port}"
    return server, gate.address
