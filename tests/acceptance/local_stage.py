"""A local stack as the stage of a run: what Terraform applies in the cloud, it starts and stops."""

import hashlib
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from infra.acceptance.errors import UnansweredError
from infra.acceptance.flow.stage import Stage
from infra.deploy.errors import DeployError
from infra.local.functions import function_environment, function_program, function_programs
from infra.local.ports import HOST, free_ports
from infra.local.stack import RunningStack
from smartlink import bootstrap
from smartlink.operations.ports import Deployment
from smartlink.operator_wiring import OperatorWiring
from tests.support.simulator_bundle import TARGET, copy_simulator

NAME = "smartlink-simulator"
CALL_SMART_LINK = ("poll", "poll_shard")
COMPOSED = ("settings", "poll", "_firestore", "_firestore_calls", "_publisher", "_secrets")


@dataclass
class LocalStage:
    """Runs the simulator's own files, and restarts what calls Smart Link."""

    stack: RunningStack
    variables: Mapping[str, str]  # by which operators reach the stack
    folder: Path
    how_to_strike: str = "stop the stack"
    fails: Callable[[str], None] = lambda _step: None
    steps: list[str] = field(default_factory=list)
    digest: str = ""

    @property
    def database(self) -> str:
        return f"sqlite:///{self.folder / 'acceptance.sqlite3'}"

    def check(self) -> None:
        self._step("check")
        if NAME in self.stack.pids:
            message = "an acceptance is on"
            raise DeployError(message)

    def put_up(self, digest: str) -> str:
        self._step("put up")
        self.digest = digest
        [port] = free_ports(1, avoid=self.stack.ports.values())
        source = copy_simulator(self.folder / "simulator")
        environment = {
            "PYTHONPATH": "",  # so that only what is in the deployed zip can be imported
            "SMARTLINK_ACCEPTANCE_DIGEST": digest,
            "THREADS": "40",
        }
        program = function_program(NAME, TARGET, port, source, environment)
        [child] = self.stack.supervisor.start(program)
        url = f"http://{HOST}:{port}"
        self._restart({"SMARTLINK_ACCEPTANCE_URL": url})
        self.stack.supervisor.wait_ready([child])
        self._step("is up")
        return url

    def strike(self) -> None:
        self._step("strike")
        self.stack.supervisor.end([NAME])
        self._restart({})

    def operated(self, url: str) -> Deployment:
        variables = {**self.variables, "SMARTLINK_ACCEPTANCE_URL": url}
        os.environ.update(variables)
        for name in COMPOSED:  # the first poll of a tenant is made in this process
            getattr(bootstrap, name).cache_clear()
        return OperatorWiring(variables, "stack")

    def publish(self, request: Mapping[str, Any]) -> int:
        self._step("publish")
        try:
            url = self.stack.addresses.functions["publish"]
            return requests.post(url, json=request, timeout=60).status_code
        except requests.RequestException as error:
            raise UnansweredError(str(error)) from None

    def _restart(self, more: Mapping[str, str]) -> None:
        stack = self.stack
        environment = function_environment(stack.addresses, stack.catalog)
        environment |= {**stack.plan.environment, **more}
        with stack.between_ticks:
            stack.supervisor.end(CALL_SMART_LINK)
            programs = function_programs(stack.catalog, stack.ports, environment, stack.plan.source)
            own = [it for it in programs if it.name in CALL_SMART_LINK]
            stack.supervisor.wait_ready(stack.supervisor.start(*own))

    def _step(self, step: str) -> None:
        self.steps.append(step)
        self.fails(step)

    def opens(self, key: str) -> bool:
        """Tell whether this is the run's key."""
        return hashlib.sha256(key.encode()).hexdigest() == self.digest


_: type[Stage] = LocalStage
