"""The controller's report as a document in Portuguese: `--json` writes it, the page shows it."""

from collections import Counter
from datetime import datetime

from smartlink.operations.tpd_report import COMMANDS, Result, TpdReport, TpdRequest
from smartlink.operations.views import Json, iso

TITLE = "Relatório de atendimento a titulares de dados (TPD)"
KINDS = {
    "SGDPDataCommand": "Acesso aos dados",
    "SGDPMaskCommand": "Anonimização",
    "SGDPLogsCommand": "Registro de acessos",
}
_COPIES_ELSEWHERE = (
    "As cópias que o próprio ERP e o TPD mantêm (backups, réplicas, exportações) não são "
    "conhecidas por este relatório."
)
_ACCESS_LOG = (
    "O prazo de guarda do registro de acessos (accessLogDays) está no segredo do ERP, que este "
    "relatório não lê."
)
LIMIT_DAYS = 15  # LGPD, art. 19, II: a declaração completa


def report_view(report: TpdReport) -> Json:
    """Write the report; nothing in it is a person's."""
    until = report.copied_until()
    return {
        "titulo": TITLE,
        "inquilino": report.tenant,
        "implantacao": report.title,
        "periodo": {"de": iso(report.since), "ate": iso(report.until)},
        "geradoEm": iso(report.made),
        "resumo": [_summary(report, command) for command in COMMANDS],
        "pedidos": [_request(report.made, it) for it in report.requests],
        "mantido": [
            {"motivo": reason, "colunas": sorted(columns), "pedidos": number}
            for reason, (columns, number) in sorted(report.kept().items())
        ],
        "copias": {
            "configuracaoConfirmada": report.confirmed,
            "itens": [
                {
                    "onde": str(copy),
                    "dias": days,
                    "ate": until[copy].isoformat() if copy in until else None,
                }
                for copy, days in report.copies.days.items()
            ],
        },
        "guarda": {"historicoEmDias": report.history_days},
        "lacunas": _gaps(report),
    }


def _summary(report: TpdReport, command: str) -> Json:
    own = [it for it in report.requests if it.message.type == command]
    results = Counter(it.result for it in own)
    late = [it for it in own if _days(report.made, it) > LIMIT_DAYS]
    return {
        "comando": command,
        "pedido": KINDS[command],
        "total": len(own),
        "simulacoes": sum(it.dry_run for it in own),
        "resultados": {str(result): results[result] for result in Result},
        "acimaDe15Dias": len(late),
    }


def _days(made: datetime, request: TpdRequest) -> int:
    """Days until the answer; of what has none yet, until the report."""
    return request.days if request.days is not None else (made - request.message.received).days


def _request(made: datetime, request: TpdRequest) -> Json:
    message = request.message
    return {
        "id": message.id,
        "comando": message.type,
        "pedido": KINDS[message.type],
        "simulacao": request.dry_run,
        "recebidoEm": iso(message.received),
        "situacao": str(request.state),
        "resultado": str(request.result),
        "motivoMorte": message.dead_reason.value if message.dead_reason else None,
        "tentativas": message.attempt,
        "encerradoEm": iso(request.ended),
        "respostas": request.replies,
        "respondidoEm": iso(request.sent),
        "dias": _days(made, request),
        "linhas": request.rows,
        "mantido": [
            {"motivo": reason, "colunas": columns} for reason, columns in request.kept.items()
        ],
        "titularIdentificavel": bool(message.titular),
    }


def _gaps(report: TpdReport) -> list[str]:
    """What the report does not know."""
    gaps = [_COPIES_ELSEWHERE, _ACCESS_LOG]
    if (report.made - report.since).days >= report.history_days:
        gaps.append(
            f"O histórico é guardado por {report.history_days} dias: pedidos encerrados antes "
            f"disso já foram apagados e não aparecem aqui."
        )
    if report.cut:
        gaps.append("O histórico tem mais registros do que foram lidos: escolha um período menor.")
    if report.odd:
        gaps.append(
            f"{report.odd} documentos não puderam ser lidos; podem ser pedidos "
            f"(smartlink messages list mostra quais)."
        )
    if not report.confirmed:
        gaps.append(
            "Os prazos das cópias e do histórico são os desta máquina: os das funções implantadas "
            "não puderam ser lidos."
        )
    untold = sum(it.result is Result.ANSWERED and it.rows is None for it in report.requests)
    if untold:
        gaps.append(
            f"De {untold} pedidos respondidos não há registro do que foi tratado (linhas de log "
            f"descartadas, ou uma versão anterior)."
        )
    unnamed = sum(not it.message.titular for it in report.requests)
    if unnamed:
        gaps.append(
            f"{unnamed} pedidos não podem ser encontrados pelo identificador do titular: não "
            f"foram executados ainda, ou o segredo smartlink-titular-{report.tenant} não existia."
        )
    return gaps
