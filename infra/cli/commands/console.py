"""`smartlink console`: the operators' pages on this machine, with the operator's own rights."""

import logging
from typing import Annotated

import typer
from werkzeug.serving import WSGIRequestHandler

from infra.cli.errors import UsageError
from infra.cli.session import session_of
from infra.console_here import HOST, console_here
from smartlink.i18n import _, data
from smartlink.observability import JsonFormatter


def log_errors() -> None:
    """Writes to stderr what failed, as a page says that the console's log tells it."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    handler.setLevel(logging.ERROR)
    logging.getLogger().handlers[:] = [handler]


class _Quiet(WSGIRequestHandler):
    """Writes no line for each request: its address may name a person's message."""

    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002
        """See the base class."""


def console(
    context: typer.Context,
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="The port on this machine; 0: a free one.")
    ] = 0,
) -> None:
    """Open the console in a browser on this machine: pages for all that the commands do.

    It prints an address that lets one browser in, once, and serves this machine alone, until
    Ctrl-C. It acts with your own credentials, and what it does is on record as yours.
    """
    session = session_of(context)
    session.begin_relay()
    try:
        server, address = console_here(session.deployment, port, _Quiet)
    except OSError as error:
        message = _(
            "port {port} of {host} cannot be had: {why}",
            port=str(port),
            host=HOST,
            why=error.strerror,
        )
        raise UsageError(message) from None
    log_errors()
    if session.screen.as_json:
        session.screen.json({"address": address})
    else:
        session.screen.whole(data(address))
    session.screen.note(_("It lets one browser in, once. Ctrl-C ends the console."))
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        server.server_close()
