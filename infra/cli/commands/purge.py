"""`smartlink purge`: deletes old history and logs, as RM's cleaning screen does."""

from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import StoppedError
from infra.cli.interrupt import interrupted
from infra.cli.screen import numbers
from infra.cli.session import session_of
from smartlink.i18n import _
from smartlink.operations.acts import Act
from smartlink.operations.purge import older, remove
from smartlink.operations.views import iso


def purge(
    context: typer.Context,
    *,
    keep_days: Annotated[int, typer.Option(min=1, help="Days to keep.")],
    tenant: opt.Tenant = None,
    most: Annotated[
        int, typer.Option("--max", min=1, help="Remove so many documents at most, in this run.")
    ] = 10_000,
    reason: opt.Why = None,
    yes: opt.Yes = False,
) -> None:
    """Remove old history (GTotvsLinkMessageExec) and logs (GTotvsLinkLog), the oldest first.

    Without --yes it is a dry run. The TTL does the same after the retention. Live messages stay.
    """
    session = session_of(context)
    deployment, screen = session.deployment, session.screen
    found = older(deployment, tenant, keep_days)
    total, removed, stopped = found.total, 0, False
    if yes:
        which = f"--tenant {tenant}" if tenant else "every tenant"
        target = f"{which}, before {iso(found.cutoff)}"
        with (
            session.recorded(
                Act.PURGE,
                target=target,
                tenant=tenant,
                reason=reason,
                count=min(total, most),
                before={"older": total},
            ) as record,
            interrupted() as stop,
            screen.progress() as bar,
        ):
            task = bar.add_task("purge", total=min(total, most))
            removed = remove(deployment, found, most, stop, lambda n: bar.advance(task, n))
            stopped = stop.is_set()
            record.count = removed
            record.outcome = f"{'stopped: ' if stopped else ''}{removed} removed"
    if screen.as_json:
        rows = [
            {"tenant": it.tenant, "collection": it.collection, "found": it.documents}
            for it in found.found
        ]
        screen.json({"dryRun": not yes, "found": rows, "total": total, "removed": removed})
    else:
        screen.table(
            (_("Tenant"), _("Collection"), numbers(_("Older"))),
            ((it.tenant, it.collection, it.documents) for it in found.found if it.documents),
        )
        if yes:
            screen.say(_("{removed} of {total} documents removed.", removed=removed, total=total))
        else:
            screen.say(
                _(
                    "Dry run, nothing was removed: {most} of {total} documents older than "
                    "{keep_days} days would be. Add --yes to do it.",
                    most=min(total, most),
                    total=total,
                    keep_days=keep_days,
                )
            )
    if stopped:
        message = _(
            "Stopped: {removed} of {total} removed; the same command again goes on.",
            removed=removed,
            total=total,
        )
        raise StoppedError(message)
