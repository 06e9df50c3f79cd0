"""The stored names: how what Python calls in English stands in Firestore, as RM's people know it.

It fills and reads the raw protobuf types: the high-level client's conversion costs several
times as much as all else on the way to Firestore. None and rare defaults are absent, not null.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from smartlink.adapters.firestore_values import (
    Raw,
    get_count,
    get_flag,
    get_optional_text,
    get_optional_time,
    get_text,
    get_time,
    put_count,
    put_flag,
    put_optional_text,
    put_optional_time,
    put_text,
    put_time,
    text_of,
)
from smartlink.domain.identity import Direction
from smartlink.domain.message import (
    Attempt,
    Claim,
    Content,
    DeadReason,
    Decided,
    Ended,
    Ending,
    LogLine,
    LogType,
    Message,
    Result,
    State,
)
from smartlink.domain.noted import Noted
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile

TENANTS = "tenants"
LIVE = "GTotvsLinkMessage"
HISTORY = "GTotvsLinkMessageExec"
LOGS = "GTotvsLinkLog"
RELAY = "relay"

STATE_FIELDS = (
    "Situacao",
    "QtdeTentativaExec",
    "DataTentativaExec",
    "Execucao",
    "Tentativas",
    "Despachos",
    "Sozinha",
    "DataReexecucao",
    "UltimoErro",
    "MotivoMorte",
)
"""What changes while a message lives. A change writes these alone, so no content travels again."""

SAVED = "DataGravacao"

_MARKER = "surrogatepass"  # Python's name for UTF-8 with lone surrogates in it


@dataclass(frozen=True, slots=True, order=True)
class Tick:
    """How far a shard has got, and by which call: it tells its own write from another's."""

    instant: datetime
    sequence: int
    caller: str = field(compare=False)


def put_live(fields: Raw, message: Message) -> None:
    """Fill a document of `GTotvsLinkMessage`."""
    _put_origin(fields, message)
    _put_content(fields, message.content)
    put_state(fields, message)


def put_state(fields: Raw, message: Message) -> None:
    """Fill STATE_FIELDS."""
    fields["Situacao"].string_value = message.state
    put_optional_time(fields, "DataTentativaExec", message.due)
    put_count(fields, "Despachos", message.dispatches)
    put_flag(fields, "Sozinha", flag=message.alone)
    put_optional_time(fields, "DataReexecucao", message.redriven)
    _put_record(fields, message)


def put_history(fields: Raw, ended: Ended) -> None:
    """Fill a document of `GTotvsLinkMessageExec`; of a personal message without its content."""
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


def _put_origin(fields: Raw, message: Message) -> None:
    put_text(fields["ID"], message.id)
    put_text(fields["Comando"], message.type)
    fields["Direcao"].string_value = message.direction
    put_time(fields["DataRecebimento"], message.received)
    put_optional_text(fields, "Audiencia", message.audience)
    put_optional_text(fields, "CorrelacaoId", message.correlation_id)
    put_flag(fields, "Pessoal", flag=message.personal)
    put_flag(fields, "Publicada", flag=message.published)


def _put_content(fields: Raw, content: Content) -> None:
    fields["ConteudoHash"].string_value = content.sha256
    fields["ConteudoTamanho"].integer_value = content.size
    if content.text is not None and not put_text(fields["Conteudo"], content.text):
        fields["Codificacao"].string_value = _MARKER
    put_optional_text(fields, "ConteudoObjeto", content.object)


def _put_record(fields: Raw, message: Message) -> None:
    fields["QtdeTentativaExec"].integer_value = message.attempt
    put_optional_text(fields, "UltimoErro", message.error)
    put_optional_text(fields, "MotivoMorte", message.dead_reason)
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
    """Read a document of `GTotvsLinkMessage`. Raises ValueError if it is none of ours."""
    return _get_message(document, fields, State(get_text(fields, "Situacao")))


def get_history(document: str, fields: Raw) -> Ended:
    """Read a document of `GTotvsLinkMessageExec`. Raises ValueError if it is none of ours.

    Its message is in the state that it ended from: only dead ones are discarded.
    """
    ending = Ending(get_text(fields, "Situacao"))
    state = State.RUNNING if ending is Ending.DONE else State.DEAD
    message = _get_message(document, fields, state)
    return Ended(message, ending, get_time(fields, "DataFim"), get_time(fields, "DataExpiracao"))


def _get_message(document: str, fields: Raw, state: State) -> Message:
    reason = get_optional_text(fields, "MotivoMorte")
    attempts = fields.get("Tentativas")
    return Message(
        document=document,
        direction=Direction(get_text(fields, "Direcao")),
        id=get_text(fields, "ID"),
        type=get_text(fields, "Comando"),
        content=Content(
            sha256=get_text(fields, "ConteudoHash"),
            size=get_count(fields, "ConteudoTamanho"),
            text=get_optional_text(fields, "Conteudo"),
            object=get_optional_text(fields, "ConteudoObjeto"),
        ),
        received=get_time(fields, "DataRecebimento"),
        state=state,
        due=get_optional_time(fields, "DataTentativaExec"),
        audience=get_optional_text(fields, "Audiencia"),
        correlation_id=get_optional_text(fields, "CorrelacaoId"),
        personal=get_flag(fields, "Pessoal"),
        published=get_flag(fields, "Publicada"),
        attempt=get_count(fields, "QtdeTentativaExec"),
        attempts=tuple(map(_get_attempt, attempts.array_value.values)) if attempts else (),
        dispatches=get_count(fields, "Despachos"),
        alone=get_flag(fields, "Sozinha"),
        redriven=get_optional_time(fields, "DataReexecucao"),
        claim=_get_claim(fields.get("Execucao")),
        error=get_optional_text(fields, "UltimoErro"),
        dead_reason=None if reason is None else DeadReason(reason),
    )


def _get_claim(value: Raw) -> Claim | None:
    if value is None:
        return None
    fields = value.map_value.fields
    decided = None
    if "Retem" in fields:
        decided = Decided(get_count(fields, "Limite") or None, get_flag(fields, "Retem"))
    return Claim(
        get_text(fields, "ID"), get_count(fields, "Mensagens"), get_time(fields, "Inicio"), decided
    )


def _get_attempt(value: Raw) -> Attempt:
    fields = value.map_value.fields
    return Attempt(
        get_count(fields, "Numero"),
        get_time(fields, "Inicio"),
        get_time(fields, "Fim"),
        Result(get_text(fields, "Resultado")),
        get_optional_text(fields, "Erro"),
    )


def put_log(fields: Raw, entry: tuple[str, LogLine]) -> None:
    """Fill a document of `GTotvsLinkLog` from its own id and the line."""
    identity, line = entry
    fields["ID"].string_value = identity
    put_text(fields["IDMENSAGEM"], line.message_id)
    fields["LOGTYPE"].integer_value = line.type
    fields["LOGMENSAGEM"].string_value = _spelt_out(line.text)
    put_time(fields["LOGDATE"], line.at)
    put_time(fields["DataExpiracao"], line.expires)
    if line.debug is not None:
        fields["DATADEBUG"].string_value = _spelt_out(line.debug)


def _spelt_out(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode()


def get_log(fields: Raw) -> LogLine:
    """Read a document of `GTotvsLinkLog`."""
    return LogLine(
        message_id=get_text(fields, "IDMENSAGEM"),
        type=LogType(get_count(fields, "LOGTYPE")),
        text=get_text(fields, "LOGMENSAGEM"),
        at=get_time(fields, "LOGDATE"),
        expires=get_time(fields, "DataExpiracao"),
        debug=get_optional_text(fields, "DATADEBUG"),
    )


def put_tenant(fields: Raw, state: TenantState) -> None:
    """Fill `tenants/{tenant}`."""
    put_optional_text(fields, "Assinatura", state.setup or None)
    for command in state.commands:
        put_text(fields["ComandosConfigurados"].array_value.values.add(), command)
    put_count(fields, "FalhasSeguidas", state.failures)
    put_optional_time(fields, "PausadoAte", state.paused_until)
    put_optional_text(fields, "UltimoErro", state.last_error)
    put_optional_time(fields, "DataUltimoErro", state.last_error_at)
    put_optional_time(fields, "UltimoSucesso", state.last_success)
    put_flag(fields, "Orfao", flag=state.orphaned)
    put_pin(fields, state.pin)
    put_optional_time(fields, "BloqueadoDesde", state.halted)
    put_optional_text(fields, "Adocao", state.adopted)


TENANT_FIELDS = {
    "setup": ("Assinatura",),
    "commands": ("ComandosConfigurados",),
    "failures": ("FalhasSeguidas",),
    "paused_until": ("PausadoAte",),
    "last_error": ("UltimoErro",),
    "last_error_at": ("DataUltimoErro",),
    "last_success": ("UltimoSucesso",),
    "orphaned": ("Orfao",),
    "pin": ("TenantIdRac", "ClientesRac"),
    "halted": ("BloqueadoDesde",),
    "adopted": ("Adocao",),
}
"""What each part of a tenant's state is stored as: a change writes what changed alone."""


def put_pin(fields: Raw, pin: Pin | None) -> None:
    """Fill whose a tenant's name is."""
    if pin is None:
        return
    put_optional_text(fields, "TenantIdRac", pin.tenant_id)
    for client in pin.clients:
        put_text(fields["ClientesRac"].array_value.values.add(), client)


def _get_pin(fields: Raw) -> Pin | None:
    clients = fields.get("ClientesRac")
    tenant_id = get_optional_text(fields, "TenantIdRac")
    if clients is None and tenant_id is None:
        return None
    return Pin(tenant_id, tuple(map(text_of, clients.array_value.values)) if clients else ())


def get_tenant(fields: Raw) -> TenantState:
    """Read `tenants/{tenant}`."""
    commands = fields.get("ComandosConfigurados")
    return TenantState(
        setup=get_optional_text(fields, "Assinatura") or "",
        commands=tuple(map(text_of, commands.array_value.values)) if commands else (),
        failures=get_count(fields, "FalhasSeguidas"),
        paused_until=get_optional_time(fields, "PausadoAte"),
        last_error=get_optional_text(fields, "UltimoErro"),
        last_error_at=get_optional_time(fields, "DataUltimoErro"),
        last_success=get_optional_time(fields, "UltimoSucesso"),
        orphaned=get_flag(fields, "Orfao"),
        pin=_get_pin(fields),
        halted=get_optional_time(fields, "BloqueadoDesde"),
        adopted=get_optional_text(fields, "Adocao"),
        known=True,
    )


def put_tick(fields: Raw, tick: Tick) -> None:
    """Fill `relay/shard-<n>`."""
    put_time(fields["Instante"], tick.instant)
    fields["Sequencia"].integer_value = tick.sequence
    fields["Chamada"].string_value = tick.caller


def get_tick(fields: Raw) -> Tick:
    """Read `relay/shard-<n>`."""
    instant = get_time(fields, "Instante")
    return Tick(instant, get_count(fields, "Sequencia"), get_text(fields, "Chamada"))


def put_commands(fields: Raw, noted: Mapping[str, Noted]) -> None:
    """Fill `relay/comandos`."""
    commands = fields["Comandos"].map_value.fields
    for command, its in noted.items():
        times = commands[command].map_value.fields
        put_time(times["Desde"], its.since)
        put_time(times["VistoEm"], its.at)


def get_commands(fields: Raw) -> dict[str, Noted]:
    """Read `relay/comandos`."""
    noted = {}
    for command, its in fields["Comandos"].map_value.fields.items():
        times = its.map_value.fields
        noted[command] = Noted(get_time(times, "Desde"), get_time(times, "VistoEm"))
    return noted


def put_config(fields: Raw, file: ConfigFile) -> None:
    """Fill `relay/config`, but for SAVED, which Firestore itself fills."""
    fields["Geracao"].string_value = file.generation
    fields["Conteudo"].bytes_value = file.data


def get_config(fields: Raw) -> ConfigFile:
    """Read `relay/config`."""
    return ConfigFile(get_text(fields, "Geracao"), fields["Conteudo"].bytes_value)
