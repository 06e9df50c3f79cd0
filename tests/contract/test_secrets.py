"""Secrets: listed by label, read by tenant, and never in a text."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1 import Secret, SecretManagerServiceClient, SecretPayload
from google.cloud.secretmanager_v1.services.secret_manager_service.transports.rest import (
    SecretManagerServiceRestTransport,
)
from google.protobuf.field_mask_pb2 import FieldMask

from infra.local.secret_manager import secret_manager
from smartlink.adapters.google.secret_manager import SecretManager
from smartlink.adapters.in_memory import InMemorySecrets
from smartlink.ports import ErpSecrets, NotFound, PortError, Refused, TenantSecrets, Unavailable
from tests.contract.backends import AT_ONCE, BACKENDS

PROJECT = "contract"


class Secrets(TenantSecrets, ErpSecrets, Protocol):
    """Both ports."""


class Vault:
    """The stand-in, past the adapter."""

    def __init__(self, host: str) -> None:
        self.host = host
        transport = SecretManagerServiceRestTransport(
            host=host, url_scheme="http", credentials=AnonymousCredentials()
        )
        self.client = SecretManagerServiceClient(transport=transport)

    def create(self, name: str, label: str) -> None:
        secret = Secret(replication={"automatic": {}}, labels={"smartlink": label})
        self.client.create_secret(parent=f"projects/{PROJECT}", secret_id=name, secret=secret)

    def add(self, name: str, payload: bytes) -> None:
        self.client.add_secret_version(
            parent=f"projects/{PROJECT}/secrets/{name}", payload=SecretPayload(data=payload)
        )

    def touch(self, name: str) -> None:
        secret = Secret(name=f"projects/{PROJECT}/secrets/{name}", annotations={"renewed": "today"})
        self.client.update_secret(secret=secret, update_mask=FieldMask(paths=["annotations"]))


@dataclass(frozen=True)
class Case:
    """The secrets, and how to change them."""

    secrets: Secrets
    put: Callable[[str, bytes], None]
    put_erp: Callable[[str, bytes], None]
    put_titular: Callable[[str, bytes], None]
    put_own: Callable[[str, str, bytes], None]
    touch: Callable[[str], None]
    remove: Callable[[str], None]


@pytest.fixture
def vault() -> Iterator[Vault]:
    with secret_manager() as host:
        yield Vault(host)


def in_memory() -> Case:
    secrets = InMemorySecrets()
    return Case(
        secrets,
        secrets.put,
        secrets.put_erp,
        secrets.put_titular,
        secrets.put_own,
        secrets.touch,
        secrets.remove,
    )


def emulated(vault: Vault) -> Case:
    created: set[str] = set()

    def putter(kind: str) -> Callable[[str, bytes], None]:
        def put(tenant: str, payload: bytes) -> None:
            name = f"smartlink-{kind}-{tenant}"
            if name not in created:
                vault.create(name, kind)
                created.add(name)
            vault.add(name, payload)

        return put

    return Case(
        SecretManager(PROJECT, emulator=vault.host, patience=AT_ONCE),
        putter("tenant"),
        putter("erp"),
        putter("titular"),
        lambda tenant, name, payload: putter(name)(tenant, payload),
        lambda tenant: vault.touch(f"smartlink-tenant-{tenant}"),
        lambda tenant: vault.client.delete_secret(
            name=f"projects/{PROJECT}/secrets/smartlink-tenant-{tenant}"
        ),
    )


@pytest.fixture(params=BACKENDS)
def case(request: pytest.FixtureRequest) -> Case:
    return (
        in_memory() if request.param == "in-memory" else emulated(request.getfixturevalue("vault"))
    )


def test_every_tenant_is_listed_and_nothing_else(case: Case) -> None:
    """More than a page of them, and no ERP."""
    assert case.secrets.entries() == []
    names = [f"tenant-{number}" for number in range(5)]
    for name in names:
        case.put(name, b"{}")
    case.put_erp("other", b"{}")
    case.put_titular("other", b"{}")
    assert sorted(entry.name for entry in case.secrets.entries()) == names


def test_an_etag_changes_with_the_secret_and_not_with_its_versions(case: Case) -> None:
    """A new version alone shows nowhere in the list."""
    case.put("acme", b"1")
    before = case.secrets.entries()
    case.put("acme", b"2")
    assert case.secrets.entries() == before
    case.touch("acme")
    assert case.secrets.entries() != before


def test_a_payload_is_the_last_version(case: Case) -> None:
    for payload in (b"old", bytes(range(256))):
        case.put("acme", payload)
    case.put_erp("acme", b"erp")
    case.put_titular("acme", b"keys")
    case.put_own("acme", "bank", b"old key")
    case.put_own("acme", "bank", b"key")
    case.put_own("globex", "bank", b"another's")
    assert case.secrets.own("acme", "bank") == b"key"
    assert case.secrets.payload("acme") == bytes(range(256))
    assert case.secrets.erp("acme") == b"erp"
    assert case.secrets.titular("acme") == b"keys"


@pytest.mark.parametrize("tenant", ["none", "../x", "", "A", "x" * 70])
def test_a_missing_secret_is_not_found(case: Case, tenant: str) -> None:
    def own(tenant: str) -> bytes:
        return case.secrets.own(tenant, "bank")

    for read in (case.secrets.payload, case.secrets.erp, case.secrets.titular, own):
        with pytest.raises(NotFound):
            read(tenant)


def test_a_removed_tenant_is_gone(case: Case) -> None:
    case.put("acme", b"{}")
    case.remove("acme")
    assert case.secrets.entries() == []
    with pytest.raises(NotFound):
        case.secrets.payload("acme")


def test_a_secret_that_names_no_tenant_is_passed_over(
    vault: Vault, caplog: pytest.LogCaptureFixture
) -> None:
    """With a warning that names it; the others are listed."""
    for name in ("smartlink-tenant-acme", "smartlink-tenant-ACME", "unrelated"):
        vault.create(name, "tenant")
    secrets = SecretManager(PROJECT, emulator=f"http://{vault.host}/", patience=AT_ONCE)
    with caplog.at_level(logging.WARNING, "smartlink"):
        assert [entry.name for entry in secrets.entries()] == ["acme"]
    assert [name in caplog.text for name in ("smartlink-tenant-ACME", "unrelated")] == [True, True]


def test_a_secret_without_a_version_is_not_found(vault: Vault) -> None:
    vault.create("smartlink-tenant-acme", "tenant")
    secrets = SecretManager(PROJECT, emulator=vault.host, patience=AT_ONCE)
    with pytest.raises(NotFound):
        secrets.payload("acme")


def test_a_disabled_version_is_refused(vault: Vault) -> None:
    vault.create("smartlink-tenant-acme", "tenant")
    vault.add("smartlink-tenant-acme", b"{}")
    name = f"projects/{PROJECT}/secrets/smartlink-tenant-acme/versions/1"
    vault.client.disable_secret_version(name=name)
    secrets = SecretManager(PROJECT, emulator=vault.host, patience=AT_ONCE)
    with pytest.raises(PortError) as caught:
        secrets.payload("acme")
    assert isinstance(caught.value, Refused)


def test_a_secret_manager_that_is_away_is_unavailable() -> None:
    """Nothing listens on port 1."""
    secrets = SecretManager(PROJECT, emulator="127.0.0.1:1", patience=AT_ONCE)
    with pytest.raises(Unavailable):
        secrets.payload("acme")
    with pytest.raises(Unavailable):
        secrets.entries()
