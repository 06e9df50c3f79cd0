"""Each slow run of Terraform once, two at a time."""

import io
import json
import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pytest
from rich.console import Console

from infra.deploy.deployment import Deployment
from infra.deploy.errors import DeployError
from infra.deploy.target import Target
from infra.deploy.terraform import Terraform
from tests.terraform.cloud import FakeCloud
from tests.terraform.runs import (
    ENVIRONMENTS,
    Copy,
    Resources,
    UnavailableError,
    environment,
    new_copy,
    var_file,
)

T = TypeVar("T")
_SKIPPED: set[str] = set()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was not checked is said even by a quiet run."""
    for reason in sorted(_SKIPPED):
        terminalreporter.write_line(f"Terraform: SKIPPED, {reason}", yellow=True)


def available(get: Callable[[], T]) -> T:
    """The result, or a skip that says why."""
    try:
        return get()
    except UnavailableError as error:
        _SKIPPED.add(str(error))
        pytest.skip(str(error))


@dataclass(frozen=True)
class Applied:
    """Everything on, deployed by `make deploy`'s own code to providers that make nothing."""

    copy: Copy
    report: str
    state: Resources
    again: int  # exit code of a second plan: 0 is no change
    greeted: Resources  # the plan after a command was added, and the configuration file changed
    removed: Resources  # the state after `make destroy`


class Runs:
    """The slow runs, by name; the first to ask starts them all."""

    def __init__(self, base: Copy, folder: Path, pool: ThreadPoolExecutor) -> None:
        self.base = base
        self._folder = folder
        self._results: dict[str, Future[Any]] = {}
        self._submit(pool, "applied", self._apply)
        self._submit(pool, "test", self._test)
        for name in ENVIRONMENTS:
            self._submit(pool, name, self._plan)

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401  (each run's own)
        return available(self._results[name].result)

    def _submit(self, pool: ThreadPoolExecutor, name: str, run: Callable[[Copy, str], Any]) -> None:
        copy = self.base.copy(self._folder / name)
        self._results[name] = pool.submit(run, copy, name)

    @staticmethod
    def _test(copy: Copy, _name: str) -> str:
        return copy.run("test").stdout

    @staticmethod
    def _plan(copy: Copy, name: str) -> tuple[Resources, str]:
        tested = copy.run("test", "-test-directory=tests/environments", var_file(name)).stdout
        return copy.plan(var_file(name)), tested

    def _apply(self, copy: Copy, _name: str) -> Applied:
        shutil.move(copy.root / "everything.tfvars", copy.root / "environments/staging.tfvars")
        project, region = "smartlink-everything", "southamerica-east1"
        target = Target("staging", project, region, copy.root, project_given=True)
        printed = io.StringIO()
        terraform = Terraform(copy.terraform, copy.root, environment())
        console = Console(file=printed, width=200, highlight=False, markup=False)
        deployment = Deployment(target, terraform, FakeCloud(), {}, console, lambda _: "no")
        try:
            deployment.deploy(sure=True)
        except DeployError:
            copy.plan(*target.variables)  # tells a provider that asks Google from a fault
            raise
        state = copy.state()
        again = copy.run("plan", "-detailed-exitcode", *target.variables, check=False).returncode
        greeting = copy.copy(self._folder / "greeting")
        add_command(greeting.folder)
        greeted = greeting.plan(*target.variables)
        deployment.destroy(sure=target.project)
        return Applied(copy, printed.getvalue(), state, again, greeted, copy.state())


def add_command(folder: Path) -> None:
    """One entry in the catalogue, one file."""
    catalog = folder / "infra" / "catalog.json"
    document = json.loads(catalog.read_text())
    document["commands"]["GreetCommand"] = {
        "module": "consumers.greet",
        "topic": "smartlink-greet-command",
        "timeoutSeconds": 60,
        "erp": True,
        "secrets": ["bank", "post"],
        "maxInstances": 3,
    }
    catalog.write_text(json.dumps(document))
    (folder / "functions" / "consumers" / "greet.py").write_text('"""Greets."""\n')
    config = folder / "terraform" / "files" / "totvsAppConfig_v2.json"
    config.write_text(config.read_text().replace("5", "6"))


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    """A copy of the checkout, initialised."""
    return available(lambda: new_copy(tmp_path_factory.mktemp("terraform") / "base"))


@pytest.fixture(scope="session")
def runs(base: Copy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Every slow run."""
    with ThreadPoolExecutor(2) as pool:
        yield Runs(base, tmp_path_factory.mktemp("runs"), pool)


@pytest.fixture(scope="session")
def applied(runs: Runs) -> Applied:
    """Everything on, applied."""
    result: Applied = runs["applied"]
    return result


@pytest.fixture(params=(*ENVIRONMENTS, "everything"))
def plan(request: pytest.FixtureRequest, runs: Runs) -> Resources:
    """The plan of each environment, and what was made with everything on."""
    if request.param == "everything":
        applied: Applied = runs["applied"]
        return applied.state
    resources: Resources = runs[request.param][0]
    return resources
