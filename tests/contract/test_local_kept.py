"""The Firestore emulator's documents, kept over a restart."""

from pathlib import Path

import requests

from infra.local.emulators import firestore_program
from infra.local.kept import Kept
from infra.local.ports import HOST, free_ports
from infra.local.sdk import find_toolkit
from infra.local.supervisor import supervised
from tests.support.emulators import needs_emulators

pytestmark = needs_emulators
PATIENCE = 30
PROJECT = "kept"
OWNER = {"Authorization": "Bearer owner"}
FIELDS = {
    "DataTentativaExec": {"timestampValue": "2026-01-02T03:04:05.123456Z"},
    "Conteudo": {"bytesValue": "7aCA"},
    "Execucao": {"mapValue": {"fields": {"ID": {"stringValue": "ção"}}}},
}


def test_documents_are_there_again(tmp_path: Path) -> None:
    """As they were, below other documents too; what came after an export is in the next one."""
    kept = Kept(tmp_path / "kept")
    path = f"v1/projects/{PROJECT}/databases/(default)/documents/tenants/acme/GTotvsLinkMessage"
    for number in range(3):
        [port] = free_ports(1)
        host = f"{HOST}:{port}"
        program = firestore_program(find_toolkit(), port, documents=kept.documents)
        with supervised(tmp_path / "logs") as supervisor:
            supervisor.wait_ready(supervisor.start(program))
            url = f"http://{host}/{path}"
            listed = requests.get(url, headers=OWNER, timeout=PATIENCE).json()
            found = {it["name"].rpartition("/")[2]: it for it in listed.get("documents", [])}
            assert sorted(found) == [f"D-{it}" for it in range(number)]
            assert all(it["fields"] == FIELDS for it in found.values())
            requests.patch(
                f"{url}/D-{number}", json={"fields": FIELDS}, headers=OWNER, timeout=PATIENCE
            ).raise_for_status()
            kept.export(host, PROJECT)
