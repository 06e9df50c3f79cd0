"""`smartlink publish`: publishes a message for a cloud app; on the local stack also one from it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import ForbiddenError, UsageError
from infra.cli.offering import Offer, offered
from infra.cli.session import Session, session_of
from smartlink import bootstrap
from smartlink.services.publishing.publish import PublishError, parse_request


def publish(
    context: typer.Context,
    tenant: opt.OneTenant,
    message_type: Annotated[str, typer.Argument(metavar="TYPE", help="The type to send under.")],
    *,
    file: Annotated[
        str, typer.Option("--from-file", help="The content, as it is; - is stdin.")
    ] = "-",
    audience: Annotated[str | None, typer.Option(help="Who gets it, such as ANTECIPA.")] = None,
    identity: Annotated[
        str | None, typer.Option("--id", help="The same id and content again changes nothing.")
    ] = None,
    correlation: Annotated[
        str | None, typer.Option("--correlation-id", help="The message that it answers.")
    ] = None,
    downstream: Annotated[
        bool,
        typer.Option("--downstream", help="From the cloud app to the ERP (local stack only)."),
    ] = False,
) -> None:
    """Publish one Upstream message, as the function `publish` does; the next poll sends it.

    With --downstream the local stack's simulator offers it, as the cloud app would.
    """
    session = session_of(context)
    if downstream:
        if correlation is not None:
            message = "--correlation-id is for Upstream: a Downstream message has it in its content"
            raise UsageError(message)
        offer = Offer(tenant, message_type, _content(file), audience, identity)
        _offer(session, offer)
        return
    screen = session.screen
    request = {"tenant": tenant, "type": message_type, "content": _content(file)}
    more = {"audience": audience, "id": identity, "correlationId": correlation}
    request |= {name: value for name, value in more.items() if value is not None}
    session.begin_relay()
    try:
        published = bootstrap.publish()(parse_request(json.dumps(request).encode()))
    except PublishError as error:
        message = f"{error.field}: {error}"
        raise (ForbiddenError if error.conflict else UsageError)(message) from None
    if screen.as_json:
        screen.json({"id": published.id, "repeated": published.repeated})
        return
    again = " It had been accepted before: nothing was changed." if published.repeated else ""
    screen.say(f"Accepted as {published.id}.{again}")


def _offer(session: Session, offer: Offer) -> None:
    identity = offered(session.target, offer)
    if session.screen.as_json:
        session.screen.json({"id": identity})
        return
    poll = session.target.functions.get("poll")
    at_once = f" (at once: curl -s -X POST {poll})" if poll else ""
    session.screen.say(f"Offered as {identity}. The next poll fetches it{at_once}.")
    session.screen.say(f"Follow it: smartlink messages show {identity} --tenant {offer.tenant}")


def _content(file: str) -> str:
    try:
        data = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return data.decode()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = f"{file} is not UTF-8"
        raise UsageError(message) from None
