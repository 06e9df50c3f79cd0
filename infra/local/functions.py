"""Runs the functions as processes, each served by functions-framework, as in the cloud."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from infra.local.addresses import Addresses
from infra.local.checkout import CATALOG, FUNCTIONS
from infra.local.errors import SettingError
from infra.local.ports import HOST
from infra.local.program import Program, listens
from smartlink.domain.catalog import Catalog, CatalogError, Function, parse_catalog

TENANTS_REFRESH_SECONDS = 5


def load_catalog(path: Path = CATALOG) -> Catalog:
    """Read the catalogue of functions and commands."""
    try:
        return parse_catalog(path.read_bytes())
    except (OSError, CatalogError) as error:
        message = f"{path}: {error}."
        raise SettingError(message) from error


def consumer(command: str) -> str:
    """Name the process, and the log, of a command's consumer."""
    return f"consume-{command}"


def function_names(catalog: Catalog) -> list[str]:
    """Name every function's process."""
    return [*_targets(catalog), *map(consumer, catalog.commands)]


def _targets(catalog: Catalog) -> dict[str, Function]:
    """Return the functions that are no consumers."""
    functions = catalog.functions
    targets = {
        "poll": functions.poll,
        "poll_shard": functions.poll_shard,
        "publish": functions.publish,
    }
    return targets | ({"operate": functions.operate} if functions.operate else {})


def function_urls(catalog: Catalog, ports: Mapping[str, int]) -> dict[str, str]:
    """Build the URL of every function's process."""
    return {name: f"http://{HOST}:{ports[name]}/" for name in function_names(catalog)}


def function_environment(addresses: Addresses, catalog: Catalog) -> dict[str, str]:
    """Build the environment that all functions share, with the names of the deployed one."""
    without_proxy = ",".join(filter(None, (os.environ.get("NO_PROXY"), HOST, "localhost")))
    return {
        "GOOGLE_CLOUD_PROJECT": addresses.project,
        # A forgotten key file must not lead a local function to the real cloud.
        "GOOGLE_APPLICATION_CREDENTIALS": "",
        "PYTHONPATH": "",  # so that only what is in the deployed zip can be imported
        "NO_PROXY": without_proxy,
        "no_proxy": without_proxy,
        # Otherwise Cloud Storage's client asks for the bucket again, for traces that nobody uses.
        "DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA": "true",
        # There are no plugins, and to look for them takes reading every package's metadata.
        "PYDANTIC_DISABLE_PLUGINS": "__all__",
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_COMMAND": "",
        "SMARTLINK_CONFIG_URI": addresses.config_uri,
        "SMARTLINK_CATALOG": catalog.model_dump_json(by_alias=True, exclude_unset=True),
        "SMARTLINK_CONTENTS_BUCKET": addresses.contents_bucket,
        "SMARTLINK_BASE_URL": addresses.base_url,
        "SMARTLINK_RAC_TOKEN_URL": addresses.rac_token_url,
        "SMARTLINK_TENANTS_REFRESH_SECONDS": str(TENANTS_REFRESH_SECONDS),
        "FIRESTORE_EMULATOR_HOST": addresses.firestore,
        "PUBSUB_EMULATOR_HOST": addresses.pubsub,
        "STORAGE_EMULATOR_HOST": f"http://{addresses.storage}",
        "SECRET_MANAGER_EMULATOR_HOST": addresses.secret_manager,
    }


def function_programs(
    catalog: Catalog,
    ports: Mapping[str, int],
    environment: Mapping[str, str],
    source: Path = FUNCTIONS / "main.py",
) -> list[Program]:
    """Run each target once, and `consume` once for each command."""
    functions = catalog.functions
    programs = [
        function_program(
            target, target, ports[target], source, {**_cloud_run(function), **environment}
        )
        for target, function in _targets(catalog).items()
    ]
    for command in catalog.commands:
        name = consumer(command)
        own = {**_cloud_run(functions.consume), **environment, "SMARTLINK_COMMAND": command}
        programs.append(function_program(name, "consume", ports[name], source, own))
    return programs


def _cloud_run(function: Function) -> dict[str, str]:
    """Return what Cloud Run itself sets; functions-framework gives it to its server."""
    return {"CLOUD_RUN_TIMEOUT_SECONDS": str(function.timeout)}


def function_program(
    name: str, target: str, port: int, source: Path, environment: Mapping[str, str]
) -> Program:
    """Serve one target of a source file, as Cloud Run does."""
    command = (sys.executable, "-m", "functions_framework", "--source", source.name)
    options = ("--target", target, "--host", HOST, "--port", str(port))
    # The process listens after it has loaded the source; a GET would run the function.
    return Program(
        name,
        (*command, *options),
        port,
        listens(port),
        environment=environment,
        folder=source.parent,
    )
