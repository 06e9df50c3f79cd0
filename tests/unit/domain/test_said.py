"""What the relay's code says to people, in a language that it does not know."""

import json
import pickle
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from consumers.sgdp.map_error import MapError
from consumers.sgdp.maps import parse_map
from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.said import Said, said, said_together
from smartlink.domain.shape import refused
from smartlink.domain.tenant import TenantError, parse_credentials
from smartlink.i18n import Language, told

PORTUGUESE, PSEUDO = Language.PORTUGUESE, Language.PSEUDO


def test_it_is_english_until_the_screen_tells_it() -> None:
    text = said("the index {name} {flaw}", name="i1", flaw=said("by its name"))
    assert text == "the index i1 by its name"
    assert told(text) == "the index i1 by its name"
    assert told(text, PORTUGUESE) == "o índice i1 pelo nome"
    assert told(text, PSEUDO) == "⟦the index i1 ⟦by its name⟧⟧"
    assert told(ValueError(text), PORTUGUESE) == "o índice i1 pelo nome"
    assert told(said_together("; ", [text, text]), PORTUGUESE).count("o índice i1") == 2


def test_numbers_have_the_readers_form() -> None:
    """In English they are as Python writes them."""
    rows = said("no index: a lookup reads {rows:,} rows", rows=150_000)
    assert rows == told(rows) == "no index: a lookup reads 150,000 rows"
    assert told(rows, PORTUGUESE) == "sem índice: uma busca lê 150.000 linhas"
    takes = said("{told}, which takes about {takes:.1f} s", told=rows, takes=2.54)
    assert takes.endswith("2.5 s")
    assert told(takes, PORTUGUESE).endswith("2,5 s")
    share = said("found in {share:.0%} of {count} values", share=0.98, count=1_000)
    assert share == "found in 98% of 1000 values"
    assert told(share, PORTUGUESE) == "achado em 98% de 1.000 valores"


def test_braces_in_what_is_said_are_no_fields() -> None:
    for text in (said("{not a field"), said("{place}: {problem}", place="{a}", problem="{b")):
        assert "{" in text
        assert told(text, PORTUGUESE) == text


def test_it_outlives_a_copy() -> None:
    text = said("map.tables has no {table}", table="people")
    assert told(pickle.loads(pickle.dumps(text)), PORTUGUESE) == "map.tables não tem people"  # noqa: S301


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")

    number: Annotated[int, Field(ge=1, le=9)]
    text: Annotated[str, Field(min_length=2, max_length=4, pattern="^[a-z]+$")]
    choice: Literal["a", "b"]
    items: Annotated[tuple[int, ...], Field(min_length=1, max_length=2)]
    yes: bool


@pytest.mark.parametrize(
    ("field", "value", "portuguese"),
    [
        ("number", 0, "O valor deve ser maior que ou igual a 1"),
        ("number", 10, "O valor deve ser menor que ou igual a 9"),
        ("number", 1.5, "O valor deve ser um número inteiro válido, e tem casas decimais"),
        ("number", [], "O valor deve ser um número inteiro válido"),
        ("text", "a", "O texto deve ter pelo menos 2 caracteres"),
        ("text", "abcde", "O texto deve ter no máximo 4 caracteres"),
        ("text", "A1", "O texto deve seguir o padrão '^[a-z]+$'"),
        ("text", 1, "O valor deve ser um texto válido"),
        ("choice", "c", "O valor deve ser 'a' ou 'b'"),
        ("items", [], "Tuple deve ter pelo menos 1 item, e não 0"),
        ("items", [1, 2, 3], "Tuple deve ter no máximo 2 itens, e não 3"),
        ("yes", "perhaps", "O valor deve ser true ou false, e não se entende o que está escrito"),
        ("another", 1, "Campos a mais não são permitidos"),
    ],
)
def test_what_pydantic_refuses(field: str, value: object, portuguese: str) -> None:
    """Its English stays to the letter."""
    right: dict[str, Any] = {"number": 1, "text": "ab", "choice": "a", "items": (1,), "yes": True}
    with pytest.raises(ValidationError) as caught:
        _Strict.model_validate(right | {field: value})
    [item] = caught.value.errors()
    problem = refused(item["msg"])
    assert problem == item["msg"]
    assert told(problem, PORTUGUESE) == portuguese


def test_what_pydantic_says_besides_stays_in_english() -> None:
    assert told(refused("Something {new} of pydantic"), PORTUGUESE) == "Something {new} of pydantic"


def _config(attempts: int, factor: int, interval: int) -> bytes:
    info = {
        "QtdeTentativasExec": attempts,
        "FatorTempoExecucao": factor,
        "MinutesInterval": interval,
    }
    return json.dumps({"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": info}}).encode()


@pytest.mark.parametrize(
    ("payload", "portuguese"),
    [
        (b"{", "JSON inválido"),
        (b"{}", "TotvsAppGlobalConfig: Campo obrigatório"),
        (b"1", "o arquivo: O valor deve ser um objeto"),
        (_config(0, 1, 1), "QtdeTentativasExec: O valor deve ser maior que ou igual a 1"),
        (_config(999, 99, 99), "no máximo 527.040 (366 dias) são permitidos"),
    ],
)
def test_problems_of_the_configuration(payload: bytes, portuguese: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(payload, "1")
    assert portuguese in told(caught.value, PORTUGUESE)
    assert told(caught.value) == str(caught.value)


def test_problems_of_credentials() -> None:
    """Nothing of the payload is told in any language."""
    with pytest.raises(TenantError) as caught:
        parse_credentials("acme", b'{"clientId": "c", "hunter2": 1}', "production")
    text = told(caught.value, PORTUGUESE)
    assert "clientSecret: Campo obrigatório" in text
    assert "um campo desconhecido: Campos a mais não são permitidos" in text
    assert "acrescente uma versão com" in text
    assert "hunter2" not in text
    zeros = {
        "clientId": "c",
        "clientSecret": "s",
        "environment": "staging",
        "tenantId": "00000000-0000-0000-0000-000000000000",
    }
    with pytest.raises(TenantError) as caught:
        parse_credentials("acme", json.dumps(zeros).encode(), "staging")
    assert "um GUID de zeros não é um id de tenant" in told(caught.value, PORTUGUESE)


def test_every_place_of_a_map_is_told() -> None:
    with pytest.raises(MapError) as caught:
        parse_map({"purposes": {}, "tables": {"t": 1}, "more": 1})
    english, portuguese = str(caught.value), told(caught.value, PORTUGUESE)
    assert "map.more: Extra inputs are not permitted" in english
    assert "map.more: Campos a mais não são permitidos" in portuguese
    assert english.count("; ") == portuguese.count("; ") == 2
    assert isinstance(caught.value.problem, Said)
