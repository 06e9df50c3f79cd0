"""Creates in the emulators what Terraform creates in the cloud."""

import base64
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

from infra.local.addresses import CONFIG_FILE, Addresses
from infra.local.functions import consumer
from infra.local.rest import Json, Rest
from infra.local.tenants import LocalTenant, payload_text
from smartlink.domain.catalog import Catalog

# No public source gives RM's values; these are the functions' defaults.
DEFAULT_CONFIG: Json = {
    "TotvsAppGlobalConfig": {
        "IntegrationSmartLinkInfo": {
            "QtdeTentativasExec": 5,
            "FatorTempoExecucao": 1,
            "MinutesInterval": 3,
        }
    }
}


def create_topics(rest: Rest, addresses: Addresses, catalog: Catalog) -> None:
    """Create every topic with its push subscription."""
    for name, function in catalog.pushed.items():
        _create_topic(rest, addresses, str(function.topic), name, function.timeout)
    for name, command in catalog.commands.items():
        deadline = catalog.functions.consume.timeout
        _create_topic(rest, addresses, command.topic, consumer(name), deadline)


def _create_topic(
    rest: Rest, addresses: Addresses, topic: str, function: str, deadline: int
) -> None:
    parent = f"projects/{addresses.project}"
    url = f"http://{addresses.pubsub}/v1/{parent}"
    push = {"pushEndpoint": addresses.functions[function]}
    rest.call("PUT", f"{url}/topics/{topic}", {}, exists_ok=True)
    subscription = {
        "topic": f"{parent}/topics/{topic}",
        "pushConfig": push,
        "ackDeadlineSeconds": max(10, deadline),  # Pub/Sub's minimum
    }
    if rest.call("PUT", f"{url}/subscriptions/{topic}", subscription, exists_ok=True) is None:
        # An emulator that was running already has the functions' old addresses.
        push_config = {"pushConfig": push}
        rest.call("POST", f"{url}/subscriptions/{topic}:modifyPushConfig", push_config)


def create_buckets(rest: Rest, addresses: Addresses, config: Json) -> None:
    """Create both buckets, and the configuration file in one of them. Kept ones stay."""
    url = f"http://{addresses.storage}/storage/v1/b?project={addresses.project}"
    new = [
        bucket
        for bucket in (addresses.config_bucket, addresses.contents_bucket)
        if rest.call("POST", url, {"name": bucket}, exists_ok=True) is not None
    ]
    if addresses.config_bucket in new:
        write_config(rest, addresses, config)


def write_config(rest: Rest, addresses: Addresses, config: Json) -> None:
    """Write `totvsAppConfig_v2.json` as a new generation."""
    objects = f"http://{addresses.storage}/upload/storage/v1/b/{addresses.config_bucket}/o"
    data = json.dumps(config, indent=2).encode()
    rest.upload(f"{objects}?uploadType=media&name={quote(CONFIG_FILE)}", data)


def create_secrets(
    rest: Rest, addresses: Addresses, tenants: Iterable[LocalTenant], folder: Path
) -> None:
    """Create the secrets of each tenant; those that are kept stay."""
    for tenant in tenants:
        own = tenant.secret()
        erp = tenant.erp_secret(folder)
        titular = tenant.titular_secret()
        _create_secret(rest, addresses, f"smartlink-tenant-{tenant.tenant}", own, "tenant")
        _create_secret(rest, addresses, f"smartlink-erp-{tenant.tenant}", erp, "erp")
        _create_secret(rest, addresses, f"smartlink-titular-{tenant.tenant}", titular, "titular")
        for name, payload in tenant.secrets.items():
            _create_secret(rest, addresses, name, payload)


def _create_secret(
    rest: Rest, addresses: Addresses, name: str, payload: object, label: str | None = None
) -> None:
    url = f"http://{addresses.secret_manager}/v1/projects/{addresses.project}/secrets"
    secret: Json = {"replication": {"automatic": {}}}
    if label is not None:
        secret["labels"] = {"smartlink": label}
    if rest.call("POST", f"{url}?secretId={name}", secret, exists_ok=True) is None:
        return
    data = base64.b64encode(payload_text(payload).encode()).decode()
    rest.call("POST", f"{url}/{name}:addVersion", {"payload": {"data": data}})


def register_tenants(rest: Rest, simulator: str, tenants: Iterable[LocalTenant]) -> None:
    """Register the tenants' credentials with the simulator's RAC."""
    entries = [{"tenant": tenant.tenant, **tenant.credential()} for tenant in tenants]
    rest.call("POST", f"{simulator}/simulator/tenants", entries)
