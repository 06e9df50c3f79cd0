"""A project in which nothing was ever deployed: agents, errors that pass, the quota."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from infra.deploy.agents import AGENTS, make_agents
from infra.deploy.cloud import Answer
from infra.deploy.deployment import Deployment
from infra.deploy.errors import DeployError, NotReadyError
from infra.deploy.passing import SECONDS, TRIES, passing
from infra.deploy.quota import check_quota, cpus
from infra.deploy.target import load_target
from infra.deploy.terraform import Terraform
from tests.terraform.cloud import NUMBER, FakeCloud

METRIC = "Error 404: Cannot find metric that matches type = logging.googleapis.com/user/x."


def _never(_: float) -> None:
    raise AssertionError


def test_a_project_that_has_all_agents_is_not_changed() -> None:
    cloud = FakeCloud()
    make_agents(cloud, "p", _never, _fail)
    assert cloud.changes == []


def _fail(text: str) -> None:
    raise AssertionError(text)


def test_a_fresh_project_gets_each_agent_and_its_role() -> None:
    """The services first; what others were granted stays."""
    cloud, said = FakeCloud(), list[str]()
    others = {"role": "roles/owner", "members": ["user:somebody@example.com"]}
    cloud.policy = {"etag": "1", "bindings": [others]}
    make_agents(cloud, "p", _never, said.append)
    made = [it for it in cloud.asked if it.endswith(":generateServiceIdentity")]
    made_each = ["generateServiceIdentity"] * len(made)
    assert cloud.changes == ["batchEnable", *made_each, "setIamPolicy"]
    assert [it.split("/")[-1].partition(":")[0] for it in made] == [it.service for it in AGENTS]
    assert cloud.policy["bindings"] == [
        others,
        *({"role": it.role, "members": [it.member(NUMBER)]} for it in AGENTS),
    ]
    assert len([line for line in said if line.startswith("Granted ")]) == len(AGENTS)


def test_a_grant_under_a_condition_is_not_the_agent_s() -> None:
    cloud = FakeCloud()
    cloud.policy["bindings"][0]["condition"] = {"expression": "false"}
    make_agents(cloud, "p", _never, lambda _: None)
    assert cloud.changes == ["batchEnable", "generateServiceIdentity", "setIamPolicy"]
    bare = {"role": AGENTS[0].role, "members": [AGENTS[0].member(NUMBER)]}
    assert bare in cloud.policy["bindings"]


def test_who_changed_the_policy_meanwhile_and_an_agent_not_known_yet_are_waited_for() -> None:
    cloud, waited = FakeCloud(), list[float]()
    cloud.policy = {"etag": "1"}
    cloud.refusals = [Answer(409, {}), Answer(400, {})]
    make_agents(cloud, "p", waited.append, lambda _: None)
    assert len(waited) == 2
    assert cloud.changes[-1] == "setIamPolicy"


@pytest.mark.parametrize(
    ("refusals", "words"),
    [
        ([Answer(403, {"error": {"message": "Denied."}})], "403 Denied. Nothing was deployed"),
        ([Answer(400, {"error": {"message": "No."}})] * 9, "400 No. Nothing was deployed"),
    ],
)
def test_a_grant_that_is_refused_names_the_role(refusals: list[Answer], words: str) -> None:
    cloud = FakeCloud()
    cloud.policy = {"etag": "1"}
    cloud.refusals = refusals
    with pytest.raises(DeployError, match=r"roles/pubsub\.serviceAgent") as caught:
        make_agents(cloud, "p", lambda _: None, lambda _: None)
    assert words in str(caught.value)


def test_an_operation_that_fails_or_never_ends_is_told() -> None:
    failed = Answer(200, {"name": "operations/1", "error": {"message": "Billing is off."}})
    lasting = Answer(200, {"name": "operations/1"})
    for answers, words in (
        ({"batchEnable": failed}, "Billing is off"),
        ({"generateServiceIdentity": lasting, "operations": lasting}, "try again"),
    ):
        cloud = FakeCloud(**answers)
        cloud.policy = {"etag": "1"}
        with pytest.raises(DeployError, match=words):
            make_agents(cloud, "p", lambda _: None, lambda _: None)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("Error code 7, message: Unable to retrieve the repository metadata for p.", "repository"),
        ("Error 403: The API has not been used in project 1 before or it is disabled.", "API"),
        ("Error 400: Service account service-1@gcp-sa-pubsub.iam.x.com does not exist.", "agent"),
        (METRIC, "metric"),
        ("│ Error: Error 404: Cannot find\n│ metric that matches type = x", "metric"),
        (
            "Permission 'cloudkms.cryptoKeyVersions.useToEncrypt' denied on resource k",
            "key",
        ),
    ],
)
def test_errors_that_pass_are_known(said: str, why: str) -> None:
    """As Terraform draws them: over several lines, within a frame."""
    assert why in str(passing(said))


@pytest.mark.parametrize(
    "said",
    [
        "Error: Error 409: Topic already exists",
        "Error 403: Permission 'pubsub.topics.create' denied on resource (or it may not exist).",
        "Quota violated: CpuAllocPerProjectRegion requested: 60000 allowed: 20000",
        "Error: Unsupported argument",
        "",
    ],
)
def test_errors_that_stay_are_not_tried_again(said: str) -> None:
    assert passing(said) is None


@pytest.fixture
def deployment(tmp_path: Path) -> Callable[[str, FakeCloud], tuple[Deployment, list[float]]]:
    """A deployment with a program in Terraform's place; what it waits is noted."""

    def make(body: str, cloud: FakeCloud) -> tuple[Deployment, list[float]]:
        file = tmp_path / "terraform"
        file.write_text(
            f"#!/bin/sh\necho $2 >> {tmp_path}/calls\n"
            "[ $2 = output ] && echo '{}'\n[ $2 = show ] && echo '{}'\n"
            f"{body}\n"
        )
        file.chmod(0o755)
        terraform = Terraform(str(file), tmp_path, {"PATH": "/usr/bin:/bin"})
        waited: list[float] = []
        target = load_target("staging", "smartlink-staging")
        console = Console(quiet=True)
        return (
            Deployment(target, terraform, cloud, {}, console, lambda _: "yes", waited.append),
            waited,
        )

    return make


def test_an_apply_is_tried_again_after_an_error_that_passes(
    deployment: Callable[[str, FakeCloud], tuple[Deployment, list[float]]], tmp_path: Path
) -> None:
    """Planned anew: a plan that was applied in part is void."""
    body = (
        f"[ $2 != apply ] || [ -e {tmp_path}/third ] || "
        f"{{ [ -e {tmp_path}/second ] && touch {tmp_path}/third; touch {tmp_path}/second; "
        f"echo '{METRIC}' >&2; exit 1; }}"
    )
    made, waited = deployment(body, FakeCloud())
    with pytest.raises(KeyError):  # the stand-in has no outputs to report
        made.deploy(sure=True)
    calls = (tmp_path / "calls").read_text().split()
    assert calls[3:] == ["show", "apply", "plan", "apply", "plan", "apply", "output"]
    assert waited == list(SECONDS[:2])


def test_it_is_tried_a_bounded_number_of_times(
    deployment: Callable[[str, FakeCloud], tuple[Deployment, list[float]]], tmp_path: Path
) -> None:
    made, waited = deployment(f"[ $2 != apply ] || {{ echo '{METRIC}' >&2; exit 1; }}", FakeCloud())
    with pytest.raises(DeployError, match="goes on where this one stopped"):
        made.deploy(sure=True)
    assert (tmp_path / "calls").read_text().split().count("apply") == TRIES
    assert waited == list(SECONDS)


def test_another_error_ends_it_at_once(
    deployment: Callable[[str, FakeCloud], tuple[Deployment, list[float]]], tmp_path: Path
) -> None:
    made, waited = deployment("[ $2 != apply ] || { echo 'Error 409' >&2; exit 1; }", FakeCloud())
    with pytest.raises(DeployError, match="goes on where this one stopped"):
        made.deploy(sure=True)
    assert (tmp_path / "calls").read_text().split().count("apply") == 1
    assert waited == []


def _planned(**maxima: int) -> dict[str, Any]:
    return {
        f'google_cloudfunctions2_function.function["{name}"]': {
            "service_config": [{"max_instance_count": most, "available_cpu": "2"}]
        }
        for name, most in maxima.items()
    }


def _quota(*buckets: dict[str, Any]) -> Answer:
    limit = {"metric": "run.googleapis.com/cpu_allocation", "quotaBuckets": list(buckets)}
    return Answer(200, {"metrics": [{"consumerQuotaLimits": [limit]}]})


_EVERYWHERE = {"effectiveLimit": "100000"}
_HERE = {"effectiveLimit": "20000", "dimensions": {"region": "southamerica-east1"}}


def test_maxima_beyond_the_region_s_quota_are_refused_before_anything_is_made() -> None:
    target = load_target("staging", "smartlink-staging")
    planned = _planned(poll=1, consume=10)
    assert cpus(planned) == 22
    cloud = FakeCloud(quota=_quota(_EVERYWHERE, _HERE))
    with pytest.raises(NotReadyError, match=r"may use 22 CPUs together, and the quota .* is 20"):
        check_quota(target, cloud, planned, _fail)
    check_quota(target, cloud, _planned(consume=10), _fail)
    check_quota(target, FakeCloud(quota=_quota(_EVERYWHERE)), planned, _fail)
    check_quota(target, FakeCloud(quota=_quota({"effectiveLimit": "-1"})), planned, _fail)


def test_a_quota_that_google_does_not_tell_is_said_to_be_unknown() -> None:
    target, said = load_target("staging", "smartlink-staging"), list[str]()
    check_quota(target, FakeCloud(), _planned(consume=99), said.append)
    check_quota(target, FakeCloud(quota=Answer(200, {})), _planned(consume=99), said.append)
    assert [line[:9] for line in said] == ["Not known"] * 2
