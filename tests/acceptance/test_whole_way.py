"""A hundred messages through the local stack, by the very run that `make accept` makes."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.acceptance.calls import EmulatorCalls
from infra.acceptance.flow.running import send_hundred
from infra.acceptance.place import Place
from infra.acceptance.probe import Verdict
from infra.acceptance.report import Report
from infra.acceptance.running import ask_all
from infra.acceptance.whole_way import PROBES
from infra.local.checkout import CATALOG
from infra.local.settings import LocalSettings
from infra.local.stack import Plan, RunningStack, running_stack
from infra.local.tenants import LocalTenant
from smartlink import bootstrap
from smartlink.domain.tenant import ACCEPTANCE_TENANT
from smartlink.settings import load_settings
from tests.acceptance.local_stage import COMPOSED, NAME, LocalStage
from tests.acceptance.place import place_of
from tests.support.emulators import needs_emulators

pytestmark = needs_emulators

OTHER = "acme"
HUSH = "hush-of-acme"
CONFIG = {
    "TotvsAppGlobalConfig": {
        "IntegrationSmartLinkInfo": {
            "QtdeTentativasExec": 2,
            "FatorTempoExecucao": 1,
            "MinutesInterval": 0.05,  # the retry is due after 6 s
        }
    }
}
CLOUD_ONLY = {it.name for it in PROBES if it.cloud_only}


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Undo what the operators' composition sets in this process."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    for name in COMPOSED:
        getattr(bootstrap, name).cache_clear()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("whole-way")
    entry = {"tenant": OTHER, "clientId": "id-of-acme", "clientSecret": HUSH}
    plan = Plan(project="accepting", tenants=(LocalTenant.model_validate(entry),), config=CONFIG)
    with running_stack(LocalSettings(folder=folder), plan) as running:
        running.tick()  # the other tenant is set up
        yield running


@dataclass
class Run:
    """A run on the stack, and what it left."""

    place: Place
    stage: LocalStage
    told: Report

    def result(self, name: str) -> tuple[Verdict, str]:
        [found] = [it for it in self.told.results if it.probe.name == name]
        return found.verdict, found.seen

    @property
    def left(self) -> list[str]:
        """What is still there of the acceptance's tenant."""
        place, config = self.place, self.place.settings
        parent = f"/v1/projects/{config.project}"
        tenants = f"{parent}/databases/(default)/documents/tenants"
        listed = place.call("firestore", "POST", f"{tenants}/{ACCEPTANCE_TENANT}:listCollectionIds")
        objects = f"/storage/v1/b/{config.bucket}/o"
        named = [
            *place.listed("secretmanager", f"{parent}/secrets", "secrets"),
            *place.listed("firestore", tenants, "documents"),
            *place.listed("storage", objects, "items"),
        ]
        names = [it["name"] for it in named if ACCEPTANCE_TENANT in it["name"]]
        return [*names, *listed.body.get("collectionIds", [])]


def variables(stack: RunningStack) -> dict[str, str]:
    at = stack.addresses
    return {
        "GOOGLE_CLOUD_PROJECT": at.project,
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_CONFIG_URI": at.config_uri,
        "SMARTLINK_CONTENTS_BUCKET": at.contents_bucket,
        "SMARTLINK_BASE_URL": at.base_url,
        "SMARTLINK_RAC_TOKEN_URL": at.rac_token_url,
        "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8"),
        "FIRESTORE_EMULATOR_HOST": at.firestore,
        "PUBSUB_EMULATOR_HOST": at.pubsub,
        "STORAGE_EMULATOR_HOST": f"http://{at.storage}",
        "SECRET_MANAGER_EMULATOR_HOST": at.secret_manager,
    }


def run(
    stack: RunningStack,
    folder: Path,
    fails: Callable[[str], None] = lambda _step: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Run:
    config = load_settings(variables(stack))
    place = place_of(config, EmulatorCalls(config), local=True, real_time=True)
    place.wait = lambda _seconds: stack.tick()
    stage = LocalStage(stack, variables(stack), folder, fails=fails)
    told = ask_all(
        place,
        "the stack",
        PROBES,
        lambda _: None,
        before=lambda: send_hundred(place, stage, lambda _: None, stopped),
    )
    return Run(place, stage, told)


def simulated(stack: RunningStack, path: str) -> Any:  # noqa: ANN401  (JSON)
    return requests.get(f"{stack.addresses.simulator}/simulator/{path}", timeout=30).json()


def offer_to_the_other(stack: RunningStack, number: int) -> None:
    content = json.dumps({"header": {}, "content": {"requestID": f"other-{number}"}})
    message = {"id": f"other-{number}", "type": "SGDPLogsCommand", "content": content}
    body = {"tenant": OTHER, "messages": [message]}
    url = f"{stack.addresses.simulator}/simulator/offer"
    assert requests.post(url, json=body, timeout=30).json()["queued"] == 1


@pytest.fixture(scope="module")
def whole(stack: RunningStack, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run from its beginning to its end, with another tenant at work meanwhile."""
    return run(
        stack,
        tmp_path_factory.mktemp("run"),
        fails=lambda step: offer_to_the_other(stack, 1) if step == "is up" else None,
    )


@pytest.mark.parametrize("probe", PROBES, ids=lambda it: it.name)
def test_each_probe(whole: Run, probe: Any) -> None:  # noqa: ANN401
    """It holds here, unless only Google can tell."""
    verdict, seen = whole.result(probe.name)
    expected = Verdict.UNKNOWN if probe.name in CLOUD_ONLY else Verdict.HOLDS
    assert (verdict, seen) == (expected, seen)


def test_a_hundred_messages(whole: Run) -> None:
    assert whole.place.flow is not None
    assert len(whole.place.flow.offered) + whole.place.flow.published.total() == 100
    assert whole.told.accepted


def test_nothing_is_left(whole: Run) -> None:
    """Neither documents, secrets and objects, nor the simulator, nor the route to it."""
    assert whole.left == []
    assert whole.told.left == []
    assert whole.stage.steps[-1] == "strike"
    assert NAME not in whole.stage.stack.pids


def test_the_other_tenant_never_got_to_the_simulator(whole: Run, stack: RunningStack) -> None:
    """It worked on meanwhile, at its own broker, which the acceptance's tenant never called."""
    assert whole.place.flow is not None
    assert set(whole.place.flow.stats["tenants"]) == {ACCEPTANCE_TENANT}
    assert whole.place.flow.stats["token"] <= 4  # of the acceptance's tenant, in each process
    assert [it["content"] for it in simulated(stack, f"sent?tenant={OTHER}")]
    assert set(simulated(stack, "queues")) == {OTHER}
    assert ACCEPTANCE_TENANT not in simulated(stack, "stats")["tenants"]


def test_no_key_in_any_log(whole: Run, stack: RunningStack) -> None:
    """Nor in the report: it has 256 bits, and the digest says whether a text is the key."""
    texts = [path.read_text(errors="replace") for path in stack.logs.glob("*.log")]
    texts.append(json.dumps(whole.told.document()))
    found = {it for text in texts for it in re.findall(r"[\w-]{43}", text)}
    assert not [it for it in found if whole.stage.opens(it)]
    assert not any(HUSH in text for text in texts)
