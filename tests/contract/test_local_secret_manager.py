"""The stand-in for Secret Manager, through Google's own client."""

from collections.abc import Iterator

import pytest
from google.api_core.exceptions import (
    AlreadyExists,
    BadRequest,
    Conflict,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
)
from google.auth.credentials import AnonymousCredentials
from google.cloud.secretmanager_v1 import (
    Secret,
    SecretManagerServiceClient,
    SecretPayload,
    SecretVersion,
)
from google.cloud.secretmanager_v1.services.secret_manager_service.transports.rest import (
    SecretManagerServiceRestTransport,
)
from google_crc32c import value as crc32c

from infra.local.secret_manager import secret_manager

PROJECT = "projects/shop"


@pytest.fixture
def client() -> Iterator[SecretManagerServiceClient]:
    """Google's client, speaking to an empty stand-in."""
    with secret_manager() as host:
        credentials = AnonymousCredentials()
        transport = SecretManagerServiceRestTransport(
            host=host, url_scheme="http", credentials=credentials
        )
        with SecretManagerServiceClient(transport=transport) as client:
            yield client


def create(client: SecretManagerServiceClient, name: str, **labels: str) -> Secret:
    """Create a secret with these labels."""
    secret = Secret(replication={"automatic": {}}, labels=labels, annotations={"owner": "payroll"})
    return client.create_secret(parent=PROJECT, secret_id=name, secret=secret)


def add(client: SecretManagerServiceClient, secret: Secret, data: bytes) -> SecretVersion:
    """Add a version."""
    payload = SecretPayload(data=data, data_crc32c=crc32c(data))
    return client.add_secret_version(parent=secret.name, payload=payload)


def short(secrets: object) -> list[str]:
    """The secrets' own names."""
    return [secret.name.rpartition("/")[2] for secret in secrets]  # type: ignore[attr-defined]


def test_a_created_secret_comes_back_with_all_it_was_given(
    client: SecretManagerServiceClient,
) -> None:
    """Labels, annotations, an etag and a time; the name holds the project's number, not its id."""
    create(client, "smartlink-tenant-acme", smartlink="tenant")

    secret = client.get_secret(name=f"{PROJECT}/secrets/smartlink-tenant-acme")

    assert secret.labels == {"smartlink": "tenant"}
    assert secret.annotations == {"owner": "payroll"}
    assert secret.etag
    assert secret.create_time is not None
    _, number, _, name = secret.name.split("/")
    assert number.isdecimal()
    assert name == "smartlink-tenant-acme"


def test_the_name_with_the_number_serves_as_well(client: SecretManagerServiceClient) -> None:
    """What the service answers can be sent back to it."""
    created = create(client, "a")

    assert client.get_secret(name=created.name) == created


def test_a_secret_is_created_once(client: SecretManagerServiceClient) -> None:
    """The second attempt is a conflict, which says what exists."""
    create(client, "a")

    with pytest.raises((AlreadyExists, Conflict), match=r"secrets/a\] already exists"):
        create(client, "a")


@pytest.mark.parametrize("name", ["with space", "päyroll", "x" * 256])
def test_a_bad_name_is_refused(client: SecretManagerServiceClient, name: str) -> None:
    """The service's rule for ids."""
    with pytest.raises((BadRequest, InvalidArgument), match="A-Za-z0-9_-"):
        create(client, name)


def test_the_list_is_filtered_by_label_and_name(client: SecretManagerServiceClient) -> None:
    """The filters that the relay and its operators use."""
    create(client, "smartlink-tenant-acme", smartlink="tenant")
    create(client, "smartlink-tenant-globex", smartlink="tenant")
    create(client, "smartlink-erp-acme", smartlink="erp")
    create(client, "other")

    def listed(terms: str) -> list[str]:
        return short(client.list_secrets(request={"parent": PROJECT, "filter": terms}))

    assert listed("labels.smartlink=tenant") == ["smartlink-tenant-globex", "smartlink-tenant-acme"]
    assert listed("name:acme") == ["smartlink-erp-acme", "smartlink-tenant-acme"]
    assert listed("labels.smartlink=tenant AND name:acme") == ["smartlink-tenant-acme"]
    assert listed("labels:smartlink name:erp") == ["smartlink-erp-acme"]
    assert listed("")[0] == "other"
    with pytest.raises((BadRequest, InvalidArgument), match="not understood"):
        listed("create_time>2020-01-01")


def test_the_list_comes_in_pages(client: SecretManagerServiceClient) -> None:
    """Every secret once, whatever the size of a page."""
    names = [f"secret-{number}" for number in range(5)]
    for name in names:
        create(client, name)

    pages = list(client.list_secrets(request={"parent": PROJECT, "page_size": 2}).pages)

    assert [len(page.secrets) for page in pages] == [2, 2, 1]
    assert sorted(short(s for page in pages for s in page.secrets)) == names
    assert pages[0].total_size == 5


def test_projects_are_apart(client: SecretManagerServiceClient) -> None:
    """A secret shows in its own project only."""
    create(client, "a")

    assert short(client.list_secrets(parent="projects/another")) == []


def test_versions_are_read_by_number_and_as_the_latest(client: SecretManagerServiceClient) -> None:
    """The payload comes back whole, with a checksum that is right."""
    secret = create(client, "a")
    add(client, secret, b"first")
    add(client, secret, b"\x00second")

    first = client.access_secret_version(name=f"{PROJECT}/secrets/a/versions/1")
    latest = client.access_secret_version(name=f"{PROJECT}/secrets/a/versions/latest")

    assert first.payload.data == b"first"
    assert latest.payload.data == b"\x00second"
    assert latest.payload.data_crc32c == crc32c(b"\x00second")
    assert latest.name == f"{secret.name}/versions/2"


def test_a_new_version_leaves_the_secrets_etag(client: SecretManagerServiceClient) -> None:
    """Who caches by etag alone misses new payloads: the stand-in must not hide that."""
    secret = create(client, "a")

    add(client, secret, b"first")

    assert client.get_secret(name=secret.name).etag == secret.etag


def test_a_patch_changes_labels_and_the_etag(client: SecretManagerServiceClient) -> None:
    """Only the fields of the mask change."""
    secret = create(client, "a", smartlink="tenant")

    changed = Secret(name=secret.name, labels={"smartlink": "erp"}, annotations={"x": "y"})
    client.update_secret(secret=changed, update_mask="labels")

    now = client.get_secret(name=secret.name)
    assert now.labels == {"smartlink": "erp"}
    assert now.annotations == {"owner": "payroll"}
    assert now.etag != secret.etag


def test_a_patch_with_an_old_etag_is_refused(client: SecretManagerServiceClient) -> None:
    """Two operators do not overwrite each other."""
    secret = create(client, "a")
    client.update_secret(secret=Secret(name=secret.name, labels={"a": "b"}), update_mask="labels")

    late = Secret(name=secret.name, labels={"c": "d"}, etag=secret.etag)
    with pytest.raises((BadRequest, FailedPrecondition), match="etag"):
        client.update_secret(secret=late, update_mask="labels")


def test_a_deleted_secret_is_gone(client: SecretManagerServiceClient) -> None:
    """With its versions."""
    secret = create(client, "a")
    add(client, secret, b"first")

    client.delete_secret(name=secret.name)

    with pytest.raises(NotFound, match="not found"):
        client.access_secret_version(name=f"{secret.name}/versions/latest")


def test_what_is_not_there_is_not_found(client: SecretManagerServiceClient) -> None:
    """Secrets, versions, and the latest of none."""
    secret = create(client, "a")

    for name in ("a/versions/latest", "a/versions/7", "b/versions/1"):
        with pytest.raises(NotFound, match="not found"):
            client.access_secret_version(name=f"{PROJECT}/secrets/{name}")
    with pytest.raises(NotFound, match="not found"):
        client.get_secret(name=secret.name + "-other")


def test_a_version_is_disabled_enabled_and_destroyed(client: SecretManagerServiceClient) -> None:
    """Only an enabled version gives its payload; a destroyed one never again."""
    secret = create(client, "a")
    version = add(client, secret, b"first")

    client.disable_secret_version(name=version.name)
    with pytest.raises((BadRequest, FailedPrecondition), match="DISABLED"):
        client.access_secret_version(name=version.name)
    client.enable_secret_version(name=version.name)
    assert client.access_secret_version(name=version.name).payload.data == b"first"
    client.destroy_secret_version(name=version.name)

    [left] = client.list_secret_versions(parent=secret.name)
    assert left.state == SecretVersion.State.DESTROYED
    assert left.destroy_time is not None
    with pytest.raises((BadRequest, FailedPrecondition), match="DESTROYED"):
        client.enable_secret_version(name=version.name)
    with pytest.raises((BadRequest, FailedPrecondition), match="DESTROYED"):
        client.access_secret_version(name=version.name)


def test_a_payload_is_checked(client: SecretManagerServiceClient) -> None:
    """Its checksum and its size."""
    secret = create(client, "a")

    with pytest.raises((BadRequest, InvalidArgument), match="checksum"):
        client.add_secret_version(
            parent=secret.name, payload=SecretPayload(data=b"first", data_crc32c=1)
        )
    with pytest.raises((BadRequest, InvalidArgument), match="65536"):
        add(client, secret, b"x" * 65_537)
