"""What a local stack keeps over a restart, if SMARTLINK_LOCAL_KEEP asks for it.

Cloud Storage and Secret Manager write each change into the folder. The Firestore emulator has its
documents in memory, so they are exported once the functions have ended, and imported at the start.
Pub/Sub's messages and the simulator's queues go: the sweep dispatches again what was stored.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

from infra.local.rest import Rest

_EXPORT = "documents"


@dataclass(frozen=True)
class Kept:
    """The folder of a stack's state."""

    folder: Path

    @property
    def storage(self) -> Path:
        """The folder of Cloud Storage's objects."""
        return self.folder / "storage"

    @property
    def secrets(self) -> Path:
        """The file of Secret Manager's secrets."""
        return self.folder / "secrets.json"

    @property
    def documents(self) -> Path | None:
        """What the Firestore emulator is to import; None: nothing was exported yet."""
        file = self._documents / f"{_EXPORT}.overall_export_metadata"
        return file if file.is_file() else None

    def export(self, firestore: str, project: str) -> None:
        """Export the documents; an export that fails leaves the last one. Raises
        ProvisioningError."""
        fresh = self.folder / "fresh"
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        body = {
            "database": f"projects/{project}/databases/(default)",
            "export_directory": str(fresh),
            "export_name": _EXPORT,
        }
        Rest().call("POST", f"http://{firestore}/emulator/v1/projects/{project}:export", body)
        shutil.rmtree(self._documents, ignore_errors=True)
        (fresh / _EXPORT).replace(self._documents)
        shutil.rmtree(fresh)

    @property
    def _documents(self) -> Path:
        return self.folder / "firestore"
