"""The stored names: what the people who open the Firestore console read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from google.cloud.firestore_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.values import DocumentError
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
    SendFailure,
    State,
)
from smartlink.domain.noted import Noted
from smartlink.domain.order import Order
from smartlink.domain.pin import Pin
from smartlink.domain.tenant import TenantState
from smartlink.ports import ConfigFile, ContentSweep

NOW = datetime(2025, 3, 9, 12, 30, 15, 123_457, tzinfo=UTC)
LATER = NOW + timedelta(days=1)
PLAIN = Message(
    document="D-m-1",
    direction=Direction.DOWNSTREAM,
    id="m-1",
    type="SGDPDataCommand",
    content=Content("e3b0", 2, "{}"),
    received=NOW,
    due=LATER,
)
FULL = replace(
    PLAIN,
    state=State.RUNNING,
    audience="SGDP",
    correlation_id="c-1",
    request_id="r-1",
    personal=True,
    attempt=2,
    attempts=(Attempt(1, NOW, LATER, Result.RETRY, "down"),),
    dispatches=3,
    alone=True,
    redriven=NOW,
    undone=True,
    published=True,
    claim=Claim("f00d", 5, NOW),
    error="down",
    dead_reason=DeadReason.REJECTED,
    failure=SendFailure(4, LATER),
    titular=("ab" * 32,),
    order=Order("PingCommand /key 7", "0001-00000", "/key"),
    queued=True,
)
TEXTS = st.text(st.characters(codec=None)) | st.text(st.characters(categories=["Cs"]), min_size=1)
INSTANTS = st.timedeltas(timedelta(days=-700_000), timedelta(days=2_900_000)).map(
    lambda since: NOW + since
)


def new() -> Any:  # noqa: ANN401  (a protobuf message)
    return types.Document.pb()().fields


def plain(value: Any) -> object:  # noqa: ANN401
    """A stored value as Python sees it, timestamps as text."""
    kind = value.WhichOneof("value_type")
    if kind == "map_value":
        return {name: plain(item) for name, item in value.map_value.fields.items()}
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "timestamp_value":
        return value.timestamp_value.ToJsonString()
    return getattr(value, kind)


def stored(fields: Any) -> dict[str, object]:  # noqa: ANN401
    return {name: plain(value) for name, value in fields.items()}


def live(message: Message) -> dict[str, object]:
    fields = new()
    documents.put_live(fields, message)
    return stored(fields)


def test_a_new_message_has_only_what_it_needs() -> None:
    assert live(PLAIN) == {
        "ID": "m-1",
        "Direcao": "Downstream",
        "Comando": "SGDPDataCommand",
        "Conteudo": "{}",
        "ConteudoHash": "e3b0",
        "ConteudoTamanho": 2,
        "DataRecebimento": "2025-03-09T12:30:15.123457Z",
        "Situacao": "Pendente",
        "QtdeTentativaExec": 0,
        "DataTentativaExec": "2025-03-10T12:30:15.123457Z",
    }


def test_every_other_field_has_its_name() -> None:
    start, end = "2025-03-09T12:30:15.123457Z", "2025-03-10T12:30:15.123457Z"
    assert {name: value for name, value in live(FULL).items() if name not in live(PLAIN)} == {
        "Audiencia": "SGDP",
        "CorrelacaoId": "c-1",
        "SolicitacaoId": "r-1",
        "Pessoal": True,
        "Publicada": True,
        "Despachos": 3,
        "Sozinha": True,
        "DataReexecucao": start,
        "NaoExecutada": True,
        "UltimoErro": "down",
        "MotivoMorte": "rejected",
        "FalhaEnvio": {"Vezes": 4, "Data": end},
        "Titular": ["ab" * 32],
        "Chave": "PingCommand /key 7",
        "Ordem": "0001-00000",
        "Ordenacao": "/key",
        "NaFila": True,
        "Execucao": {"ID": "f00d", "Mensagens": 5, "Inicio": start},
        "Tentativas": [
            {"Numero": 1, "Inicio": start, "Fim": end, "Resultado": "Falha", "Erro": "down"}
        ],
    }


def test_the_state_is_what_a_change_writes() -> None:
    """All of the mask, and nothing beside it."""
    fields = new()
    documents.put_state(fields, FULL)
    assert set(fields) == set(documents.STATE_FIELDS)


def test_history_has_an_end_and_no_personal_content() -> None:
    fields = new()
    documents.put_history(fields, Ended(FULL, Ending.DONE, NOW, LATER))
    names = stored(fields)
    assert names["Situacao"] == "Concluida"
    assert names["DataFim"] == "2025-03-09T12:30:15.123457Z"
    assert names["DataExpiracao"] == "2025-03-10T12:30:15.123457Z"
    assert names["ConteudoHash"] == "e3b0"
    live_only = {"DataTentativaExec", "Despachos", "Sozinha", "Conteudo", "ConteudoObjeto"}
    assert not (live_only | {"FalhaEnvio"}) & set(names)


def test_a_content_that_is_no_text_is_bytes_and_says_so() -> None:
    odd = replace(PLAIN, content=Content("0", 3, "\ud83d"))
    assert live(odd)["Conteudo"] == b"\xed\xa0\xbd"
    assert live(odd)["Codificacao"] == "surrogatepass"
    assert live(replace(PLAIN, id="\ud83d"))["ID"] == b"\xed\xa0\xbd"


def test_a_content_in_the_bucket_is_a_name() -> None:
    far = live(replace(PLAIN, content=Content("0", 3, object="acme/D-m-1/0")))
    assert far["ConteudoObjeto"] == "acme/D-m-1/0"
    assert "Conteudo" not in far


def test_a_log_line_has_rms_columns() -> None:
    fields = new()
    line = LogLine("m-1", LogType.WARNING, "half \ud83d", NOW, LATER, "debug")
    documents.put_log(fields, ("abc", line))
    assert stored(fields) == {
        "ID": "abc",
        "IDMENSAGEM": "m-1",
        "LOGTYPE": 1,
        "LOGMENSAGEM": r"half \ud83d",
        "LOGDATE": "2025-03-09T12:30:15.123457Z",
        "DATADEBUG": "debug",
        "DataExpiracao": "2025-03-10T12:30:15.123457Z",
    }


def test_a_tenant_has_its_names() -> None:
    """And one in its first state none at all."""
    fields = new()
    documents.put_tenant(fields, TenantState())
    assert stored(fields) == {}
    state = TenantState(
        setup="f00d",
        commands=("A", "B"),
        failures=3,
        paused_until=LATER,
        last_error="down",
        last_error_at=NOW,
        last_success=NOW,
        orphaned=True,
        send_failed=LATER,
        sent=NOW,
        counted=NOW,
    )
    documents.put_tenant(fields, state)
    assert stored(fields) == {
        "ContadoAte": "2025-03-09T12:30:15.123457Z",
        "Assinatura": "f00d",
        "ComandosConfigurados": ["A", "B"],
        "FalhasSeguidas": 3,
        "PausadoAte": "2025-03-10T12:30:15.123457Z",
        "UltimoErro": "down",
        "DataUltimoErro": "2025-03-09T12:30:15.123457Z",
        "UltimoSucesso": "2025-03-09T12:30:15.123457Z",
        "Orfao": True,
        "UltimaFalhaEnvio": "2025-03-10T12:30:15.123457Z",
        "UltimoEnvio": "2025-03-09T12:30:15.123457Z",
    }


def test_the_relays_own_have_their_names() -> None:
    config, tick = new(), new()
    documents.put_config(config, ConfigFile("17", b"{}"))
    documents.put_tick(tick, documents.Tick(NOW, 2, "f00d"))
    assert stored(config) == {"Geracao": "17", "Conteudo": b"{}"}
    assert stored(tick) == {
        "Instante": "2025-03-09T12:30:15.123457Z",
        "Sequencia": 2,
        "Chamada": "f00d",
    }


@given(identity=TEXTS, text=TEXTS, error=TEXTS, received=INSTANTS, due=INSTANTS)
def test_whatever_is_stored_is_read(
    identity: str, text: str, error: str, received: datetime, due: datetime
) -> None:
    message = replace(
        FULL,
        id=identity,
        type=text,
        content=Content("0", 1, text),
        error=error,
        received=received,
        due=due,
    )
    document = types.Document.pb()()
    documents.put_live(document.fields, message)
    document = types.Document.pb().FromString(document.SerializeToString())
    assert documents.get_live("D-m-1", document.fields) == message


NUMBERS = {"ConteudoTamanho", "QtdeTentativaExec"}


@pytest.mark.parametrize("name", sorted(live(PLAIN).keys() - NUMBERS))
def test_a_document_that_lacks_a_field_is_none_of_ours(name: str) -> None:
    fields = new()
    documents.put_live(fields, PLAIN)
    del fields[name]
    with pytest.raises(ValueError, match="its content" if name == "Conteudo" else name):
        documents.get_live("D-m-1", fields)


def test_a_number_that_is_missing_is_none() -> None:
    fields = new()
    documents.put_live(fields, PLAIN)
    for name in NUMBERS:
        del fields[name]
    message = documents.get_live("D-m-1", fields)
    assert (message.content.size, message.attempt) == (0, 0)


def test_a_document_with_another_type_of_value_is_none_of_ours() -> None:
    fields = new()
    documents.put_live(fields, PLAIN)
    fields["DataRecebimento"].string_value = "yesterday"
    with pytest.raises(ValueError, match="DataRecebimento is of the kind string, not timestamp"):
        documents.get_live("D-m-1", fields)


def test_a_list_with_bytes_that_are_no_text_is_none_of_ours() -> None:
    fields = new()
    documents.put_live(fields, PLAIN)
    fields["Titular"].array_value.values.add().bytes_value = b"\xff"
    with pytest.raises(DocumentError, match="Titular"):
        documents.get_live("D-m-1", fields)


def test_a_content_sweep_as_the_console_shows_it() -> None:
    fields = new()
    documents.put_content_sweep(fields, ContentSweep(NOW, "acme/D-m/00"))
    assert stored(fields) == {"Inicio": "2025-03-09T12:30:15.123457Z", "Posicao": "acme/D-m/00"}
    assert documents.get_content_sweep(fields) == ContentSweep(NOW, "acme/D-m/00")


def test_of_noted_commands_only_what_is_odd_is_lost() -> None:
    """A slip in one must not stop each poll: it notes its commands anew."""
    fields = new()
    assert documents.get_commands(fields) == {}
    both = {"A": Noted(NOW, LATER), "B": Noted(NOW, LATER)}
    documents.put_commands(fields, both)
    assert documents.get_commands(fields) == both
    commands = fields["Comandos"].map_value.fields
    commands["A"].map_value.fields["VistoEm"].string_value = "yesterday"
    assert documents.get_commands(fields) == {"B": both["B"]}
    fields["Comandos"].string_value = "none"
    assert documents.get_commands(fields) == {}


def test_what_a_document_refers_to_is_read_whatever_else_is_wrong_with_it() -> None:
    """None where that itself is wrong: then it may refer to anything."""
    fields = new()
    assert documents.get_reference(fields) == {None}
    fields["ConteudoHash"].string_value = "00"
    assert documents.get_reference(fields) == set()
    fields["ConteudoObjeto"].string_value = "acme/D-m/00"
    assert documents.get_reference(fields) == {"acme/D-m/00"}
    fields["ConteudoObjeto"].integer_value = 1
    assert documents.get_reference(fields) == {None}
    del fields["ConteudoObjeto"]
    fields["ConteudoHash"].integer_value = 1
    assert documents.get_reference(fields) == {None}


def test_ticks_are_compared_by_their_instant_and_their_number() -> None:
    """Whoever called: two callers of one tick have come equally far."""
    tick = documents.Tick(NOW, 1, "b")
    assert tick == documents.Tick(NOW, 1, "a")
    assert tick < documents.Tick(NOW, 2, "a") < documents.Tick(LATER, 1, "a")


@pytest.mark.parametrize("at_most", [None, 3])
def test_a_command_without_a_limit_of_its_own_stays_without_one(at_most: int | None) -> None:
    """What was decided at the claim is written as it is: no limit is no field."""
    fields = new()
    decided = Decided(hold=True, at_most=at_most)
    message = replace(FULL, claim=Claim("f00d", 1, NOW, decided))
    documents.put_live(fields, message)
    assert ("Limite" in fields["Execucao"].map_value.fields) == (at_most is not None)
    assert documents.get_live("D-m-1", fields) == message


@pytest.mark.parametrize("pin", [Pin("t-1", ()), Pin(None, ("c",)), Pin("t-1", ("c", "d")), None])
def test_a_pin_comes_back_whatever_it_knows(pin: Pin | None) -> None:
    """Where RAC names no tenant id it has the clients alone."""
    fields = new()
    documents.put_tenant(fields, TenantState(pin=pin))
    assert documents.get_tenant(fields).pin == pin
