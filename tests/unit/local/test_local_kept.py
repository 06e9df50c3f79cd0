"""What a stack keeps over a restart."""

import base64
import stat
from pathlib import Path

import pytest

from infra.local.cloud_storage import _server
from infra.local.kept import Kept
from infra.local.secret_store import SecretStore

PAYLOAD = {"payload": {"data": base64.b64encode(b"hush").decode()}}


def test_secrets_outlive_their_store(tmp_path: Path) -> None:
    """With their versions, states, labels and etags; the file is its owner's alone."""
    file = Kept(tmp_path / "kept").secrets
    store = SecretStore(file=file)
    store.create("p", "a", {"replication": {"automatic": {}}, "labels": {"smartlink": "tenant"}})
    store.create("p", "gone", {"replication": {"automatic": {}}})
    store.add_version("p", "a", PAYLOAD)
    store.add_version("p", "a", PAYLOAD)
    store.change_state("p", "a", "1", "DISABLED")
    store.patch("p", "a", {"annotations": {"n": "1"}}, "annotations")
    store.delete("p", "gone")
    again = SecretStore(file=file)
    assert again.list("p") == store.list("p")
    assert again.versions("p", "a") == store.versions("p", "a")
    assert again.access("p", "a", "latest") == store.access("p", "a", "latest")
    assert stat.S_IMODE(file.stat().st_mode) == stat.S_IRUSR | stat.S_IWUSR


def test_a_store_without_a_file_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in tests."""
    monkeypatch.chdir(tmp_path)
    SecretStore().create("p", "a", {"replication": {"automatic": {}}})
    assert list(tmp_path.iterdir()) == []


def test_objects_outlive_their_server(tmp_path: Path) -> None:
    """In the folder that it is given."""
    folder = Kept(tmp_path).storage
    for expected in (0, 1):
        server = _server(0, folder)
        storage = server.RequestHandlerClass.args[0]  # type: ignore[attr-defined]
        assert len(storage.buckets) == expected
        if not expected:
            storage.create_bucket("b", {"name": "b"})
        server.server_close()


def test_nothing_is_imported_before_anything_was_exported(tmp_path: Path) -> None:
    """The first stack begins empty."""
    assert Kept(tmp_path).documents is None
