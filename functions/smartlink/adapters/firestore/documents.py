"""Maps between English names in Python and stored names in Firestore, which RM's people know.

It fills and reads raw protobuf messages, because the conversion of the usual client costs several
times as much as all the rest of a call. A value that is None or a rare default is not stored.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

from smartlink.adapters.firestore.values import (
    DocumentError,
    Raw,
    get_bytes,
    get_count,
    get_flag,
    get_list,
    get_map,
    get_one_of,
    get_optional_text,
    get_optional_time,
    get_text,
    get_texts,
    get_time,
    put_count,
    put_flag,
    put_optional_text,
    put_optional_time,
    put_text,
    put_time,
)
from smartlink.domain.bucket import bucket_of
from smartlink.domain.hourly import KEPT, HourFigures
from smartlink.domain.identity import Direction
from smartlink.domain.message import (
    Attempt,
    Claim,
    Content,
    DeadReason,
    Decided,
    Ended,
    EndedSummary,
    Ending,
    LogLine,
    LogType,
    Message,
    Past,
    Result,
    SendFailure,
    State,
    Step,
    Summary,
    Unreadable,
    Version,
)
from smartlink.domain.noted import Noted
from smartlink.domain.order import Intake, Order
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantState
from smartlink.domain.traceparent import valid_traceparent
from smartlink.ports import ConfigFile, ContentSweep

T = TypeVar("T")
TENANTS = "tenants"
LIVE = "GTotvsLinkMessage"
HISTORY = "GTotvsLinkMessageExec"
LOGS = "GTotvsLinkLog"
RELAY = "relay"
JOBS = "Tarefa"
JOB_DUE = "DataProximoPasso"
"""The instant from which a poll publishes a job again; absent: the job has ended."""
INTAKE = "GTotvsLinkOrdem"
HOURS = "GTotvsLinkHora"

STATE_FIELDS = (
    "Situacao",
    "QtdeTentativaExec",
    "DataTentativaExec",
    "Execucao",
    "Tentativas",
    "Despachos",
    "Sozinha",
    "DataReexecucao",
    "NaoExecutada",
    "UltimoErro",
    "MotivoMorte",
    "FalhaEnvio",
    "Titular",
    "Chave",
    "Ordem",
    "Ordenacao",
    "NaFila",
    "Balde",
)
"""The fields that change while a message lives. A change writes only these, never the content."""

ORIGIN_FIELDS = (
    "ID",
    "Comando",
    "Direcao",
    "DataRecebimento",
    "Audiencia",
    "CorrelacaoId",
    "SolicitacaoId",
    "Rastreio",
    "Pessoal",
    "Publicada",
    "Etapa",
)
WITHOUT_CONTENT = frozenset(
    (*ORIGIN_FIELDS, *STATE_FIELDS, "ConteudoHash", "ConteudoTamanho", "DataFim", "DataExpiracao")
)
"""The fields that certainly hold no content. Any field that is not in this list may hold one."""

TENANT_PARTS = {
    "setup": ("Assinatura",),
    "commands": ("ComandosConfigurados",),
    "failures": ("FalhasSeguidas",),
    "paused_until": ("PausadoAte",),
    "last_error": ("UltimoErro",),
    "last_error_at": ("DataUltimoErro",),
    "last_success": ("UltimoSucesso",),
    "orphaned": ("Orfao",),
    "send_failed": ("UltimaFalhaEnvio",),
    "sent": ("UltimoEnvio",),
    "pin": ("TenantIdRac", "ClientesRac", "DataRepasse"),
    "halted": ("BloqueadoDesde",),
    "adopted": ("Adocao",),
    "ordered": ("Ordenado",),
    "counted": ("ContadoAte",),
}
"""The stored fields of each part of a tenant's state. A change writes only what has changed."""

TENANT_FIELDS = tuple(name for names in TENANT_PARTS.values() for name in names)
"""All stored fields of a tenant's state. A save does not touch fields of another version."""

SAVED = "DataGravacao"

REFERENCE_FIELDS = ("ConteudoHash", "ConteudoObjeto")
"""The fields that tell to which object of the bucket a document refers."""

_MARKER = "surrogatepass"  # Python's name for UTF-8 with lone surrogates in it


@dataclass(frozen=True, slots=True, order=True)
class Tick:
    """How far a shard has got. `caller` lets a call recognise its own write."""

    instant: datetime
    sequence: int
    caller: str = field(compare=False)


class Owned(NamedTuple):
    """A live message and the tenant whose it is: each write of it carries the tenant's bucket."""

    tenant: str
    message: Message


def put_live(fields: Raw, owned: Owned) -> None:
    """Fills a document of `GTotvsLinkMessage`."""
    _put_origin(fields, owned.message)
    _put_content(fields, owned.message.content)
    put_state(fields, owned)


def put_state(fields: Raw, owned: Owned) -> None:
    """Fills STATE_FIELDS."""
    tenant, message = owned
    fields["Balde"].string_value = bucket_of(tenant)
    fields["Situacao"].string_value = message.state
    put_optional_time(fields, "DataTentativaExec", message.due)
    put_count(fields, "Despachos", message.dispatches)
    put_flag(fields, "Sozinha", flag=message.alone)
    put_optional_time(fields, "DataReexecucao", message.redriven)
    put_flag(fields, "NaoExecutada", flag=message.undone)
    if message.failure is not None:
        failure = fields["FalhaEnvio"].map_value.fields
        failure["Vezes"].integer_value = message.failure.times
        put_time(failure["Data"], message.failure.at)
    if message.order is not None:
        put_text(fields["Chave"], message.order.key)
        fields["Ordem"].string_value = message.order.number
        put_text(fields["Ordenacao"], message.order.by)
    put_flag(fields, "NaFila", flag=message.queued)
    _put_record(fields, message)


def put_history(fields: Raw, ended: Ended) -> None:
    """Fills a document of `GTotvsLinkMessageExec`, without the content if the message is
    personal."""
    message = ended.message
    content = message.content
    if message.personal:
        content = replace(content, text=None, object=None)
    _put_origin(fields, message)
    _put_content(fields, content)
    _put_record(fields, message)
    fields["Situacao"].string_value = ended.ending
    put_time(fields["DataFim"], ended.ended)
    put_time(fields["DataExpiracao"], ended.expires)


@dataclass(frozen=True, slots=True)
class Discarded:
    """An unreadable live document that an operator discards."""

    fields: Raw
    at: datetime
    expires: datetime
    personal: bool  # is, or may be: then only WITHOUT_CONTENT is kept


def put_discarded(fields: Raw, discarded: Discarded) -> None:
    """Fills a document of `GTotvsLinkMessageExec` with the fields of a discarded document."""
    original = discarded.fields
    for name, value in original.items():
        if not discarded.personal or name in WITHOUT_CONTENT:
            fields[name].CopyFrom(value)
    for name in ("Situacao", "DataFim", "DataExpiracao"):
        if name in original:
            fields["Original"].map_value.fields[name].CopyFrom(original[name])
    fields["Situacao"].string_value = Ending.DISCARDED
    put_time(fields["DataFim"], discarded.at)
    put_time(fields["DataExpiracao"], discarded.expires)


def _put_origin(fields: Raw, message: Message) -> None:
    put_text(fields["ID"], message.id)
    put_text(fields["Comando"], message.type)
    fields["Direcao"].string_value = message.direction
    put_time(fields["DataRecebimento"], message.received)
    put_optional_text(fields, "Audiencia", message.audience)
    put_optional_text(fields, "CorrelacaoId", message.correlation_id)
    put_optional_text(fields, "SolicitacaoId", message.request_id)
    put_optional_text(fields, "Rastreio", message.trace)
    put_flag(fields, "Pessoal", flag=message.personal)
    put_flag(fields, "Publicada", flag=message.published)
    if message.step is not None:
        step = fields["Etapa"].map_value.fields
        step["Numero"].integer_value = message.step.number
        put_text(step["Primeira"], message.step.first)


def _put_content(fields: Raw, content: Content) -> None:
    fields["ConteudoHash"].string_value = content.sha256
    fields["ConteudoTamanho"].integer_value = content.size
    if content.text is not None and not put_text(fields["Conteudo"], content.text):
        fields["Codificacao"].string_value = _MARKER
    put_optional_text(fields, "ConteudoObjeto", content.object)


def get_reference(fields: Raw) -> set[str | None]:
    """Reads to which object a document refers; {None} if that cannot be told."""
    if "ConteudoObjeto" in fields:
        return {readable(fields, "ConteudoObjeto") or None}
    return set() if readable(fields, "ConteudoHash") else {None}


def _put_record(fields: Raw, message: Message) -> None:
    fields["QtdeTentativaExec"].integer_value = message.attempt
    put_optional_text(fields, "UltimoErro", message.error)
    put_optional_text(fields, "MotivoMorte", message.dead_reason)
    for titular in message.titular:
        fields["Titular"].array_value.values.add().string_value = titular
    if message.claim is not None:
        claim = fields["Execucao"].map_value.fields
        claim["ID"].string_value = message.claim.id
        claim["Mensagens"].integer_value = message.claim.messages
        put_time(claim["Inicio"], message.claim.started)
        if message.claim.decided is not None:
            claim["Retem"].boolean_value = message.claim.decided.hold
            put_count(claim, "Limite", message.claim.decided.at_most or 0)
    if message.attempts:
        values = fields["Tentativas"].array_value.values
        for attempt in message.attempts:
            _put_attempt(values.add().map_value.fields, attempt)


def _put_attempt(fields: Raw, attempt: Attempt) -> None:
    fields["Numero"].integer_value = attempt.number
    put_time(fields["Inicio"], attempt.started)
    put_time(fields["Fim"], attempt.ended)
    fields["Resultado"].string_value = attempt.result
    put_optional_text(fields, "Erro", attempt.error)


def get_live(document: str, fields: Raw) -> Message:
    """Reads a document of `GTotvsLinkMessage`. Raises DocumentError if we did not write it so."""
    content = _get_content(fields)
    if content.text is None and content.object is None:
        message = "its content is missing"
        raise DocumentError(message)
    about = _get_about(document, fields, get_one_of(fields, "Situacao", State))
    _check_dated(about)
    return Message(**about, content=content)


def _check_dated(about: Mapping[str, Any]) -> None:
    """Raises DocumentError if a message that is not dead has no due instant: no sweep finds it."""
    if about["due"] is None and about["state"] is not State.DEAD:
        message = f"it is {about['state']} without DataTentativaExec"
        raise DocumentError(message)


UNDATED_FIELDS = ("Situacao", "DataTentativaExec")
"""The fields that `is_undated` needs."""


def is_undated(fields: Raw) -> bool:
    """Tells whether no sweep finds this live document although it is not dead."""
    dated = "DataTentativaExec" in fields and fields["DataTentativaExec"].HasField(
        "timestamp_value"
    )
    return not dated and readable(fields, "Situacao") != State.DEAD


def is_astray(tenant: str, fields: Raw) -> bool:
    """Tells whether the query for the tenant's bucket does not find this live document: an older
    release wrote it, or a person edited it."""
    return readable(fields, "Balde") != bucket_of(tenant)


def get_unreadable(document: str, fields: Raw, version: Version, why: str) -> Unreadable:
    """Reads what is readable of a live document that `get_live` refused."""
    return Unreadable(
        document, why, version, readable(fields, "Comando"), readable(fields, "ConteudoHash")
    )


def readable(fields: Raw, name: str) -> str | None:
    """Reads a text of an unreadable document; None if there is no text in this field."""
    return _readable(get_optional_text, fields, name)


def get_listed(document: str, fields: Raw) -> Summary:
    """Reads a live document that was fetched without its content. Raises DocumentError."""
    _get_content(fields)  # raises if the content's hash or size is not readable
    about = _get_about(document, fields, get_one_of(fields, "Situacao", State))
    _check_dated(about)
    return Summary(**about)


def get_history(document: str, fields: Raw) -> Ended:
    """Reads a document of `GTotvsLinkMessageExec`. Raises DocumentError if we did not write it so.

    The message has the state that it had before it ended: dead if it was discarded, else running.
    """
    ending, ended, expires = _get_end(fields)
    about = _get_about(document, fields, _before(ending))
    return Ended(Message(**about, content=_get_content(fields)), ending, ended, expires)


def get_listed_history(document: str, fields: Raw) -> EndedSummary:
    """Reads a record of the history that was fetched without its content. Raises DocumentError."""
    ending, ended, expires = _get_end(fields)
    about = _get_about(document, fields, _before(ending))
    _get_content(fields)
    return EndedSummary(Summary(**about), ending, ended, expires)


def get_past(fields: Raw) -> Past:
    """Reads what tells a repeat from a live or ended document; an unreadable field is None."""
    claim = _readable(get_map, fields, "Execucao")
    return Past(
        type=_readable(get_optional_text, fields, "Comando"),
        sha256=_readable(get_optional_text, fields, "ConteudoHash"),
        received=_readable(get_optional_time, fields, "DataRecebimento"),
        audience=_readable(get_optional_text, fields, "Audiencia"),
        claim=_readable(get_optional_text, claim, "ID") if claim is not None else None,
        ending=_readable(_get_ending, fields, "Situacao"),
    )


def _readable(get: Callable[[Raw, str], T | None], fields: Raw, name: str) -> T | None:
    try:
        return get(fields, name)
    except ValueError:
        return None


def _get_ending(fields: Raw, name: str) -> Ending:
    return get_one_of(fields, name, Ending)


def _before(ending: Ending) -> State:
    return State.RUNNING if ending is Ending.DONE else State.DEAD


def _get_end(fields: Raw) -> tuple[Ending, datetime, datetime]:
    ending = get_one_of(fields, "Situacao", Ending)
    return ending, get_time(fields, "DataFim"), get_time(fields, "DataExpiracao")


def _get_content(fields: Raw) -> Content:
    return Content(
        sha256=get_text(fields, "ConteudoHash"),
        size=get_count(fields, "ConteudoTamanho"),
        text=get_optional_text(fields, "Conteudo"),
        object=get_optional_text(fields, "ConteudoObjeto"),
    )


def _get_about(document: str, fields: Raw, state: State) -> dict[str, Any]:
    """Reads a message's attributes, without its content. Raises DocumentError."""
    dead = get_optional_text(fields, "MotivoMorte") is not None
    return {
        "document": document,
        "direction": get_one_of(fields, "Direcao", Direction),
        "id": get_text(fields, "ID"),
        "type": get_text(fields, "Comando"),
        "received": get_time(fields, "DataRecebimento"),
        "state": state,
        "due": get_optional_time(fields, "DataTentativaExec"),
        "audience": get_optional_text(fields, "Audiencia"),
        "correlation_id": get_optional_text(fields, "CorrelacaoId"),
        "request_id": readable(fields, "SolicitacaoId"),
        "trace": valid_traceparent(readable(fields, "Rastreio")),
        "personal": get_flag(fields, "Pessoal"),
        "published": get_flag(fields, "Publicada"),
        "step": _get_step(get_map(fields, "Etapa")),
        "attempt": get_count(fields, "QtdeTentativaExec"),
        "attempts": tuple(map(_get_attempt, get_list(fields, "Tentativas"))),
        "dispatches": get_count(fields, "Despachos"),
        "alone": get_flag(fields, "Sozinha"),
        "redriven": get_optional_time(fields, "DataReexecucao"),
        "undone": get_flag(fields, "NaoExecutada"),
        "claim": _get_claim(get_map(fields, "Execucao")),
        "error": get_optional_text(fields, "UltimoErro"),
        "dead_reason": get_one_of(fields, "MotivoMorte", DeadReason) if dead else None,
        "failure": _get_failure(get_map(fields, "FalhaEnvio")),
        "titular": get_texts(fields, "Titular"),
        "order": _get_order(fields),
        "queued": get_flag(fields, "NaFila"),
    }


def _get_order(fields: Raw) -> Order | None:
    key = get_optional_text(fields, "Chave")
    if key is None:
        return None
    return Order(key, get_text(fields, "Ordem"), get_text(fields, "Ordenacao"))


def put_intake(fields: Raw, intake: Intake) -> None:
    """Fills `tenants/{tenant}/GTotvsLinkOrdem/recepcao`."""
    put_text(fields["Dono"], intake.holder)
    put_time(fields["Prazo"], intake.until)
    put_text(fields["UltimaOrdem"], intake.last)
    for command, by in (intake.ordered or {}).items():
        put_text(fields["Ordenacao"].map_value.fields[command], by)


def get_intake(fields: Raw) -> Intake:
    """Reads `tenants/{tenant}/GTotvsLinkOrdem/recepcao`. Raises DocumentError."""
    ordered = get_map(fields, "Ordenacao") or {}
    return Intake(
        get_text(fields, "Dono"),
        get_time(fields, "Prazo"),
        get_text(fields, "UltimaOrdem"),
        {command: get_text(ordered, command) for command in ordered} or None,
    )


def _get_step(fields: Raw | None) -> Step | None:
    if fields is None:
        return None
    return Step(get_count(fields, "Numero"), get_text(fields, "Primeira"))


def _get_failure(fields: Raw | None) -> SendFailure | None:
    if fields is None:
        return None
    return SendFailure(get_count(fields, "Vezes"), get_time(fields, "Data"))


def _get_claim(fields: Raw | None) -> Claim | None:
    if fields is None:
        return None
    decided = None
    if "Retem" in fields:
        decided = Decided(get_count(fields, "Limite") or None, get_flag(fields, "Retem"))
    return Claim(
        get_text(fields, "ID"), get_count(fields, "Mensagens"), get_time(fields, "Inicio"), decided
    )


def _get_attempt(value: Raw) -> Attempt:
    if value.WhichOneof("value_type") != "map_value":
        message = "the field Tentativas holds what is no attempt"
        raise DocumentError(message)
    fields = value.map_value.fields
    return Attempt(
        get_count(fields, "Numero"),
        get_time(fields, "Inicio"),
        get_time(fields, "Fim"),
        get_one_of(fields, "Resultado", Result),
        get_optional_text(fields, "Erro"),
    )


def put_log(fields: Raw, entry: tuple[str, LogLine]) -> None:
    """Fills a document of `GTotvsLinkLog` from the document's id and the line."""
    identity, line = entry
    fields["ID"].string_value = identity
    put_text(fields["IDMENSAGEM"], line.message_id)
    fields["LOGTYPE"].integer_value = line.type
    fields["LOGMENSAGEM"].string_value = _spelt_out(line.text)
    put_time(fields["LOGDATE"], line.at)
    put_time(fields["DataExpiracao"], line.expires)
    if line.debug is not None:
        fields["DATADEBUG"].string_value = _spelt_out(line.debug)
    put_optional_text(fields, "Situacao", line.became)


def _spelt_out(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def get_log(fields: Raw) -> LogLine:
    """Reads a document of `GTotvsLinkLog`."""
    return LogLine(
        message_id=get_text(fields, "IDMENSAGEM"),
        type=_get_log_type(fields),
        text=get_text(fields, "LOGMENSAGEM"),
        at=get_time(fields, "LOGDATE"),
        expires=get_time(fields, "DataExpiracao"),
        debug=get_optional_text(fields, "DATADEBUG"),
        became=_get_became(fields),
    )


def _get_became(fields: Raw) -> State | None:
    return get_one_of(fields, "Situacao", State) if "Situacao" in fields else None


def _get_log_type(fields: Raw) -> LogType:
    number = get_count(fields, "LOGTYPE")
    if number not in set(LogType):
        message = "the field LOGTYPE holds none of RM's"
        raise DocumentError(message)
    return LogType(number)


def put_tenant(fields: Raw, state: TenantState) -> None:
    """Fills `tenants/{tenant}`."""
    put_optional_text(fields, "Assinatura", state.setup or None)
    for command in state.commands:
        put_text(fields["ComandosConfigurados"].array_value.values.add(), command)
    put_count(fields, "FalhasSeguidas", state.failures)
    put_optional_time(fields, "PausadoAte", state.paused_until)
    put_optional_text(fields, "UltimoErro", state.last_error)
    put_optional_time(fields, "DataUltimoErro", state.last_error_at)
    put_optional_time(fields, "UltimoSucesso", state.last_success)
    put_flag(fields, "Orfao", flag=state.orphaned)
    put_optional_time(fields, "UltimaFalhaEnvio", state.send_failed)
    put_optional_time(fields, "UltimoEnvio", state.sent)
    put_pin(fields, state.pin)
    put_optional_time(fields, "BloqueadoDesde", state.halted)
    put_optional_text(fields, "Adocao", state.adopted)
    put_flag(fields, "Ordenado", flag=state.ordered)
    put_optional_time(fields, "ContadoAte", state.counted)


def put_pin(fields: Raw, pin: Pin | None) -> None:
    """Fills the fields that tell whose a tenant's name is."""
    if pin is None:
        return
    put_optional_text(fields, "TenantIdRac", pin.tenant_id)
    for client in pin.clients:
        put_text(fields["ClientesRac"].array_value.values.add(), client)
    put_optional_time(fields, "DataRepasse", pin.since)


def get_tenant(fields: Raw) -> TenantState:
    """Reads `tenants/{tenant}`.

    An unreadable field counts as missing, and `unreadable` names it: one wrong field must not stop
    the tenant. A pin of which nothing can be read admits nobody: the name belongs to somebody, and
    what lives under it must not be sent with another customer's credentials.
    """
    unreadable: list[str] = []

    def read(get: Callable[[Raw, str], T], name: str, instead: T) -> T:
        try:
            return get(fields, name)
        except ValueError:
            unreadable.append(name)
            return instead

    named = read(get_optional_text, "TenantIdRac", None)
    nobody: tuple[str, ...] = ()
    clients = read(get_texts, "ClientesRac", nobody)
    pinned = bool(named or clients or unreadable)  # perhaps to whom nobody can read
    since = read(get_optional_time, "DataRepasse", None)
    state = TenantState(
        setup=read(get_optional_text, "Assinatura", None) or "",
        commands=read(get_texts, "ComandosConfigurados", ()),
        failures=read(get_count, "FalhasSeguidas", 0),
        paused_until=read(get_optional_time, "PausadoAte", None),
        last_error=read(get_optional_text, "UltimoErro", None),
        last_error_at=read(get_optional_time, "DataUltimoErro", None),
        last_success=read(get_optional_time, "UltimoSucesso", None),
        orphaned=read(get_flag, "Orfao", instead=False),
        send_failed=read(get_optional_time, "UltimaFalhaEnvio", None),
        sent=read(get_optional_time, "UltimoEnvio", None),
        pin=Pin(named, clients, since) if pinned else None,
        halted=read(get_optional_time, "BloqueadoDesde", None),
        adopted=read(get_optional_text, "Adocao", None),
        ordered=read(get_flag, "Ordenado", instead=False),
        counted=read(get_optional_time, "ContadoAte", None),
        known=True,
    )
    return replace(state, unreadable=tuple(unreadable)) if unreadable else state


HOUR_FIGURES = {"done": "Concluidas", "retried": "Retentadas", "dead": "Mortas"}
"""The stored fields of an hour's figures. Each is stored even where it is zero, to be summed."""


def hour_id(at: datetime) -> str:
    """Returns the id of an hour's document: `2026031509`, in UTC."""
    return f"{at.astimezone(UTC):%Y%m%d%H}"


def hour_of_id(identity: str) -> datetime:
    """Returns the hour of a document's id."""
    return datetime.strptime(identity, "%Y%m%d%H").replace(tzinfo=UTC)


def put_hour(fields: Raw, hour: HourFigures) -> None:
    """Fills `tenants/{tenant}/GTotvsLinkHora/{hour}`."""
    put_time(fields["Hora"], hour.at)
    for part, name in HOUR_FIGURES.items():
        fields[name].integer_value = getattr(hour, part)
    put_time(fields["DataExpiracao"], hour.at + KEPT)


def get_hour(fields: Raw) -> HourFigures:
    """Reads `tenants/{tenant}/GTotvsLinkHora/{hour}`. Raises DocumentError."""
    figures = {part: get_count(fields, name) for part, name in HOUR_FIGURES.items()}
    return HourFigures(get_time(fields, "Hora"), **figures)


def put_tick(fields: Raw, tick: Tick) -> None:
    """Fills `relay/shard-<n>`."""
    put_time(fields["Instante"], tick.instant)
    fields["Sequencia"].integer_value = tick.sequence
    fields["Chamada"].string_value = tick.caller


def get_tick(fields: Raw) -> Tick:
    """Reads `relay/shard-<n>`."""
    instant = get_time(fields, "Instante")
    return Tick(instant, get_count(fields, "Sequencia"), get_text(fields, "Chamada"))


def put_commands(fields: Raw, noted: Mapping[str, Noted]) -> None:
    """Fills `relay/comandos`."""
    commands = fields["Comandos"].map_value.fields
    for command, its in noted.items():
        times = commands[command].map_value.fields
        put_time(times["Desde"], its.since)
        put_time(times["VistoEm"], its.at)


def get_commands(fields: Raw) -> dict[str, Noted]:
    """Reads `relay/comandos`.

    An unreadable command counts as missing; the next poll that has the command notes it again.
    """
    noted = {}
    commands = fields["Comandos"].map_value.fields if "Comandos" in fields else {}
    for command, its in commands.items():
        times = its.map_value.fields
        with suppress(DocumentError):
            noted[command] = Noted(get_time(times, "Desde"), get_time(times, "VistoEm"))
    return noted


def put_changes(fields: Raw, mark: str) -> None:
    """Fill `relay/changes`."""
    put_text(fields["Marca"], mark)


def get_changes(fields: Raw) -> str:
    """Read `relay/changes`."""
    return get_text(fields, "Marca")


def put_content_sweep(fields: Raw, sweep: ContentSweep) -> None:
    """Fills `relay/contents`."""
    put_time(fields["Inicio"], sweep.begun)
    put_text(fields["Posicao"], sweep.after)


def get_content_sweep(fields: Raw) -> ContentSweep:
    """Reads `relay/contents`."""
    return ContentSweep(get_time(fields, "Inicio"), get_text(fields, "Posicao"))


def put_config(fields: Raw, file: ConfigFile) -> None:
    """Fills `relay/config`, except SAVED, which Firestore fills itself."""
    fields["Geracao"].string_value = file.generation
    fields["Conteudo"].bytes_value = file.data


def get_config(fields: Raw) -> ConfigFile:
    """Reads `relay/config`."""
    return ConfigFile(get_text(fields, "Geracao"), get_bytes(fields, "Conteudo"))
