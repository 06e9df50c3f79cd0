"""The controller's report as a page of HTML that needs nothing else."""

from collections.abc import Iterable, Sequence
from html import escape

from smartlink.operations.views import Json

_STYLE = (
    "body{font-family:sans-serif;max-width:72em;margin:2em auto;padding:0 1em}"
    "table{border-collapse:collapse;width:100%}"
    "td,th{text-align:left;padding:.3em .8em .3em 0;vertical-align:top;"
    "border-bottom:1px solid #ccc}th{border-bottom:2px solid #888}"
)
_NONE = "-"


def page(report: Json) -> str:
    """Draw the document of `report_view`."""
    period = report["periodo"]
    results = list(report["resumo"][0]["resultados"])
    about = (
        f"Inquilino {report['inquilino']}, {report['implantacao']}.",
        f"Pedidos recebidos de {period['de']} até antes de {period['ate']} (UTC).",
        f"Gerado em {report['geradoEm']}. Este relatório não contém dados pessoais.",
    )
    days = report["guarda"]["historicoEmDias"]
    kept = (
        f"O histórico dos pedidos, sem o conteúdo, é guardado por {days} dias.",
        "Pedidos em andamento ainda geram cópias: os prazos começam quando terminarem.",
    )
    parts = [
        f"<h1>{_text(report['titulo'])}</h1>",
        f"<p>{'<br>'.join(map(_text, about))}</p>",
        "<h2>Resumo</h2>",
        _table(
            ("Pedido", "Total", "Simulações", *map(str.capitalize, results), "Acima de 15 dias"),
            (
                (
                    it["pedido"],
                    it["total"],
                    it["simulacoes"],
                    *(it["resultados"][result] for result in results),
                    it["acimaDe15Dias"],
                )
                for it in report["resumo"]
            ),
        ),
        "<h2>Pedidos e respostas</h2>",
        _table(
            ("Mensagem", "Pedido", "Recebido", "Resultado", "Respondido", "Dias", "Linhas"),
            map(_row, report["pedidos"]),
        ),
        "<h2>O que foi mantido, e por quê</h2>",
        _table(
            ("Motivo", "Colunas", "Pedidos"),
            (
                (it["motivo"], ", ".join(it["colunas"]) or _NONE, it["pedidos"])
                for it in report["mantido"]
            ),
        ),
        "<h2>Até quando existem cópias das mensagens</h2>",
        _table(
            ("Onde", "Dias depois do fim", "Até"),
            ((it["onde"], it["dias"], it["ate"]) for it in report["copias"]["itens"]),
        ),
        f"<p>{'<br>'.join(map(_text, kept))}</p>",
        "<h2>O que este relatório não sabe</h2>",
        f"<ul>{''.join(f'<li>{_text(it)}</li>' for it in report['lacunas'])}</ul>",
    ]
    return (
        f'<!doctype html><html lang="pt-BR"><meta charset="utf-8">'
        f"<title>{_text(report['titulo'])}</title><style>{_STYLE}</style>"
        f"{''.join(parts)}</html>\n"
    )


def _row(request: Json) -> tuple[object, ...]:
    kind = f"{request['pedido']} (simulação)" if request["simulacao"] else request["pedido"]
    reason = f" ({request['motivoMorte']})" if request["motivoMorte"] else ""
    return (
        request["id"],
        kind,
        request["recebidoEm"],
        f"{request['resultado']}{reason}",
        request["respondidoEm"],
        request["dias"],
        request["linhas"],
    )


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    drawn = [f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows]
    if not drawn:
        return "<p>Nada.</p>"
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    return f"<table><tr>{head}</tr>{''.join(drawn)}</table>"


def _text(value: object) -> str:
    return _NONE if value is None else escape(str(value))
