"""`smartlink tpd report`: what the controller is told of TPD's requests, in Portuguese."""

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Annotated

import typer

from infra.cli.errors import UsageError, os_words
from infra.cli.report_page import page
from infra.cli.screen import Screen, folds, numbers
from infra.cli.session import session_of
from smartlink.i18n import _, data
from smartlink.operations.tpd_report import gather_report
from smartlink.operations.tpd_report_view import report_view
from smartlink.operations.views import Json


def report(
    context: typer.Context,
    *,
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Whose requests.")],
    first: Annotated[str, typer.Option("--from", help="First day (UTC): 2026-01-01.")],
    last: Annotated[str, typer.Option("--to", help="Last day (UTC), and all of it.")],
    html: Annotated[
        Path | None, typer.Option("--html", help="Write the report as a page to this file.")
    ] = None,
) -> None:
    """Report TPD's requests to the controller: answers, what was kept and why, copies.

    In Portuguese, without personal data: as a page (--html FILE), as JSON (--json), or in short.
    """
    session = session_of(context)
    since, until = _day("--from", first), _day("--to", last) + timedelta(days=1)
    if since >= until:
        message = _("--from is after --to")
        raise UsageError(message)
    view = report_view(gather_report(session.deployment, tenant, since, until))
    if html is not None:
        try:
            html.write_text(page(view), encoding="utf-8")
        except OSError as error:
            message = _("{path} cannot be written: {problem}", path=html, problem=os_words(error))
            raise UsageError(message) from None
    if session.screen.as_json:
        session.screen.json(view)
    else:
        _show(session.screen, view)


def _day(option: str, text: str) -> datetime:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        message = _("{option} {text!r} is no day: write it as 2026-01-31", option=option, text=text)
        raise UsageError(message) from None
    if day == date.max:
        message = _("{option} {text!r} is the end of all days", option=option, text=text)
        raise UsageError(message)
    return datetime.combine(day, time(), UTC)


def _show(screen: Screen, view: Json) -> None:
    # The report is in Portuguese, whoever runs it: the controller reads it.
    screen.say(data(view["titulo"]), "bold")
    screen.facts(
        (
            (data("Inquilino"), view["inquilino"]),
            (data("Período (UTC)"), f"{view['periodo']['de']} a {view['periodo']['ate']}"),
            (data("Histórico"), f"{view['guarda']['historicoEmDias']} dias"),
        )
    )
    rows = (
        (it["pedido"], it["total"], it["resultados"]["respondido"], it["acimaDe15Dias"])
        for it in view["resumo"]
    )
    heads = [numbers(data(it)) for it in ("Total", "Respondidos", ">15 dias")]
    screen.table((folds(data("Pedido")), *heads), rows)
    kept = ((it["motivo"], len(it["colunas"]), it["pedidos"]) for it in view["mantido"])
    if view["mantido"]:
        heads = [numbers(data(it)) for it in ("Colunas", "Pedidos")]
        screen.table((folds(data("Motivo")), *heads), kept, data("Mantido"))
    copies = ((it["onde"], it["dias"], it["ate"]) for it in view["copias"]["itens"])
    columns = (folds(data("Onde")), numbers(data("Dias")), data("Até"))
    screen.table(columns, copies, data("Cópias das mensagens"))
    for gap in view["lacunas"]:
        screen.say(data(f"· {gap}"))
