"""`smartlink messages export` and `smartlink replay`: run a message on a developer's machine."""

import json
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import CliError, MissingError, UsageError, os_words
from infra.cli.session import Session, quiet_logs, session_of
from infra.cli.target import CHECKOUT
from smartlink import bootstrap
from smartlink.adapters.in_memory import InMemorySecrets
from smartlink.domain.identity import Direction
from smartlink.domain.outcome import Done
from smartlink.i18n import _, joined
from smartlink.operations.acts import Act
from smartlink.operations.errors import InvalidError
from smartlink.operations.export import Exported, content_of, document, parse
from smartlink.operations.select import locate
from smartlink.operations.trace import trace
from smartlink.ports import ErpSecrets, PortError
from smartlink.settings import SettingsError, load_settings
from smartlink.testing.replay import Replayed
from smartlink.testing.replay import replay as run_again

_AGAIN = _(
    "What {command} does in its ERP and elsewhere is really done, again if it was done before."
)
_HELD = _("It ends where it asks `once` for an effect: --effects does those too.")
_STOPPED = _(
    "It asked `once` for an effect, which may have been done before, so it ended "
    "there. With --effects the effect is done."
)


def export(
    context: typer.Context,
    identity: Annotated[str, typer.Argument(metavar="ID")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The JSON file to write.")],
    *,
    tenant: opt.Tenant = None,
    reason: opt.Why = None,
) -> None:
    """Write one message with its whole history as JSON: smartlink replay FILE runs it.

    The file holds the content, which may be personal data: only you can read the file.
    """
    session = session_of(context)
    deployment = session.deployment
    traced = trace(deployment, locate(deployment, identity, tenant))
    located = traced.located
    with session.recorded(
        Act.EXPORT,
        target=located.document,
        tenant=located.tenant,
        reason=reason,
        count=1,
    ) as record:
        record.outcome = "read"
    try:
        text = content_of(deployment, located.message)
    except PortError as error:
        session.screen.note(_("Without its content: {error}.", error=error), "yellow")
        text = None
    try:
        file.touch(mode=0o600)
        file.chmod(0o600)
        file.write_text(json.dumps(document(traced, text), indent=2), encoding="utf-8")
    except OSError as error:
        message = _("{file} cannot be written: {problem}", file=file, problem=os_words(error))
        raise UsageError(message) from None
    if session.screen.as_json:
        session.screen.json({"file": str(file), "content": text is not None})
    without = "" if text is not None else _(" Its content is not kept, so it cannot be replayed.")
    session.screen.say(_("{file} written.{without}", file=file, without=without))


def replay(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="From smartlink messages export.")],
    *,
    erp: Annotated[
        Path | None,
        typer.Option(help="The ERP's secret as a file (else the local stack's)."),
    ] = None,
    effects: Annotated[
        bool,
        typer.Option("--effects", help="Do the effects of `once` too, which may be done already."),
    ] = False,
) -> None:
    """Run an exported message through this checkout's consumer; nothing is stored or sent.

    The consumer really changes its ERP: give it a database of your own. It ends where it asks
    `once` for an effect, unless you say --effects.
    """
    session = session_of(context)
    quiet_logs()
    exported = _read(file)
    if exported.direction != Direction.DOWNSTREAM:
        message = _("{file} holds an Upstream message: no consumer runs those", file=file)
        raise UsageError(message)
    if exported.text is None:
        message = _(
            "{file} holds no content (a personal message that has ended): nothing to run.",
            file=file,
        )
        raise CliError(message)
    erps = _erp(session, exported.tenant, erp)
    _show(session, _run(session, exported, erps, effects=effects))


def _read(file: Path) -> Exported:
    try:
        return parse(file.read_bytes(), str(file))
    except OSError as error:
        message = _("{file} cannot be read: {problem}", file=file, problem=os_words(error))
        raise UsageError(message) from None


def _erp(session: Session, tenant: str, file: Path | None) -> ErpSecrets:
    """Return the ERP's secret from the file or the local stack, never from the cloud.

    A replay must not touch a tenant's real ERP.
    """
    if file is not None:
        try:
            return InMemorySecrets(erps={tenant: file.read_bytes()})
        except OSError as error:
            message = _("{file} cannot be read: {problem}", file=file, problem=os_words(error))
            raise UsageError(message) from None
    try:
        return session.deployment.secrets if session.target.local else InMemorySecrets()
    except (UsageError, InvalidError):
        return InMemorySecrets()


def _run(session: Session, exported: Exported, erp: ErpSecrets, *, effects: bool) -> Replayed:
    settings = load_settings(CHECKOUT)
    command = settings.catalog.commands.get(exported.command)
    if command is None:
        message = _("This checkout's catalogue has no command {command}.", command=exported.command)
        raise MissingError(message)
    try:
        consumer = bootstrap.load_consumer(exported.command, command.module)
    except SettingsError as error:
        message = _("{error}.", error=error)
        raise CliError(message) from None
    warning = [_AGAIN.filled(command=exported.command)] + [_HELD] * (not effects)
    session.screen.note(joined(" ", warning), "yellow")
    session.screen.note(_("Running {command} on {id} …", command=exported.command, id=exported.id))
    return run_again(
        exported, consumer, erp, bootstrap.now, effects=effects, secrets=command.secrets
    )


def _show(session: Session, replayed: Replayed) -> None:
    screen, delivered = session.screen, replayed.delivered
    done = isinstance(delivered.verdict, Done) and not replayed.stopped
    name, error = type(delivered.verdict).__name__, None if done else delivered.reason
    debug = delivered.debug
    if replayed.stopped:
        name, error, debug = "Stopped", _STOPPED, None
    if screen.as_json:
        screen.json(
            {
                "outcome": name,
                "error": error,
                "debug": debug,
                "logs": [it.text for it in delivered.lines],
                "replies": [
                    {"type": it.type, "audience": it.audience, "text": it.text}
                    for it in delivered.replies
                ],
            }
        )
    else:
        screen.facts(((_("Outcome"), name), (_("Error"), error)))
        for line in delivered.lines:
            screen.say(_("log: {text}", text=line.text))
        for it in delivered.replies:
            screen.say(
                _(
                    "reply: {type} to {audience}: {text}",
                    type=it.type,
                    audience=it.audience or _("(anyone)"),
                    text=it.text,
                )
            )
        if debug:
            screen.block(debug)
    if not done:
        message = _("The consumer did not do it: {name}: {error}", name=name, error=error)
        raise CliError(message)
