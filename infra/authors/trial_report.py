"""Reports the result of a trial to people."""

from collections.abc import Iterator

from infra.authors.trial import Json, Tried

_KINDS = ("INFO", "WARNING", "ERROR")  # LOGTYPE 0, 1, 2
_FIELDS = ("Situacao", "QtdeTentativaExec", "DataTentativaExec", "ConteudoTamanho")


def report(tried: Tried) -> Iterator[str]:
    """Yield lines with the outcome, the log lines, the replies and the stored documents."""
    yield f"Outcome  {_outcome(tried)}"
    yield from _block("Log lines", [_line(it) for it in tried.logs])
    yield from _block("Replies", [_reply(it) for it in tried.replies])
    yield from _block("Stored, before the reply was sent", [_document(*it) for it in tried.stored])


def _outcome(tried: Tried) -> str:
    message, seconds = tried.message, f"in {tried.seconds:.2f} s"
    error = message.get("UltimoErro") or "no error"
    match message.get("Situacao"):
        case "Concluida":
            return f"Done {seconds}"
        case "Aguardando":
            return f"Failed {seconds}; it waits for attempt 2 (Aguardando): {error}"
        case "Morta":
            return f"Dead {seconds} (Morta, {message.get('MotivoMorte')}): {error}"
        case state:
            return f"Not finished {seconds} ({state}): {error}"


def _line(log: Json) -> str:
    debug = str(log.get("DATADEBUG") or "").rstrip()
    more = f"\n{debug}".replace("\n", "\n    ") if debug else ""
    return f"{_KINDS[int(log['LOGTYPE'])]}: {log['LOGMENSAGEM']}{more}"


def _document(collection: str, document: Json) -> str:
    fields = ", ".join(f"{name} {document[name]}" for name in _FIELDS if name in document)
    return f"{collection}: {document['Direcao']} {document['Comando']}, {fields}"


def _reply(reply: Json) -> str:
    return f"{reply['type']} to {reply['audience'] or '(anyone)'}: {reply['content']}"


def _block(title: str, lines: list[str]) -> Iterator[str]:
    yield f"{title}  {'' if lines else 'none'}".rstrip()
    for line in lines:
        yield f"  {line}"
