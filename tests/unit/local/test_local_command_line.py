"""The command line: exit codes, and one sentence for a person's mistake."""

import json
from pathlib import Path

import pytest

from infra.local.command_line import run

BROKER = {"SMARTLINK_BASE_URL": "https://broker", "SMARTLINK_RAC_TOKEN_URL": "https://rac/token"}


def test_the_demo_needs_its_own_broker(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Code 2 and the way out, before anything is started."""
    environ = BROKER | {"SMARTLINK_LOCAL_DIR": str(tmp_path)}

    assert run(["demo"], environ) == 2

    assert "Unset it for the demo, or use that broker with make local" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_an_error_is_json_too(capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever reads stdout finds one object, always."""
    assert run(["demo", "--json"], BROKER) == 2

    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is False
    assert "SMARTLINK_BASE_URL" in document["error"]


def test_a_wrong_setting_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    """No stack trace, no markup of the text."""
    assert run(["up"], {"SMARTLINK_LOCAL_TENANTS": "/nowhere/[bold].json"}) == 2

    said = capsys.readouterr().err
    assert said.startswith("up: The tenants' file /nowhere/[bold].json")
    assert "Traceback" not in said


@pytest.mark.parametrize("arguments", [[], ["down"], ["demo", "--timeout", "soon"]])
def test_a_wrong_argument_is_code_2(arguments: list[str]) -> None:
    """As everywhere."""
    with pytest.raises(SystemExit) as ended:
        run(arguments, {})

    assert ended.value.code == 2
