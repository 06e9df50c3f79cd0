"""Each function imports its own use case and the vendors that it uses, and no other's.

Cloud Storage's and Secret Manager's clients are imported by the first call that needs them.
"""

import os
from pathlib import Path

import pytest

from tests.bench.imports import Imported, loaded, third_party
from tests.bench.services import bench_catalog, deploy

# What google-cloud-* and functions-framework import themselves, whoever uses them. Among it is
# `requests`: google.api_core.retry imports it.
EVERYWHERE = {
    "firestore",
    "flask",
    "functions_framework",
    "grpc",
    "pydantic",
    "requests",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The deployed folder, with the bench's consumer, which has no ERP."""
    place = tmp_path_factory.mktemp("deployed") / "functions"
    deploy(place)
    return place


def imported(folder: Path, use_case: str, command: str = "") -> Imported:
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "GOOGLE_CLOUD_PROJECT": "test",
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
        "SMARTLINK_CATALOG": bench_catalog().model_dump_json(by_alias=True, exclude_unset=True),
        "SMARTLINK_COMMAND": command,
        "SMARTLINK_IAP_AUDIENCE": "/projects/1/locations/l/services/console",
        **{
            f"{name}_EMULATOR_HOST": "127.0.0.1:1"
            for name in ("FIRESTORE", "PUBSUB", "STORAGE", "SECRET_MANAGER")
        },
    }
    return loaded(use_case, folder, environment)


def use_cases(found: Imported) -> set[str]:
    """Whose modules are loaded."""
    jobs = {f"smartlink.services.polling.{it}" for it in ("config", "standing_jobs")}  # operate's
    parts = (it.split(".") for it in found.modules - jobs if it.startswith("smartlink.services."))
    rooms = {"polling", "consuming", "publishing"}
    return {it[2] for it in parts if len(it) > 3 and it[2] in rooms}


def consumers(found: Imported) -> set[str]:
    """The consumers' modules, and the authors' interface, with its models."""
    return {it for it in found.modules if it.split(".")[0] == "consumers"} | (
        {"smartlink.consumer"} & found.modules
    )


def test_poll_imports_no_erp(folder: Path) -> None:
    """It talks to every service of Google's and to the broker, but to no ERP's database."""
    found = imported(folder, "poll")
    assert found.vendors == EVERYWHERE | {"pubsub"}
    assert use_cases(found) == {"polling"}
    assert not consumers(found)


def test_publish_imports_neither_pubsub_nor_an_erp(folder: Path) -> None:
    """Nor what only a poll needs: the broker's and RAC's client."""
    found = imported(folder, "publish")
    assert found.vendors == EVERYWHERE
    assert use_cases(found) == {"publishing"}
    assert not consumers(found)
    assert not found.modules & {
        "smartlink.adapters.http.connections",
        "smartlink.adapters.http.rac",
    }


def test_operate_imports_no_use_case_of_messages(folder: Path) -> None:
    """It works at jobs: what a poll and a consumer do is none of it."""
    found = imported(folder, "operate")
    assert use_cases(found) == set()
    assert not consumers(found)


def test_the_console_imports_no_consumer(folder: Path) -> None:
    """It writes an identifier as TPD's consumers do, and needs none of their models for that."""
    found = imported(folder, "console")
    assert found.vendors == {"flask", "functions_framework", "pydantic", "requests"}
    assert consumers(found) == {"consumers", "consumers.sgdp", "consumers.sgdp.identifiers"}


def test_a_consumer_without_an_erp_imports_no_sqlalchemy(folder: Path) -> None:
    """What one consumer imports is no other's burden."""
    found = imported(folder, "consume", "BenchCommand")
    assert found.vendors == EVERYWHERE
    assert use_cases(found) == {"consuming"}
    assert not found.modules & {
        "smartlink.adapters.http.connections",
        "smartlink.adapters.http.rac",
    }


def test_a_consumer_with_an_erp_imports_its_driver_and_no_more(folder: Path) -> None:
    """Pub/Sub's client and the broker's are the poll's alone."""
    command = next(name for name, entry in bench_catalog().commands.items() if entry.erp)
    found = imported(folder, "consume", command)
    assert found.vendors == EVERYWHERE | {"sqlalchemy"}
    assert not found.modules & {
        "smartlink.adapters.http.connections",
        "smartlink.adapters.http.rac",
    }


def test_only_the_statements_of_third_parties_make_the_bare_function(tmp_path: Path) -> None:
    """Neither ours, nor Python's, nor what stands inside a function or a type checker's branch."""
    file = tmp_path / "some.py"
    file.write_text(
        "import json, grpc\n"
        "import google.cloud.storage\n"
        "from requests import Session as S, get\n"
        "from smartlink.ports import Clock\n"
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import sqlalchemy\n"
        "def late():\n    import flask\n    from sqlalchemy import text\n"
    )
    assert third_party([file]) == [
        "import grpc",
        "import google.cloud.storage",
        "from requests import Session",
        "from requests import get",
    ]
    assert third_party([file], ["sqlalchemy"])[-1] == "from sqlalchemy import text"
