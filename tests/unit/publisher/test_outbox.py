"""The outbox in a caller's own transaction: what is added to it, and what never is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from smartlink.domain.bucket import bucket_of
from smartlink.domain.identity import Direction, content_hash, document_id
from smartlink.publisher import PublishRefused, outbox_write

NOW = datetime(2026, 3, 2, 12, 0, 0, 123_456, tzinfo=UTC)


class Client:
    """Makes references of paths."""

    def document(self, *path: str) -> tuple[str, ...]:
        return path


class Transaction:
    """Keeps what it is to create."""

    def __init__(self) -> None:
        self.created: list[tuple[tuple[str, ...], dict[str, Any]]] = []

    def create(self, reference: tuple[str, ...], data: dict[str, Any]) -> None:
        self.created.append((reference, data))


def write(transaction: Transaction | None = None, **message: Any) -> tuple[str, Transaction]:  # noqa: ANN401
    transaction = transaction or Transaction()
    whole = {"tenant": "acme", "type": "OrderPlaced", "content": {"order": 7}, **message}
    identity = outbox_write(transaction, Client(), now=NOW, **whole)  # type: ignore[arg-type]
    return identity, transaction


def test_a_document_is_added() -> None:
    """Under the id and with the fields of the relay, due at once."""
    identity, transaction = write(id="order/7~", audience="APP", correlation_id="c-1")
    assert identity == "order/7~"
    [(path, data)] = transaction.created
    assert path == ("tenants", "acme", "GTotvsLinkMessage", "U-order%2F7%7E")
    assert data == {
        "ID": "order/7~",
        "Comando": "OrderPlaced",
        "Direcao": "Upstream",
        "DataRecebimento": NOW,
        "DataTentativaExec": NOW,
        "Audiencia": "APP",
        "CorrelacaoId": "c-1",
        "Publicada": True,
        "Balde": bucket_of("acme"),
        "ConteudoHash": content_hash('{"order":7}'),
        "ConteudoTamanho": 11,
        "Conteudo": '{"order":7}',
        "Situacao": "Pendente",
        "QtdeTentativaExec": 0,
    }


def test_an_id_is_made_up() -> None:
    """Random, of 32 hexadecimal digits."""
    one, other = write()[0], write()[0]
    assert one != other
    assert len(one) == 32
    assert int(one, 16)


@pytest.mark.parametrize("identity", ["~", ".", "__x__", "a/b", "%2F", "ç" * 512])
def test_an_odd_id_has_the_relays_document(identity: str) -> None:
    """The same escapes, so that the function knows its repeat."""
    [(path, _)] = write(id=identity)[1].created
    assert path[-1] == document_id(Direction.UPSTREAM, identity)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": "No Tenant"}, "tenant"),
        ({"type": "."}, "type"),
        ({"content": None}, "content"),
        ({"content": [float("inf")]}, "content"),
        ({"id": "D-m/reply/1"}, "id"),
    ],
)
def test_what_the_function_refuses_is_refused(changes: dict[str, Any], field: str) -> None:
    """By the same rules; nothing is added."""
    transaction = Transaction()
    with pytest.raises(PublishRefused) as refused:
        write(transaction, **changes)
    assert refused.value.field == field
    assert transaction.created == []


def test_a_content_as_large_as_a_document_holds() -> None:
    """256 KB, of UTF-8; one byte more is refused, with the way that takes it."""
    assert write(content="x" * 262_144)[1].created
    assert write(content="ç" * 131_072)[1].created
    with pytest.raises(PublishRefused, match=r"262146 bytes; .* by Publisher") as refused:
        write(content="ç" * 131_073)
    assert refused.value.field == "content"
