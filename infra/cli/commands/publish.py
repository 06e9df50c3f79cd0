"""`smartlink publish`: publishes a message for a cloud app; on the local stack also one from it."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import ForbiddenError, UsageError, os_words
from infra.cli.offering import Offer, offered
from infra.cli.screen import Screen
from infra.cli.session import Session, session_of
from smartlink import bootstrap
from smartlink.domain.identity import content_hash
from smartlink.domain.json_bytes import unmarked
from smartlink.i18n import _
from smartlink.operations.acts import Act
from smartlink.operations.names import existing_tenant
from smartlink.services.publishing.publish import PublishError, parse_request


def publish(
    context: typer.Context,
    tenant: opt.OneTenant,
    message_type: Annotated[str, typer.Argument(metavar="TYPE", help="The type to send under.")],
    *,
    file: Annotated[
        str | None,
        typer.Option("--from-file", help="The content, as it is; - is stdin, also without it."),
    ] = None,
    audience: Annotated[str | None, typer.Option(help="Who gets it, such as ANTECIPA.")] = None,
    identity: Annotated[
        str | None, typer.Option("--id", help="The same id and content again changes nothing.")
    ] = None,
    correlation: Annotated[
        str | None, typer.Option("--correlation-id", help="The message that it answers.")
    ] = None,
    empty: Annotated[
        bool, typer.Option("--empty", help="Publish it though its content is empty, or blank.")
    ] = False,
    reason: opt.Why = None,
    downstream: Annotated[
        bool,
        typer.Option("--downstream", help="From the cloud app to the ERP (local stack only)."),
    ] = False,
) -> None:
    """Publish one Upstream message, as the function `publish` does; the next poll sends it.

    With --downstream the local stack's simulator offers it, as the cloud app would.
    """
    session = session_of(context)
    existing_tenant(session.deployment, tenant)
    if downstream:
        if correlation is not None:
            message = _(
                "--correlation-id is for Upstream: a Downstream message has it in its content"
            )
            raise UsageError(message)
        content = _content(session.screen, file, empty=empty)
        offer = Offer(tenant, message_type, content, audience, identity)
        _offer(session, offer)
        return
    screen = session.screen
    content = _content(screen, file, empty=empty)
    request = {"tenant": tenant, "type": message_type, "content": content}
    more = {"audience": audience, "id": identity, "correlationId": correlation}
    request |= {name: value for name, value in more.items() if value is not None}
    session.begin_relay()
    try:
        parsed = parse_request(json.dumps(request).encode())
        with session.recorded(
            Act.PUBLISH, target=message_type, tenant=tenant, reason=reason, count=1
        ) as record:
            published = bootstrap.publish()(parsed)
            record.outcome = "repeated" if published.repeated else "accepted"
            record.after = {"id": published.id, "sha256": content_hash(content)}
    except PublishError as error:
        message = _("{field}: {error}", field=error.field, error=error)
        raise (ForbiddenError if error.conflict else UsageError)(message) from None
    if screen.as_json:
        screen.json({"id": published.id, "repeated": published.repeated})
        return
    again = _(" It had been accepted before: nothing was changed.") if published.repeated else ""
    screen.whole(_("Accepted as {id}.{again}", id=published.id, again=again))


def _offer(session: Session, offer: Offer) -> None:
    identity = offered(session.target, offer)
    if session.screen.as_json:
        session.screen.json({"id": identity})
        return
    poll = session.target.functions.get("poll")
    at_once = _(" (at once: curl -s -X POST {poll})", poll=poll) if poll else ""
    session.screen.whole(
        _(
            "Offered as {identity}. The next poll fetches it{at_once}.",
            identity=identity,
            at_once=at_once,
        )
    )
    follow = f"smartlink messages show {identity} --tenant {offer.tenant}"
    session.screen.whole(_("Follow it: {follow}", follow=follow))


def _content(screen: Screen, file: str | None, *, empty: bool) -> str:
    """The content, from the file or stdin. Raises UsageError where it is blank and may not be."""
    name = "stdin" if file in {None, "-"} else str(file)
    if name == "stdin" and (file is None or sys.stdin.isatty()):
        end = _(", which ends with Ctrl-D") if sys.stdin.isatty() else ""
        screen.note(_("Reading the content from stdin{end} (--from-file reads a file) …", end=end))
    try:
        data = sys.stdin.buffer.read() if name == "stdin" else Path(name).read_bytes()
        text = unmarked(data).decode()
    except OSError as error:
        message = _("{name} cannot be read: {problem}", name=name, problem=os_words(error))
        raise UsageError(message) from None
    except UnicodeDecodeError:
        message = _("{name} is not UTF-8", name=name)
        raise UsageError(message) from None
    if not empty and not text.strip("\ufeff \t\r\n"):
        message = _(
            "the content is empty or blank: {name} holds nothing. Give it with --from-file FILE "
            "or on stdin; --empty publishes it all the same",
            name=name,
        )
        raise UsageError(message)
    return text
