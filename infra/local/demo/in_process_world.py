"""Shows the relay without emulators to the demo."""

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from google.cloud.firestore_v1.types import Document
from google.protobuf.json_format import MessageToDict

from infra.local.addresses import CONFIG_FILE
from infra.local.checkout import CATALOG
from infra.local.demo.in_process import InProcessRelay
from infra.local.demo.world import World
from infra.local.firestore_view import HISTORY, LIVE, LOGS, plain_fields
from infra.local.rest import Json
from infra.local.settings import LocalSettings
from infra.local.stack import Plan
from infra.local.stack_file import sole_stack
from infra.simulator.running import RunningSimulator, running_simulator
from smartlink.adapters.firestore import documents
from smartlink.adapters.in_memory import InMemorySecrets
from smartlink.observability import JsonFormatter
from smartlink.settings import Settings
from smartlink.settings import load_settings as load_function_settings


class InProcessWorld:
    """The world of a relay that runs in this process, without emulators."""

    mode = "in-process"

    def __init__(self, relay: InProcessRelay, simulator: str, log: Path) -> None:
        """`log` is the file of the relay's log lines."""
        self._relay = relay
        self._log = log
        self.simulator = simulator

    def tick(self) -> None:
        """See World."""
        self._relay.tick()

    def check(self) -> None:
        """See World."""
        self._relay.check()

    def documents(self, tenant: str, collection: str) -> list[Json]:
        """See World. The fields have the names that Firestore would hold."""
        store, found = self._relay.store, []
        if collection == LIVE:
            for stored in store.live(tenant).values():
                found.append(Document.pb()())
                owned = documents.Owned(tenant, stored.message)
                documents.put_live(found[-1].fields, owned)
        elif collection == HISTORY:
            for ended in store.ended(tenant).values():
                found.append(Document.pb()())
                documents.put_history(found[-1].fields, ended)
        else:
            for line in store.logs(tenant):
                found.append(Document.pb()())
                documents.put_log(found[-1].fields, ("", line))
        return [plain_fields(MessageToDict(document).get("fields", {})) for document in found]

    def counts(self) -> Mapping[str, int]:
        """See World."""
        store, tenants = self._relay.store, self._relay.tenants
        return {
            LIVE: sum(len(store.live(tenant)) for tenant in tenants),
            HISTORY: sum(len(store.ended(tenant)) for tenant in tenants),
            LOGS: sum(len(store.logs(tenant)) for tenant in tenants),
        }

    def clues(self) -> list[str]:
        """See World."""
        lines = self._log.read_text(encoding="utf-8").splitlines()
        return [line for line in lines if '"severity":"ERROR"' in line][-10:]


@contextmanager
def logs_in(path: Path) -> Iterator[None]:
    """Write the relay's log lines to a file, because the demo uses stdout."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, mode="w", encoding="utf-8")
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("smartlink")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        handler.close()


@contextmanager
def in_process_world(settings: LocalSettings, plan: Plan) -> Iterator[World]:
    """Run the relay and the simulator in threads of this process."""
    log = settings.folder / "logs" / "relay.log"
    config = json.dumps(plan.config).encode()
    names = [tenant.tenant for tenant in plan.tenants]
    with sole_stack(settings.folder), logs_in(log), running_simulator() as simulator:
        for tenant in plan.tenants:
            secret = tenant.client_secret.get_secret_value()
            simulator.add_tenant(tenant.tenant, tenant.client_id, secret, tenant.tenant_id)
        function_settings = _settings(plan, simulator)
        secrets = _secrets(settings, plan)
        relay = InProcessRelay(function_settings, secrets, config, names)
        with relay.running():
            yield InProcessWorld(relay, simulator.url, log)


def _secrets(settings: LocalSettings, plan: Plan) -> InMemorySecrets:
    tenants = {tenant.tenant: json.dumps(tenant.secret()).encode() for tenant in plan.tenants}
    erps = {
        tenant.tenant: json.dumps(tenant.erp_secret(settings.folder)).encode()
        for tenant in plan.tenants
    }
    secrets = InMemorySecrets(tenants, erps)
    for tenant in plan.tenants:
        secrets.put_titular(tenant.tenant, json.dumps(tenant.titular_secret()).encode())
        for name, payload in tenant.own_secrets().items():
            secrets.put_own(tenant.tenant, name, payload)
    return secrets


def _settings(plan: Plan, simulator: RunningSimulator) -> Settings:
    return load_function_settings(
        {
            "GOOGLE_CLOUD_PROJECT": plan.project,
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": f"gs://in-memory/{CONFIG_FILE}",
            "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8"),
            "SMARTLINK_BASE_URL": simulator.url,
            "SMARTLINK_RAC_TOKEN_URL": simulator.rac_token_url,
        }
    )
