"""What `make deploy` checks before anything is touched."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console

from infra.deploy.cloud import Answer
from infra.deploy.deployment import Deployment
from infra.deploy.errors import CancelledError, DeployError, NotReadyError
from infra.deploy.preflight import check_cloud
from infra.deploy.target import Target, load_target
from infra.deploy.terraform import Terraform
from tests.terraform.cloud import DISABLED, SOME, FakeCloud
from tests.terraform.runs import REPO, environment

SHELL = {"CLOUDSDK_CORE_PROJECT": "smartlink-staging"}


@pytest.fixture
def target() -> Target:
    return load_target("staging")


@pytest.mark.parametrize(
    ("cloud", "words"),
    [
        (FakeCloud(projects=Answer(401, {})), "credentials are refused"),
        (FakeCloud(projects=Answer(403, {})), "There is no project smartlink-staging"),
        (FakeCloud(projects=Answer(404, {})), "There is no project smartlink-staging"),
        (FakeCloud(projects=DISABLED), "cloudresourcemanager.googleapis.com is not enabled"),
        (FakeCloud(services=DISABLED), "serviceusage.googleapis.com is not enabled"),
        (FakeCloud(projects=Answer(200, {"state": "DELETE_REQUESTED"})), "DELETE_REQUESTED"),
        (FakeCloud(permissions=SOME), "lack, on smartlink-staging: artifactregistry."),
        (FakeCloud(b=Answer(404, {})), "gcloud storage buckets create gs://smartlink-staging-"),
        (FakeCloud(b=Answer(403, {"error": {"message": "Denied."}})), "cannot be read: 403 Denied"),
    ],
)
def test_each_problem_is_named_with_its_fix(target: Target, cloud: FakeCloud, words: str) -> None:
    """And says that nothing was touched."""
    with pytest.raises(NotReadyError, match="Nothing was touched") as caught:
        check_cloud(target, cloud, SHELL)
    assert words in str(caught.value)


def test_all_is_well(target: Target) -> None:
    """Then nothing is said."""
    cloud = FakeCloud()
    check_cloud(target, cloud, SHELL)
    assert len(cloud.asked) == 4


def test_a_shell_that_is_set_to_another_project_is_a_mistake(target: Target) -> None:
    """Unless the project is named on the command line; Google is not even asked."""
    cloud = FakeCloud()
    other = {"GOOGLE_CLOUD_PROJECT": "smartlink-production"}
    with pytest.raises(NotReadyError, match="Wrong project") as caught:
        check_cloud(target, cloud, other)
    assert "smartlink-production" in str(caught.value)
    assert not cloud.asked
    check_cloud(load_target("staging", "smartlink-staging"), cloud, other)


def test_an_environment_that_there_is_not() -> None:
    """The ones that there are, are named."""
    with pytest.raises(NotReadyError, match="development, production, staging"):
        load_target("prod")


def test_a_copied_tfvars_that_says_another_environment(tmp_path: Path) -> None:
    """Somebody copied production's to staging's."""
    (tmp_path / "environments").mkdir()
    source = REPO / "terraform/environments/production.tfvars"
    shutil.copy(source, tmp_path / "environments/staging.tfvars")
    with pytest.raises(NotReadyError, match="that is another one"):
        load_target("staging", folder=tmp_path)


def test_no_credentials(tmp_path: Path) -> None:
    """The whole command, on a machine that nobody logged in on."""
    environ = {**environment(), "HOME": str(tmp_path), "NO_GCE_CHECK": "true", "TERRAFORM": "true"}
    environ["CLOUDSDK_CONFIG"] = str(tmp_path)
    done = subprocess.run(
        (sys.executable, "-m", "infra.deploy", "deploy", "development"),
        cwd=REPO,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "Nothing was touched" in done.stdout
    assert "gcloud auth application-default login" in done.stdout


def test_no_terraform(tmp_path: Path) -> None:
    """It says where to get it."""
    with pytest.raises(NotReadyError, match="install it"):
        Terraform("terraform-that-is-not", tmp_path, {})


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Terraform]:
    """A program in Terraform's place; what it was called with stands in `calls`."""

    def make(body: str) -> Terraform:
        file = tmp_path / "terraform"
        file.write_text(f'#!/bin/sh\necho "$2" >> {tmp_path}/calls\n{body}\n')
        file.chmod(0o755)
        return Terraform(str(file), tmp_path, {"PATH": "/usr/bin:/bin"})

    return make


def _deployment(terraform: Terraform, target: Target, answer: str) -> Deployment:
    return Deployment(target, terraform, FakeCloud(), SHELL, Console(quiet=True), lambda _: answer)


def test_the_state_of_another_environment_stops_it(
    script: Callable[[str], Terraform], target: Target, tmp_path: Path
) -> None:
    """Development's tfvars pointed at production's project."""
    found = '{"project": {"value": {"environment": "production"}}}'
    terraform = script(f"[ $2 = output ] && echo '{found}'; true")
    with pytest.raises(NotReadyError, match="holds the environment production"):
        _deployment(terraform, target, "yes").deploy(sure=True)
    assert (tmp_path / "calls").read_text().split() == ["init", "output"]


def test_nothing_is_applied_unless_the_operator_says_yes(
    script: Callable[[str], Terraform], target: Target, tmp_path: Path
) -> None:
    """The plan is shown first."""
    terraform = script("case $2 in output|show) echo '{}';; esac; true")
    with pytest.raises(CancelledError):
        _deployment(terraform, target, "").deploy(sure=False)
    assert (tmp_path / "calls").read_text().split() == ["init", "output", "plan", "show"]


def test_nothing_is_destroyed_unless_the_project_is_named(
    script: Callable[[str], Terraform], target: Target, tmp_path: Path
) -> None:
    """`yes` is not enough."""
    terraform = script("case $2 in output|show) echo '{}';; esac; true")
    with pytest.raises(CancelledError):
        _deployment(terraform, target, "yes").destroy(sure=None)
    assert (tmp_path / "calls").read_text().split() == ["init", "output"]


def test_an_apply_that_stops_midway_says_how_to_go_on(
    script: Callable[[str], Terraform], target: Target, tmp_path: Path
) -> None:
    """And leaves no override behind."""
    terraform = script("case $2 in output|show) echo '{}';; esac; [ $2 != apply ]")
    with pytest.raises(DeployError, match="goes on where this one stopped"):
        _deployment(terraform, target, "yes").deploy(sure=False, retire=True)
    assert not list(tmp_path.glob("*_override.tf"))


def _never(_: str) -> NoReturn:
    raise AssertionError


def test_a_plan_asks_nothing(
    script: Callable[[str], Terraform], target: Target, tmp_path: Path
) -> None:
    """It changes nothing."""
    terraform = script("case $2 in output|show) echo '{}';; esac; true")
    Deployment(target, terraform, FakeCloud(), SHELL, Console(quiet=True), _never).plan()
    assert (tmp_path / "calls").read_text().split() == ["init", "output", "plan"]
