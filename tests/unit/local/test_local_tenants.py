"""The file of local tenants."""

import json
from pathlib import Path

import pytest

from infra.local.checkout import DEFAULT_TENANTS
from infra.local.errors import SettingError
from infra.local.tenants import LocalTenant, load_tenants
from smartlink.domain.tenant import TenantError, parse_credentials

GOOD = {"tenant": "acme", "clientId": "id", "clientSecret": "hush"}


def write(folder: Path, content: object) -> Path:
    """Write a file of tenants."""
    path = folder / "tenants.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_the_default_file_is_good() -> None:
    """`make local` starts without a setting."""
    assert [tenant.tenant for tenant in load_tenants(DEFAULT_TENANTS)] == ["acme", "globex"]


def test_a_tenants_secret_is_what_the_relay_reads(tmp_path: Path) -> None:
    """Every field of the entry, under the secret's own names."""
    entry = GOOD | {"tenantId": "42", "enabled": False}

    [tenant] = load_tenants(write(tmp_path, [entry]))

    assert tenant.secret() == {
        "clientId": "id",
        "clientSecret": "hush",
        "tenantId": "42",
        "enabled": False,
        "environment": "development",
    }


def test_a_tenant_without_a_database_gets_one_of_its_own(tmp_path: Path) -> None:
    """An absolute path, since the functions run in a folder of their own."""
    [acme, other] = load_tenants(
        write(tmp_path, [GOOD, GOOD | {"tenant": "b", "erp": {"databaseUrl": "sqlite:////x"}}])
    )

    assert acme.database_url(tmp_path) == f"sqlite:///{tmp_path}/erp/acme.sqlite3"
    assert other.database_url(tmp_path) == "sqlite:////x"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([GOOD, {"tenant": "b", "clientId": "id"}], "entry 2, clientSecret: Field required"),
        ([GOOD | {"clientID": "x"}], "entry 1, clientID: Extra inputs"),
        ([GOOD | {"clientSecret": ""}], "entry 1, clientSecret: Value should have at least 1"),
        ([GOOD | {"erp": {}}], "entry 1, erp, databaseUrl: Field required"),
        ([GOOD | {"tenant": "Acme/.."}], "entry 1, tenant: 'Acme/..' is no tenant name"),
        ([GOOD, GOOD], "entry 2: acme stands twice"),
        ({"tenants": []}, "should be a valid list"),
        ('[{"tenant": "hush",', "it is not JSON"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, content: object, said: str) -> None:
    """File, entry, field; and never a secret."""
    path = write(tmp_path, content)

    with pytest.raises(SettingError) as caught:
        load_tenants(path)

    assert str(path) in str(caught.value)
    assert said in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_missing_file_is_named_with_its_variable(tmp_path: Path) -> None:
    """So that one knows what to change."""
    with pytest.raises(
        SettingError, match=r"none\.json \(SMARTLINK_LOCAL_TENANTS\) cannot be read"
    ):
        load_tenants(tmp_path / "none.json")


def test_a_tenant_shows_without_its_secret(tmp_path: Path) -> None:
    """In a log, in a trace, in a debugger."""
    [tenant] = load_tenants(write(tmp_path, [GOOD]))

    assert isinstance(tenant, LocalTenant)
    assert "hush" not in repr(tenant)


def test_the_payload_of_a_real_secret_is_read(tmp_path: Path) -> None:
    """With its environment: another one's credentials are the relay's to refuse, as deployed."""
    real = {"clientId": "c", "clientSecret": "s", "environment": "production", "tenantId": "t"}
    [tenant] = load_tenants(write(tmp_path, [{"tenant": "acme", **real}]))
    assert tenant.secret() == {**real, "enabled": True}
    with pytest.raises(TenantError, match="production"):
        parse_credentials("acme", json.dumps(tenant.secret()).encode(), "development")


def test_a_tenant_may_have_further_secrets(tmp_path: Path) -> None:
    """Of its own consumers: beside the relay's, or in the ERP's; none shows in a repr."""
    entry = {"tenant": "acme", "clientId": "c", "clientSecret": "canary"}
    erp = {"databaseUrl": "sqlite://", "apiKey": "canary"}
    more = {"acme-bank": {"key": "canary"}, "acme-pin": "canary"}
    [tenant] = load_tenants(write(tmp_path, [entry | {"erp": erp, "secrets": more}]))
    assert tenant.secrets == more
    assert tenant.erp_secret(tmp_path)["apiKey"] == "canary"
    assert "canary" not in repr(tenant)


def test_a_secret_that_a_command_declares_has_the_name_that_the_relay_asks_for(
    tmp_path: Path,
) -> None:
    """So what is pasted from Secret Manager works here."""
    secrets = {"smartlink-bank-acme": {"key": "k"}, "smartlink-post-acme": "raw", "acme-pin": "p"}
    entry = {"tenant": "acme", "clientId": "c", "clientSecret": "s", "secrets": secrets}
    [tenant] = load_tenants(write(tmp_path, [entry]))
    assert tenant.own_secrets() == {"bank": b'{"key": "k"}', "post": b"raw"}


@pytest.mark.parametrize(
    "name",
    [
        "smartlink-tenant-globex",
        "smartlink-tenant-acme",
        "smartlink-titular-acme",
        "smartlink-bank-globex",
        "smartlink-a_bank-acme",
        "a b",
        "",
    ],
)
def test_a_further_secret_is_none_of_the_relays(name: str, tmp_path: Path) -> None:
    """It could stand in the place of another tenant's."""
    entry = {"tenant": "acme", "clientId": "c", "clientSecret": "s", "secrets": {name: "x"}}
    with pytest.raises(SettingError, match=r"entry 1.*secrets"):
        load_tenants(write(tmp_path, [entry]))


def test_a_byte_order_mark_before_the_file_is_skipped(tmp_path: Path) -> None:
    """Also of UTF-16, as PowerShell 5 writes a file."""
    text = '[{"tenant": "acme", "clientId": "ç", "clientSecret": "s"}]'
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le")):
        path = tmp_path / "marked.json"
        path.write_bytes(mark + text.encode(encoding))
        assert load_tenants(path)[0].client_id == "ç"
