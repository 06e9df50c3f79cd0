"""Large contents and the configuration file, in a bucket."""

import hashlib
import json
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
import requests

from infra.local.cloud_storage import cloud_storage
from infra.local.ports import free_ports
from smartlink.adapters.google.storage import BucketContents, ConfigObject, object_name
from smartlink.adapters.in_memory import InMemoryConfig, InMemoryContents
from smartlink.domain.config import MAX_BYTES
from smartlink.domain.identity import Direction, document_id, reused_document_id
from smartlink.ports import (
    ConfigSource,
    Contents,
    NotFound,
    Refused,
    StoredContent,
    Unavailable,
)
from tests.contract.backends import AT_ONCE, BACKENDS
from tests.support.samples import NOW

PROJECT = "contract"
FUTURE = datetime(9999, 1, 1, tzinfo=UTC)
CLOCKS = timedelta(seconds=1)  # by which they may differ
CONFIG = "config/totvsAppConfig_v2.json"


class Storage:
    """A bucket of the emulator, past the adapter."""

    def __init__(self, host: str) -> None:
        self.host = host
        self.bucket = f"bucket-{uuid.uuid4().hex[:12]}"
        bucket = json.dumps({"name": self.bucket}).encode()
        self._ask("POST", f"storage/v1/b?project={PROJECT}", bucket, "application/json")

    def write(self, name: str, data: bytes) -> None:
        path = f"upload/storage/v1/b/{self.bucket}/o?uploadType=media&name={quote(name, safe='')}"
        self._ask("POST", path, data, "application/octet-stream")

    def metadata(self, name: str) -> dict[str, Any]:
        path = f"storage/v1/b/{self.bucket}/o/{quote(name, safe='')}"
        return dict(json.loads(self._ask("GET", path)))

    def _ask(self, method: str, path: str, data: bytes | None = None, kind: str = "") -> bytes:
        headers = {"Content-Type": kind}
        answer = requests.request(
            method, f"http://{self.host}/{path}", data=data, headers=headers, timeout=30
        )
        answer.raise_for_status()
        return answer.content

    def contents(self) -> BucketContents:
        return BucketContents(self.bucket, PROJECT, self.host, patience=AT_ONCE)

    def config(self) -> ConfigObject:
        uri = f"gs://{self.bucket}/{CONFIG}"
        return ConfigObject(uri, PROJECT, f"http://{self.host}", patience=AT_ONCE)


@pytest.fixture(scope="module")
def storage_host() -> Iterator[str]:
    [port] = free_ports(1)
    with cloud_storage(port) as host:
        yield host


@pytest.fixture
def storage(storage_host: str) -> Storage:
    return Storage(storage_host)


@pytest.fixture(params=BACKENDS)
def contents(request: pytest.FixtureRequest) -> Contents:
    if request.param == "in-memory":
        return InMemoryContents()
    storage: Storage = request.getfixturevalue("storage")
    return storage.contents()


@dataclass(frozen=True)
class Configured:
    """The source, and how to write the file."""

    source: ConfigSource
    write: Callable[[bytes], None]


@pytest.fixture(params=BACKENDS)
def configured(request: pytest.FixtureRequest) -> Configured:
    if request.param == "in-memory":
        memory = InMemoryConfig()
        return Configured(memory, memory.put)
    storage: Storage = request.getfixturevalue("storage")
    return Configured(storage.config(), lambda data: storage.write(CONFIG, data))


def put(contents: Contents, data: bytes, document: str = "D-m-1", tenant: str = "acme") -> str:
    return contents.put(tenant, document, hashlib.sha256(data).hexdigest(), data)


@pytest.mark.parametrize("size", [0, 1, 300_000, 9_000_000])
def test_a_content_comes_back(contents: Contents, size: int) -> None:
    """Of any size, with every byte there is: beyond 8 MB it travels in pieces."""
    data = (bytes(range(256)) * (size // 256 + 1))[:size]
    assert contents.get(put(contents, data)) == data


def test_the_same_content_again_is_no_error(contents: Contents) -> None:
    assert put(contents, b"x") == put(contents, b"x")
    assert contents.get(put(contents, b"x")) == b"x"


def test_contents_are_apart(contents: Contents) -> None:
    """By tenant, by document and by what they say."""
    names = {
        put(contents, b"x"),
        put(contents, b"y"),
        put(contents, b"x", "D-m-2"),
        put(contents, b"x", tenant="globex"),
    }
    assert len(names) == 4


@pytest.mark.parametrize(
    "identity", ["a/b", "..", "~", "é\ud800", "%2F", "?#[]*", "x" * 998, "x" * 5_000]
)
def test_a_content_of_an_odd_document_comes_back(contents: Contents, identity: str) -> None:
    document = document_id(Direction.DOWNSTREAM, identity)
    reused = reused_document_id(document, "command", "0" * 64)
    for name in (document, reused):
        data = name.encode()
        assert contents.get(put(contents, data, name, "t" * 63)) == data


def test_a_missing_content_is_not_found(contents: Contents) -> None:
    with pytest.raises(NotFound, match="acme/D-none/00"):
        contents.get("acme/D-none/00")


def test_ending_a_content_that_is_missing_is_no_error(contents: Contents) -> None:
    contents.expire("acme/D-none/00", NOW)
    contents.delete("acme/D-none/00")


def test_a_deleted_content_is_not_found(contents: Contents) -> None:
    name = put(contents, b"x")
    contents.delete(name)
    with pytest.raises(NotFound):
        contents.get(name)


def test_an_ended_content_can_still_be_read(contents: Contents) -> None:
    name = put(contents, b"x")
    contents.expire(name, NOW)
    assert contents.get(name) == b"x"


def test_a_content_expires_from_the_end_of_its_message(storage: Storage) -> None:
    """And no more, once the same message is live again."""
    contents = storage.contents()
    name = put(contents, b"x")
    assert "customTime" not in storage.metadata(name)
    contents.expire(name, NOW + timedelta(hours=1))
    assert storage.metadata(name)["customTime"] == "2026-03-09T13:30:15.123457Z"
    put(contents, b"x")
    assert "customTime" not in storage.metadata(name)
    assert contents.get(name) == b"x"


def test_an_expiry_is_not_moved_back(contents: Contents) -> None:
    name = put(contents, b"x")
    contents.expire(name, NOW)
    contents.expire(name, NOW)
    contents.expire(name, NOW + timedelta(hours=1))
    with pytest.raises(Refused, match=name):
        contents.expire(name, NOW)
    assert contents.get(name) == b"x"


def listed(contents: Contents) -> dict[str, StoredContent]:
    """What does not expire, however lately it was put."""
    found, following = contents.lasting("", FUTURE, 100)
    assert following == ""
    return {item.name: item for item in found}


def test_what_does_not_expire_is_listed_with_its_document(contents: Contents) -> None:
    """Not what has an expiry or is deleted; and of the others since when nobody put them."""
    before = datetime.now(UTC)
    lasting = put(contents, b"x", "D-lasting")
    expiring = put(contents, b"x", "D-expiring")
    contents.expire(expiring, NOW)
    contents.delete(put(contents, b"x", "D-deleted"))
    found = listed(contents)
    assert found.keys() == {lasting}
    assert found[lasting].document == "D-lasting"
    assert before - CLOCKS <= found[lasting].touched <= datetime.now(UTC) + CLOCKS
    assert contents.lasting("", before - CLOCKS, 100) == ([], "")


def test_a_listing_tells_the_document_that_a_name_cannot(storage: Storage) -> None:
    """Of an id so long that its hash stands in the name."""
    contents = storage.contents()
    document = f"D-{'x' * 1_100}"
    name = put(contents, b"x", document)
    assert document not in name
    assert listed(contents)[name].document == document
    put(contents, b"x", document)
    assert listed(contents)[name].document == document


@pytest.mark.parametrize("size", [1, 2, 3, 10])
def test_a_listing_comes_in_pages(contents: Contents, size: int) -> None:
    """Each object once, in the order of the names, also where a page holds nothing to tell."""
    names = sorted(put(contents, b"x", f"D-{number}") for number in range(7))
    for name in names[2:5]:
        contents.expire(name, NOW)
    found, following, pages = [], "", 0
    while following or not pages:
        page, following = contents.lasting(following, FUTURE, size)
        found += [item.name for item in page]
        pages += 1
    assert found == names[:2] + names[5:]
    assert pages == -(-7 // size)


def test_an_unchanged_content_expires(contents: Contents) -> None:
    name = put(contents, b"x")
    assert contents.expire_unchanged(listed(contents)[name], NOW)
    assert listed(contents) == {}
    assert contents.get(name) == b"x"


@pytest.mark.parametrize("change", ["put", "expired", "deleted", "replaced"])
def test_a_content_that_changed_since_it_was_listed_does_not_expire(
    contents: Contents, change: str
) -> None:
    """A second message, a redrive, a repeat took it up again; or it went, or is another one."""
    name = put(contents, b"x")
    before = listed(contents)[name]
    if change == "put":
        put(contents, b"x")
    if change in {"expired", "replaced"}:
        contents.expire(name, NOW)
    if change == "deleted":
        contents.delete(name)
    if change == "replaced":
        put(contents, b"x")
    assert not contents.expire_unchanged(before, NOW + timedelta(hours=1))
    lasting = listed(contents)
    assert lasting.keys() == ({name} if change in {"put", "replaced"} else set())
    assert all(it.touched >= before.touched for it in lasting.values())
    if change == "deleted":
        with pytest.raises(NotFound):
            contents.get(name)
    else:
        assert contents.get(name) == b"x"


def test_a_content_that_was_put_again_after_its_expiry_does_not_expire(contents: Contents) -> None:
    name = put(contents, b"x")
    assert contents.expire_unchanged(listed(contents)[name], NOW)
    assert put(contents, b"x") == name
    assert listed(contents).keys() == {name}


def test_what_was_put_once_can_be_withdrawn(contents: Contents) -> None:
    """Not what others put as well, or what was put in place of what others refer to."""
    name = put(contents, b"x")
    assert contents.withdraw(name)
    with pytest.raises(NotFound):
        contents.get(name)
    assert contents.withdraw(name), "an answer may be lost"
    put(contents, b"x")
    put(contents, b"x")
    assert not contents.withdraw(name)
    contents.delete(name)
    put(contents, b"x")
    contents.expire(name, NOW)
    assert not contents.withdraw(name)
    put(contents, b"x")
    assert not contents.withdraw(name)
    assert contents.get(name) == b"x"


def test_many_who_put_the_same_at_once_all_do(contents: Contents) -> None:
    """And none of them can withdraw it from the others."""
    with ThreadPoolExecutor(4) as threads:
        names = set(threads.map(lambda _: put(contents, b"x"), range(4)))
    [name] = names
    assert not contents.withdraw(name)
    assert contents.get(name) == b"x"


def test_a_content_that_changed_is_refused(storage: Storage) -> None:
    contents = storage.contents()
    name = put(contents, b"x")
    storage.write(name, b"y")
    with pytest.raises(Refused, match="its hash differs"):
        contents.get(name)


def test_names_fit_and_are_apart() -> None:
    """Firestore's ids may be longer than Storage's names."""
    documents = [f"D-{'x' * 1_100}{number}" for number in range(2)]
    names = {object_name("t" * 63, document, "0" * 64) for document in documents}
    assert len(names) == 2
    assert all(len(name.encode()) <= 1_024 for name in names)


def test_the_file_is_read_once_for_each_generation(configured: Configured) -> None:
    configured.write(b'{"a": 1}')
    first = configured.source.read(None)
    assert first
    assert first.data == b'{"a": 1}'
    assert configured.source.read(first.generation) is None
    configured.write(b'{"a": 2}')
    second = configured.source.read(first.generation)
    assert second
    assert second.data == b'{"a": 2}'
    assert second.generation != first.generation


def test_a_missing_file_is_not_found(configured: Configured) -> None:
    with pytest.raises(NotFound):
        configured.source.read(None)


def test_a_generation_that_never_was_is_no_known_one(configured: Configured) -> None:
    configured.write(b"{}")
    read = configured.source.read("default")
    assert read
    assert read.data == b"{}"


def test_a_file_of_the_largest_size_is_read(configured: Configured) -> None:
    configured.write(b"x" * MAX_BYTES)
    read = configured.source.read(None)
    assert read
    assert read.data == b"x" * MAX_BYTES


def test_a_huge_file_is_refused_without_being_kept(storage: Storage) -> None:
    storage.write(CONFIG, b"x" * (MAX_BYTES + 1))
    with pytest.raises(Refused, match="more than 1000000 bytes"):
        storage.config().read(None)


def test_a_storage_that_is_away_is_unavailable() -> None:
    """Nothing listens on port 1."""
    contents = BucketContents("bucket", PROJECT, "127.0.0.1:1", patience=AT_ONCE)
    with pytest.raises(Unavailable, match="write acme/D-m-1/"):
        put(contents, b"x")
    with pytest.raises(Unavailable):
        ConfigObject("gs://b/o", PROJECT, "127.0.0.1:1", patience=AT_ONCE).read(None)
