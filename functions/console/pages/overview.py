"""Visão geral: is it working, and what needs a person?"""

from dataclasses import dataclass

from flask import Blueprint, render_template, url_for

from console.chart import bars
from console.here import here
from smartlink.domain.noted import NOTED_EVERY
from smartlink.i18n import Text, _, plural, span
from smartlink.operations.board import TROUBLED, Standing
from smartlink.operations.hours import Hours

pages = Blueprint("overview", __name__)
_HOLDERS = 3  # dead messages that are named
_LATE = 2  # ticks' notes that may be missing


@dataclass(frozen=True, slots=True)
class Need:
    """What a person should look at, and where."""

    tone: str
    text: Text
    link: str


@pages.get("/")
def show() -> str:
    """Draws the page."""
    now, scope = here().deployment.now(), here().scope()
    standing = here().board.standing(here().deployment, scope)
    hours = here().board.hours(here().deployment, scope)
    return render_template(
        "overview.html",
        standing=standing,
        hours=hours,
        chart=bars(hours.shown) if hours else None,
        missing=_missing(hours) if hours and hours.missing else None,
        needs=_needs(standing),
        late=standing.tick is None or now - standing.tick > _LATE * NOTED_EVERY,
    )


def _missing(hours: Hours) -> Text:
    return plural(
        "The hours since are not counted yet for {number} tenant: they show at least so much.",
        "The hours since are not counted yet for {number} tenants: they show at least so much.",
        hours.missing,
    )


def _needs(standing: Standing) -> list[Need]:
    now = here().deployment.now()
    found: list[Need] = []
    if standing.tick is None or now - standing.tick > _LATE * NOTED_EVERY:
        text = _("No poll has been noted lately: nothing is received or sent")
        if standing.tick is not None:
            text = _(
                "No poll for {time}: nothing is received or sent", time=span(now - standing.tick)
            )
        found.append(Need("bad", text, url_for("health.show")))
    problem = here().board.config_problem(here().deployment)
    if problem is not None:
        text = _("The configuration file cannot be used: {why}", why=problem)
        found.append(Need("bad", text, url_for("configuration.show")))
    if standing.dead:
        text = plural(
            "{number} message is dead: redrive or discard it",
            "{number} messages are dead: redrive or discard them by their causes",
            standing.dead,
        )
        found.append(Need("bad", text, url_for("causes.show")))
    return [*found, *_holders(standing), *_troubled(standing)]


def _holders(standing: Standing) -> list[Need]:
    found: list[Need] = []
    for it in standing.holding[:_HOLDERS]:
        message = it.message
        text = _(
            "{id} of {tenant} ({command}) is dead and holds back those after it: {others}",
            id=message.id or message.document,
            tenant=it.tenant,
            command=message.type,
            others=it.others,
        )
        link = url_for("message.show", tenant=it.tenant, document=message.document)
        found.append(Need("bad", text, link))
    if standing.more_holding or len(standing.holding) > _HOLDERS:
        text = _("More dead messages may hold others back: look at what waits for its turn")
        found.append(Need("bad", text, url_for("messages.show", blocked="yes")))
    return found


def _troubled(standing: Standing) -> list[Need]:
    now = here().deployment.now()
    found: list[Need] = []
    for tenant, state in standing.troubled[:TROUBLED]:
        link = url_for("tenants.one", tenant=tenant)
        if state.halted is not None:
            text = _("{tenant} is halted: its credentials are another customer's", tenant=tenant)
        elif state.orphaned:
            text = _("{tenant} has lost its secret, and its messages live", tenant=tenant)
        elif state.paused(now):
            why = state.last_error or "?"
            text = _("{tenant} is paused: {why}", tenant=tenant, why=why)
        else:
            why = state.last_error or "?"
            text = _("{tenant} fails: {why}", tenant=tenant, why=why)
        found.append(Need("bad" if state.halted else "warn", text, link))
    if len(standing.troubled) > TROUBLED:
        text = _("Further tenants need a person: look through the page Tenants")
        found.append(Need("warn", text, url_for("tenants.show")))
    return found
