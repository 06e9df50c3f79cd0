"""`smartlink purge`: RM's cleaning screen, for the history and the logs."""

from datetime import timedelta
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.acting import interrupted
from infra.cli.adapters.messages import PAGE, PURGES
from infra.cli.errors import ForbiddenError, StoppedError
from infra.cli.selection import tenants_of
from infra.cli.session import session_of
from infra.cli.world import World


def purge(
    context: typer.Context,
    *,
    keep_days: Annotated[int, typer.Option(min=1, help="Days to keep.")],
    tenant: opt.Tenant = None,
    most: Annotated[
        int, typer.Option("--max", min=1, help="Remove so many documents at most, in this run.")
    ] = 10_000,
    yes: opt.Yes = False,
) -> None:
    """Remove old history (GTotvsLinkMessageExec) and logs (GTotvsLinkLog), the oldest first.

    Without --yes a dry run. The TTL does the same after the retention; live messages stay.
    """
    session = session_of(context)
    world, screen = session.world, session.screen
    _check_days(world, keep_days)
    cutoff = world.now() - timedelta(days=keep_days)
    found = [
        (name, shape, world.store.count_before(name, shape, cutoff))
        for name in tenants_of(world, tenant)
        for shape in PURGES
    ]
    total = sum(number for *_, number in found)
    removed, stopped = 0, False
    if yes:
        with interrupted() as stop, screen.progress() as bar:
            task = bar.add_task("purge", total=min(total, most))
            for name, shape, number in found:
                left = min(number, most - removed)
                while left > 0 and not stop.is_set():
                    done = world.store.remove_before(name, shape, cutoff, min(PAGE, left))
                    if not done:
                        break
                    removed, left = removed + done, left - done
                    bar.advance(task, done)
            stopped = stop.is_set()
    if screen.as_json:
        rows = [{"tenant": n, "collection": s.collection, "found": c} for n, s, c in found]
        screen.json({"dryRun": not yes, "found": rows, "total": total, "removed": removed})
    else:
        screen.table(
            ("Tenant", "Collection", "#Older"), ((n, s.collection, c) for n, s, c in found if c)
        )
        if yes:
            screen.say(f"{removed} of {total} documents removed.")
        else:
            screen.say(
                f"Dry run, nothing was removed: {min(total, most)} of {total} documents older "
                f"than {keep_days} days would be. Add --yes to do it."
            )
    if stopped:
        message = f"Stopped: {removed} of {total} removed; the same command again goes on."
        raise StoppedError(message)


def _check_days(world: World, days: int) -> None:
    """The history is how a repeated message is known: it outlives every retry and redrive."""
    policy = world.policy
    least = policy.horizon + timedelta(days=world.settings.redrive_days)
    if timedelta(days=days) < least:
        needed = -(-least // timedelta(days=1))
        message = (
            f"At least {needed} days must be kept (the retries' horizon and "
            f"{world.settings.redrive_days} days for a redrive): with less, a message that "
            f"comes again would be executed again."
        )
        raise ForbiddenError(message)
