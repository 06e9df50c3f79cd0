"""The addresses of a running stack, which `.local/stack.json` shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from smartlink.domain.catalog import Catalog

CONFIG_FILE = "totvsAppConfig_v2.json"


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """The addresses: emulators as `host:port`, everything else as URLs."""

    project: str
    firestore: str
    pubsub: str
    storage: str
    secret_manager: str
    base_url: str
    rac_token_url: str
    simulator: str | None  # None: the user's own broker is used
    functions: Mapping[str, str]
    config_bucket: str
    contents_bucket: str

    @property
    def config_uri(self) -> str:
        """The URI of the configuration file."""
        return f"gs://{self.config_bucket}/{CONFIG_FILE}"

    def json(self, catalog: Catalog) -> dict[str, Any]:
        """Write the addresses for people and programs."""
        topics = {name: command.topic for name, command in catalog.commands.items()}
        return {
            "project": self.project,
            "emulators": {
                "FIRESTORE_EMULATOR_HOST": self.firestore,
                "PUBSUB_EMULATOR_HOST": self.pubsub,
                "STORAGE_EMULATOR_HOST": f"http://{self.storage}",
                "SECRET_MANAGER_EMULATOR_HOST": self.secret_manager,
            },
            "baseUrl": self.base_url,
            "racTokenUrl": self.rac_token_url,
            "simulator": self.simulator,
            "functions": dict(self.functions),
            "topics": topics | {name: it.topic for name, it in catalog.pushed.items()},
            "buckets": {"config": self.config_bucket, "contents": self.contents_bucket},
            "configUri": self.config_uri,
        }
