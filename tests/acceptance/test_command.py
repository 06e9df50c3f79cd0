"""`smartlink accept`: where it asks, what it shows, and how it ends."""

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from infra.acceptance.calls import EmulatorCalls
from infra.acceptance.flow.applied import AppliedStage
from infra.acceptance.flow.observed import Observed
from infra.acceptance.flow.stage import Stage
from infra.acceptance.place import Place
from infra.cli.app import main
from infra.cli.commands import accept
from infra.deploy.target import load_target
from smartlink.settings import Settings
from tests.acceptance.place import Scripted
from tests.terraform.cloud import FakeCloud

FILTERED = "secrets"  # four quick probes of one service


@pytest.fixture(autouse=True)
def _environment() -> Iterator[None]:
    """Undo whatever the command sets in this process: the tests that follow must not see it."""
    before = dict(os.environ)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def stack(config: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A local stack, as `stack.json` describes it."""
    for name in [it for it in os.environ if it.startswith(("SMARTLINK_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    document = {
        "project": config.project,
        "emulators": {
            "FIRESTORE_EMULATOR_HOST": config.firestore_emulator,
            "PUBSUB_EMULATOR_HOST": config.pubsub_emulator,
            "STORAGE_EMULATOR_HOST": config.storage_emulator,
            "SECRET_MANAGER_EMULATOR_HOST": config.secret_manager_emulator,
        },
        "baseUrl": "http://127.0.0.1:9",
        "racTokenUrl": "http://127.0.0.1:9/token",
        "functions": {},
        "buckets": {"contents": config.bucket},
        "configUri": "gs://config/totvsAppConfig_v2.json",
        "pids": {"stack": os.getpid()},
    }
    (tmp_path / "stack.json").write_text(json.dumps(document))
    monkeypatch.setenv("SMARTLINK_LOCAL_DIR", str(tmp_path))
    return tmp_path


def code_of(*arguments: str) -> int:
    try:
        main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_what_holds_is_shown_and_reported(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The exit code is 0 though some is not known here: it is counted and said."""
    folder = stack / "reports"
    assert code_of("accept", "--only", "storage", "--report", str(folder)) == 0
    shown = capsys.readouterr()
    assert "storage-create" in shown.out
    assert "Assumptions asked: 6. 3 holds, 0 does not hold, 3 not known here." in shown.out
    page, document = sorted(folder.iterdir(), key=lambda it: it.suffix, reverse=True)
    assert "# What Google answered" in page.read_text(encoding="utf-8")
    assert json.loads(document.read_bytes())["accepted"] is True


def test_json_is_one_document(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert stack
    assert code_of("accept", "--only", FILTERED, "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert [it["verdict"] for it in document["probes"]] == ["holds"] * 4


def test_what_does_not_hold_ends_it_with_1(
    stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And says what depends on it."""
    assert stack
    plain = EmulatorCalls.call

    def forgetful(self: EmulatorCalls, service: str, *rest: str, **more: object) -> object:
        more.pop("query", None) if rest[0] == "GET" else None
        call: Callable[..., object] = plain
        return call(self, service, *rest, **more)

    monkeypatch.setattr(EmulatorCalls, "call", forgetful)
    assert code_of("accept", "--only", "secrets-filter") == 1
    shown = capsys.readouterr()
    assert "secrets-filter does not hold. What depends on it:" in shown.out
    assert "1 does not hold" in shown.err


def test_production_is_refused(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was asked there; --force is named."""
    assert stack
    where = ("--project", "somewhere-else", "--environment", "production")
    assert code_of("accept", *where) == 4
    assert "--force" in capsys.readouterr().err


def test_make_accept_takes_the_project_of_the_environments_tfvars(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As `make deploy` does, and production's is refused by that, too."""
    assert stack
    assert code_of("accept", "--of", "production") == 4
    assert "smartlink-production (production, cloud)" in capsys.readouterr().err
    assert code_of("accept", "--of", "prod") == 2
    assert "development, production, staging" in capsys.readouterr().err
    assert code_of("accept", "--of", "staging", "--environment", "production") == 2


def test_a_probe_that_there_is_not(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Those that there are, are named by their services."""
    assert stack
    assert code_of("accept", "--only", "spanner") == 2
    assert "firestore" in capsys.readouterr().err


def test_without_credentials_it_says_how_to_log_in(
    stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(stack))
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(stack))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "")
    where = ("--project", "somewhere-else", "--environment", "development")
    assert code_of("accept", *where) == 4
    assert "gcloud auth application-default login" in capsys.readouterr().err


@dataclass
class Sent:
    """What the command asked of the run."""

    stages: list[Stage] = field(default_factory=list)


PROJECT = load_target("development").project
COMPLETED = ("accept", "--of", "development", "--only", "flow-completed")


@pytest.fixture
def sent(stack: Path, monkeypatch: pytest.MonkeyPatch) -> Sent:
    """The local stack stands for the project of development's tfvars; nothing is applied."""
    found = Sent()
    file = stack / "stack.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "project": PROJECT}))
    monkeypatch.setenv("TERRAFORM", "true")
    monkeypatch.setattr(accept, "GoogleCloud", FakeCloud)

    def send(place: Place, stage: Stage, *_: object) -> None:
        place.flow = Observed(done=True)
        found.stages.append(stage)

    monkeypatch.setattr(accept, "send_hundred", send)
    return found


def test_with_an_environment_the_messages_are_sent(
    sent: Sent, capsys: pytest.CaptureFixture[str]
) -> None:
    """By a stage that applies that environment; the act is on record."""
    assert code_of(*COMPLETED, "--yes") == 0
    [stage] = sent.stages
    assert isinstance(stage, AppliedStage)
    assert stage.deployment.target.environment == "development"
    assert stage.sure
    capsys.readouterr()
    assert code_of("audit", "--json") == 0
    assert "smartlink-acceptance" in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        (*COMPLETED, "--no-messages"),
        ("accept", "--only", "flow-completed"),
        ("accept", "--of", "development", "--only", "secrets"),
    ],
)
def test_else_none_is_sent(
    sent: Sent, arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing is known of the whole way, which is said."""
    code_of(*arguments)
    assert sent.stages == []
    assert "secrets" in arguments or "make accept" in capsys.readouterr().err


def test_in_production_no_force_sends_messages(
    stack: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The probes may ask there; the simulator may not."""
    assert stack

    def never(*_: object, **__: object) -> None:
        pytest.fail("a stage was made")

    monkeypatch.setattr(accept, "_stage", never)
    monkeypatch.setattr(accept, "GoogleCalls", lambda: Scripted({}))
    arguments = ("accept", "--of", "production", "--force", "--only", "flow-completed")
    assert code_of(*arguments) == 1  # nothing was learned
    assert "not known here" in capsys.readouterr().out
