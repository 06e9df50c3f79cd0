"""The stage on Google Cloud: what Terraform is asked for, and when it is asked for nothing."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import pytest
from rich.console import Console

from infra.acceptance.calls import Answer
from infra.acceptance.errors import UnansweredError
from infra.acceptance.flow.applied import AppliedStage
from infra.acceptance.flow.running import send_hundred
from infra.acceptance.place import Place
from infra.acceptance.whole_way import PROBES
from infra.deploy.deployment import Deployment
from infra.deploy.errors import CancelledError, DeployError, NotReadyError
from infra.deploy.target import load_target
from infra.deploy.terraform import Terraform
from smartlink.operations import ports
from tests.acceptance.cloud import Cloud
from tests.acceptance.place import Request, Send, Twisted, place_of, settings
from tests.terraform.cloud import FakeCloud

DIGEST = "0" * 64
URL = "https://simulator.example"
DEPLOYED = {"project": {"value": {"environment": "development"}}}
ON = {**DEPLOYED, "acceptance": {"value": URL}}
OFF = {**DEPLOYED, "acceptance": {"value": ""}}


def never(_url: str) -> ports.Deployment:
    raise AssertionError


@dataclass
class Scene:
    """A stage with a program in Terraform's place, which writes down what it is called with."""

    folder: Path
    place: Place
    answer: str = "yes"
    fails: str = "nothing"

    def stage(
        self, outputs: object, *, sure: bool = False, where: str = "development"
    ) -> AppliedStage:
        (self.folder / "outputs").write_text(json.dumps(outputs))
        program = self.folder / "terraform"
        program.write_text(
            f'#!/bin/sh\nshift\necho "$*" >> {self.folder}/calls\n'
            f"case $1 in output) cat {self.folder}/outputs;; show) echo '{{}}';; esac\n"
            f"[ $1 != {self.fails} ]\n"
        )
        program.chmod(0o755)
        terraform = Terraform(str(program), self.folder, {"PATH": "/usr/bin:/bin"}, aside=True)
        target = replace(load_target(where), project_given=True)
        console = Console(quiet=True)
        deployment = Deployment(target, terraform, FakeCloud(), {}, console, self._ask)
        return AppliedStage(self.place, deployment, never, sure)

    @property
    def calls(self) -> list[str]:
        file = self.folder / "calls"
        return file.read_text().splitlines() if file.exists() else []

    @property
    def applied(self) -> list[str]:
        """The plans that were applied, by their variables."""
        calls = [it for it in self.calls if it.startswith(("plan", "apply"))]
        return [plan for plan, then in pairwise(calls) if then.startswith("apply")]

    def _ask(self, _question: str) -> str:
        return self.answer


@pytest.fixture
def cloud() -> Cloud:
    return Cloud(settings("smartlink-development"))


@pytest.fixture
def scene(tmp_path: Path, cloud: Cloud) -> Scene:
    return Scene(tmp_path, place_of(cloud.config, cloud.scripted(), local=False))


def test_it_is_put_up_and_struck_by_two_applies(scene: Scene) -> None:
    """The first names the key's digest and never the key; the second asks for no simulator."""
    stage = scene.stage(ON)
    assert stage.put_up(DIGEST) == URL
    stage.strike()
    first, second = scene.applied
    assert f"-var=acceptance=true -var=acceptance_digest={DIGEST}" in first
    assert "acceptance" not in second
    assert stage.how_to_strike == "make deploy ENV=development PROJECT=smartlink-development"


def test_who_does_not_agree_has_nothing_changed(scene: Scene) -> None:
    """Not by the first apply, and not by a last one."""
    scene.answer = "no"
    stage = scene.stage(OFF)
    with pytest.raises(CancelledError):
        stage.put_up(DIGEST)
    stage.strike()
    assert scene.applied == []
    assert scene.stage(ON, sure=True).put_up(DIGEST) == URL  # --yes asks nobody


def test_an_apply_that_failed_is_followed_by_the_last_one(scene: Scene) -> None:
    """It may have made something."""
    scene.fails = "apply"
    stage = scene.stage(OFF)
    with pytest.raises(DeployError, match="goes on where this one stopped"):
        stage.put_up(DIGEST)
    scene.fails = "nothing"
    scene.stage(OFF)
    stage.strike()
    assert len(scene.applied) == 2
    assert "acceptance" not in scene.applied[1]


def test_a_plan_that_failed_has_made_nothing(scene: Scene) -> None:
    scene.fails = "plan"
    stage = scene.stage(OFF)
    with pytest.raises(DeployError):
        stage.put_up(DIGEST)
    stage.strike()
    assert scene.applied == []


@pytest.mark.parametrize(
    ("outputs", "where", "words"),
    [
        ({}, "development", "Nothing is deployed"),
        (ON, "development", "An acceptance is on"),
        (OFF, "production", "no simulator may serve"),
    ],
)
def test_a_run_may_not_begin(scene: Scene, outputs: object, where: str, words: str) -> None:
    stage = scene.stage(outputs, where=where)
    with pytest.raises(NotReadyError, match=words):
        stage.check()
    assert scene.applied == []
    if where == "production":
        assert scene.calls == []


def test_a_run_begins_on_what_is_deployed(scene: Scene) -> None:
    scene.stage(OFF).check()
    assert scene.applied == []


def test_in_production_not_even_a_leftover_is_looked_for(scene: Scene, cloud: Cloud) -> None:
    """The run breaks off before its first call to Google, and says why."""
    asked: list[str] = []

    def asking(request: Request, send: Send) -> Answer:
        asked.append(request.path)
        return send(request)

    place = replace(scene.place, calls=Twisted(cloud.scripted(), asking))
    send_hundred(place, scene.stage(OFF, where="production"), lambda _: None)
    assert asked == []
    assert "no simulator may serve" in PROBES[0].result(place).seen


def publishing(change: Callable[[Cloud], object], cloud: Cloud, scene: Scene) -> int | str:
    change(cloud)
    scripted = cloud.scripted()
    stage = replace(scene.stage(OFF), place=place_of(cloud.config, scripted, local=False))
    try:
        status = stage.publish({"type": "T"})
    except UnansweredError as error:
        return str(error)
    assert scripted.bodies == [{"type": "T"}]
    return status


def test_publish_is_called_as_a_segment_does(scene: Scene, cloud: Cloud) -> None:
    url = cloud.url("publish")
    assert publishing(lambda it: it.knocks.update({(url, True): 200}), cloud, scene) == 200


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda it: it.knocks.update({(it.url("publish"), True): 403}), "publish.invokers"),
        (lambda it: setattr(it, "token", UnansweredError("a person's account")), "a person's"),
        (
            lambda it: it.functions["publish"]["serviceConfig"].update(
                ingressSettings="ALLOW_INTERNAL_ONLY"
            ),
            "nobody outside",
        ),
    ],
)
def test_where_publish_cannot_be_called_that_is_said(
    scene: Scene, cloud: Cloud, change: Callable[[Cloud], object], words: str
) -> None:
    assert words in str(publishing(change, cloud, scene))
