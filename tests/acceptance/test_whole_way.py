"""A hundred messages through the local stack, by the very run that `make accept` makes."""

import base64
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from infra.acceptance.calls import EmulatorCalls
from infra.acceptance.flow.cleanup import remove_secrets
from infra.acceptance.flow.kinds import KINDS
from infra.acceptance.flow.observed import Observed
from infra.acceptance.flow.running import send_hundred
from infra.acceptance.place import Place
from infra.acceptance.probe import Probe, Verdict
from infra.acceptance.report import Report
from infra.acceptance.running import ask_all
from infra.acceptance.whole_way import PROBES
from infra.deploy.errors import DeployError
from infra.local.checkout import CATALOG
from infra.local.rest import Rest
from infra.local.settings import LocalSettings
from infra.local.stack import Plan, RunningStack, running_stack
from infra.local.tenants import LocalTenant
from smartlink import bootstrap
from smartlink.domain.message import EndedSummary
from smartlink.domain.tenant import ACCEPTANCE_TENANT
from smartlink.settings import load_settings
from tests.acceptance.local_stage import COMPOSED, NAME, LocalStage
from tests.acceptance.place import Scripted, place_of
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


@pytest.fixture(autouse=True, scope="module")
def _environment() -> Iterator[None]:
    """Undo what the operators' composition sets in this process, also for a fixture's run."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)
    for name in COMPOSED:
        getattr(bootstrap, name).cache_clear()


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningStack]:
    folder = tmp_path_factory.mktemp("whole-way")
    purposes = {"p": {"classification": "LEGAL_OBLIGATION", "justification": "x"}}
    erp = {
        "databaseUrl": f"sqlite:///{folder / 'acme.sqlite3'}",
        "map": {"purposes": purposes, "tables": {}},
    }
    entry = {"tenant": OTHER, "clientId": "id-of-acme", "clientSecret": HUSH, "erp": erp}
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


def test_a_run_that_fails_midway_leaves_nothing(stack: RunningStack, tmp_path: Path) -> None:
    """Its probes say where it broke off; what was made until then is removed."""

    def fails(step: str) -> None:
        if step == "publish":
            message = "no more"
            raise DeployError(message)

    failed = run(stack, tmp_path, fails)
    verdict, seen = failed.result("flow-completed")
    assert (verdict, seen) == (Verdict.FAILS, "it broke off: accepting: no more")
    assert failed.result("flow-plain")[0] is Verdict.HOLDS
    assert failed.result("flow-thaw") == (
        Verdict.UNKNOWN,
        "it was not sent: accepting: no more",
    )
    assert not failed.told.accepted
    assert (failed.left, failed.told.left) == ([], [])
    assert failed.stage.steps[-1] == "strike"


@pytest.mark.parametrize("step", ["check", "put up"])
def test_a_run_that_cannot_begin_takes_back_what_it_began(
    stack: RunningStack, tmp_path: Path, step: str
) -> None:
    """An apply that failed may have made something: so the last apply follows, if it was begun."""

    def fails(at: str) -> None:
        if at == step:
            message = "not here"
            raise DeployError(message)

    failed = run(stack, tmp_path, fails)
    assert failed.result("flow-completed")[0] is Verdict.FAILS
    assert failed.result("flow-strangers")[0] is Verdict.UNKNOWN
    assert ("strike" in failed.stage.steps) == (step != "check")
    assert (failed.left, failed.told.left) == ([], [])


def test_an_interruption_cleans_up(stack: RunningStack, tmp_path: Path) -> None:
    """Once the operator says stop, no further message is offered."""
    stop: list[str] = []
    interrupted = run(stack, tmp_path, stop.append, lambda: "is up" in stop)
    assert interrupted.result("flow-completed")[1] == "it broke off: it was interrupted"
    assert interrupted.place.flow is not None
    assert not interrupted.place.flow.offered
    assert (interrupted.left, interrupted.told.left) == ([], [])
    assert interrupted.stage.steps[-1] == "strike"


def test_the_leftovers_of_a_killed_run_go_first(stack: RunningStack, tmp_path: Path) -> None:
    make_secret(stack, {"clientId": "acceptance-killed", "clientSecret": "x"})
    again = run(stack, tmp_path, stopped=lambda: True)
    assert again.result("flow-completed")[1] == "it broke off: it was interrupted"
    assert again.left == []
    assert again.stage.steps == ["check"]  # stopped before anything was applied


def test_a_tenant_that_no_acceptance_made_is_left_alone(
    stack: RunningStack, tmp_path: Path
) -> None:
    """It may be a customer's: the run refuses, and removes nothing."""
    make_secret(stack, {"clientId": "somebody", "clientSecret": "x"})
    refused = run(stack, tmp_path)
    assert "that no acceptance made" in refused.result("flow-completed")[1]
    assert refused.stage.steps == ["check"]
    assert [it.rpartition("/")[2] for it in refused.left] == [
        f"smartlink-tenant-{ACCEPTANCE_TENANT}"
    ]
    remove_secrets(refused.place)


def make_secret(stack: RunningStack, payload: object) -> None:
    at = stack.addresses
    url = f"http://{at.secret_manager}/v1/projects/{at.project}/secrets"
    name = f"smartlink-tenant-{ACCEPTANCE_TENANT}"
    rest = Rest()
    secret = {"replication": {"automatic": {}}, "labels": {"smartlink": "tenant"}}
    rest.call("POST", f"{url}?secretId={name}", secret)
    data = base64.b64encode(json.dumps(payload).encode()).decode()
    rest.call("POST", f"{url}/{name}:addVersion", {"payload": {"data": data}})


def test_what_cannot_be_taken_away_is_told_with_its_command(
    stack: RunningStack, tmp_path: Path
) -> None:
    """The secrets and documents go all the same; the next run finds the simulator and refuses."""

    def fails(step: str) -> None:
        if step in ("is up", "strike"):
            message = "no rights"
            raise DeployError(message)

    failed = run(stack, tmp_path, fails)
    assert failed.told.left == ["the simulator: stop the stack (accepting: no rights)"]
    assert failed.left == []
    assert not failed.told.accepted
    again = run(stack, tmp_path / "again")
    assert again.result("flow-completed")[1] == "it broke off: accepting: an acceptance is on"
    assert again.stage.steps == ["check"]
    LocalStage(stack, {}, tmp_path).strike()


Break = Callable[[Observed], Observed]

OTHERWISE: Mapping[str, Break] = {
    "flow-completed": lambda it: replace(it, done=False, trouble="x"),
    "flow-strangers": lambda it: replace(it, strangers={"/": 403}),
    "flow-retried": lambda it: replace(it, ended=without(it, "retry")),
    "flow-derived": lambda it: replace(it, ended=it.ended[:1]),
    "flow-repeated": lambda it: replace(it, sent=[*it.sent, *it.sent]),
    "flow-reused": lambda it: replace(it, live=[]),
    "flow-published": lambda it: replace(
        it, sent=[one for one in it.sent if one["audience"] != "ACCEPTANCE"]
    ),
    "flow-personal": lambda it: replace(it, kept="its text, 100 bytes"),
    "flow-acked": lambda it: replace(it, queue={**it.queue, "expired": 1}),
    "flow-readable": lambda it: replace(it, unreadable=1),
    "flow-alone": lambda it: replace(
        it, stats={**it.stats, "tenants": {**it.stats["tenants"], OTHER: {}}}
    ),
    "flow-latency": lambda it: replace(it, ended=[late(one) for one in it.ended]),
    "flow-cost": lambda it: replace(it, minutes=1e6),
    **{
        f"flow-{kind.name}": lambda it, name=kind.name: replace(  # type: ignore[misc]
            it, ended=without(it, name), live=[], sent=[]
        )
        for kind in KINDS
    },
}


def without(flow: Observed, kind: str) -> list[EndedSummary]:
    ids = {it.id for it in flow.of(kind)}
    return [it for it in flow.ended if it.message.id not in ids]


def late(ended: EndedSummary) -> EndedSummary:
    return replace(ended, ended=ended.ended + timedelta(minutes=5))


def test_each_of_them_is_tried_on_a_run_that_went_otherwise() -> None:
    assert sorted(OTHERWISE) == sorted({it.name for it in PROBES} - CLOUD_ONLY)


@pytest.mark.parametrize("name", OTHERWISE)
def test_it_does_not_hold_where_a_run_went_otherwise(whole: Run, name: str) -> None:
    assert whole.place.flow is not None
    place = replace(whole.place, flow=OTHERWISE[name](whole.place.flow))
    [probe] = [it for it in PROBES if it.name == name]
    result = probe.result(place)
    assert result.verdict is Verdict.FAILS, result.seen
    assert result.seen


@pytest.mark.parametrize("probe", PROBES, ids=lambda it: it.name)
def test_without_messages_nothing_is_known(stack: RunningStack, probe: Probe) -> None:
    config = load_settings(variables(stack))
    place = place_of(config, EmulatorCalls(config), local=False)
    result = probe.result(place)
    assert result.verdict is Verdict.UNKNOWN
    assert "make accept" in result.seen


def test_cold_starts_as_cloud_run_measures_them(whole: Run) -> None:
    """The slowest function decides; without a measure nothing is known."""
    [probe] = [it for it in PROBES if it.name == "flow-cold-start"]
    path = f"monitoring GET /v3/projects/{whole.place.settings.project}/timeSeries"

    def asked(*milliseconds: float) -> tuple[Verdict, str]:
        series = [
            {
                "resource": {"labels": {"service_name": "smartlink-poll"}},
                "points": [{"value": {"distributionValue": {"mean": it}}}],
            }
            for it in milliseconds
        ]
        calls = Scripted({path: {"timeSeries": series}})
        result = probe.result(replace(whole.place, local=False, calls=calls))
        return result.verdict, result.seen

    assert asked(2_400.0) == (Verdict.HOLDS, "smartlink-poll 2.4 s")
    assert asked(60_000.0)[0] is Verdict.FAILS
    assert asked()[0] is Verdict.UNKNOWN


def test_a_thaw_as_the_history_shows_it(whole: Run) -> None:
    """Too short a wait tells nothing; a second attempt is a failure."""
    [probe] = [it for it in PROBES if it.name == "flow-freeze"]
    assert whole.place.flow is not None

    def asked(flow: Observed) -> Verdict:
        return probe.result(replace(whole.place, local=False, flow=flow)).verdict

    assert asked(whole.place.flow) is Verdict.UNKNOWN  # the local retry is due after seconds
    long = replace(whole.place.flow, gap=900.0)
    assert asked(long) is Verdict.HOLDS
    assert asked(replace(long, ended=without(long, "thaw"))) is Verdict.FAILS
    ids = {it.id for it in long.of("thaw")}
    again = [
        replace(it, message=replace(it.message, dispatches=1)) if it.message.id in ids else it
        for it in long.ended
    ]
    assert asked(replace(long, ended=again)) is Verdict.FAILS
