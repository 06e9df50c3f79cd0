"""`smartlink audit`: what operators did."""

from collections.abc import Mapping
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.screen import Screen
from infra.cli.session import session_of
from infra.cli.zone import instant
from smartlink.i18n import Text, _, joined
from smartlink.operations.acts import words_of
from smartlink.operations.audit import LOOKED_AT, AuditFilter, AuditLook, Deed, look
from smartlink.operations.names import existing_tenant
from smartlink.operations.views import deed_view


def audit(
    context: typer.Context,
    *,
    tenant: opt.Tenant = None,
    who: Annotated[str | None, typer.Option(help="The name contains this text (any case).")] = None,
    act: Annotated[str | None, typer.Option(help="Such as redrive, enable, config.")] = None,
    newer: Annotated[str | None, typer.Option(help="Done within this time: 90m, 7d.")] = None,
    limit: opt.Limit = 50,
    every: Annotated[bool, typer.Option("--all", help="Look at all records there are.")] = False,
) -> None:
    """Show what operators did, the newest first: who, what, why, and what came of it.

    Each act is recorded as an intent before it begins, and as a result after it. What has no
    result is under way, or was cut off. On a local stack the name is what the machine claims.
    """
    session = session_of(context)
    if tenant is not None:
        existing_tenant(session.deployment, tenant)
    wanted = AuditFilter(tenant=tenant, who=who, act=act, newer=opt.age(newer))
    found = look(session.deployment, wanted, limit, None if every else LOOKED_AT)
    if session.screen.as_json:
        session.screen.json([deed_view(it) for it in found.deeds])
    else:
        _show(session.screen, found)
    if found.more:
        session.screen.note(
            _("There are more than {limit}: narrow it, or raise --limit.", limit=limit)
        )
    if found.cut is not None:
        text = _(
            "Looked at {most} records, back to {cut}; older ones were not looked at: --all",
            most=LOOKED_AT,
            cut=instant(found.cut),
        )
        session.screen.note(text, "yellow")


def _show(screen: Screen, found: AuditLook) -> None:
    if not found.deeds:
        screen.say(_("No record fits."))
    for deed in found.deeds:
        intent, result = deed.intent, deed.result
        claim = "" if intent.verified else _(" (claimed, not verified)")
        screen.whole(
            joined("", (instant(intent.at), " ", words_of(intent.act), ": ", intent.target)),
            _style(deed),
        )
        screen.facts(
            (
                (_indented(_("by")), joined("", (intent.who, claim))),
                (_indented(_("why")), intent.reason or _("(no reason given)")),
                (_indented(_("count")), intent.count if result is None else result.count),
                (_indented(_("before")), _facts(intent.before)),
                (_indented(_("after")), _facts(result.after) if result else None),
                (
                    _indented(_("result")),
                    result.outcome if result else _("none: under way, or cut off"),
                ),
            )
        )


def _indented(name: Text) -> Text:
    return joined("", ("    ", name))


def _style(deed: Deed) -> str | None:
    if deed.result is None:
        return "yellow"
    return "red" if (deed.result.outcome or "").startswith("failed") else None


def _facts(facts: Mapping[str, str]) -> str | None:
    return ", ".join(f"{name} {text}" for name, text in facts.items()) or None
