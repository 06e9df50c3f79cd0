"""`make consumer`: what it writes passes the project's own checks; what it refuses it leaves."""

import json
from pathlib import Path

import pytest

from infra.authors.errors import AuthorError
from infra.authors.naming import MOST_CHARACTERS
from infra.authors.scaffold import Wish, scaffold
from infra.authors.schemas import schema_of
from smartlink.consumer import Payload
from tests.authors.checkout import make_checkout, python, tree

LONGEST = "AbsenceOfEmployeesInTheMonthsNowsCommand"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_checkout(tmp_path)


def test_what_is_written_passes_every_check(root: Path) -> None:
    """Ruff, its formatter, mypy strict and pytest, as generated; with the longest of names."""
    assert len(LONGEST) == MOST_CHARACTERS
    made = python(root, "-m", "infra.authors", "consumer", LONGEST, "--erp", "--personal")
    assert (made.returncode, made.stderr) == (0, "")
    before = tree(root)
    module = "functions/consumers/absence_of_employees_in_the_months_nows.py"
    test = "tests/consumers/test_absence_of_employees_in_the_months_nows.py"
    for line in (module, test, f"make try COMMAND={LONGEST}", "--downstream"):
        assert line in made.stdout
    for check in (
        ("-m", "ruff", "check", "--no-cache", module, test),
        ("-m", "ruff", "format", "--no-cache", "--check", module, test),
        ("-m", "mypy", module, test),
        ("-m", "pytest", "-p", "no:cacheprovider", test),
    ):
        ran = python(root, *check)
        assert ran.returncode == 0, ran.stdout + ran.stderr
    again = python(root, "-m", "infra.authors", "schemas")
    assert "AbsenceOfEmployeesInTheMonthsNowsCommand.json: unchanged" in again.stdout
    assert {name: text for name, text in tree(root).items() if name in before} == before


def test_the_entry(root: Path) -> None:
    """Topic, time-out and memory; the options, and nothing that was not asked for."""
    scaffold(root, "XyzCommand", Wish())
    scaffold(root, "ErpCommand", Wish(timeout=30, erp=True, personal=True))
    commands = json.loads((root / "infra" / "catalog.json").read_text())["commands"]
    assert list(commands) == ["EchoCommand", "XyzCommand", "ErpCommand"]
    assert commands["XyzCommand"] == {
        "module": "consumers.xyz",
        "topic": "smartlink-xyz-command",
        "timeoutSeconds": 60,
        "memoryMiB": 512,
    }
    more = {"timeoutSeconds": 30, "erp": True, "personal": True}
    assert commands["ErpCommand"].items() >= more.items()
    texts = tree(root)
    assert "erp_secret()" in texts["functions/consumers/erp.py"]
    assert "erp_secret()" not in texts["functions/consumers/xyz.py"]


def test_the_contract_is_the_models(root: Path) -> None:
    """What the generated model takes, as `make schemas` would write it."""
    scaffold(root, "XyzCommand", Wish())
    schema = json.loads((root / "infra" / "schemas" / "XyzCommand.json").read_text())
    assert schema["properties"]["reference"]["maxLength"] == 200
    assert schema["required"] == ["reference"]
    assert schema["$schema"] == schema_of("XyzCommand", Payload)["$schema"]


@pytest.mark.parametrize(
    ("command", "there", "said"),
    [
        ("EchoCommand", None, r"EchoCommand is in infra/catalog.json already: edit .*/echo\.py"),
        ("ECHOCommand", None, r"ECHOCommand differs from EchoCommand .* by its capitals only"),
        ("echo", None, "COMMAND=echo is no name"),
        ("ClassCommand", None, "keyword"),
        ("XyzCommand", "functions/consumers/xyz.py", "functions/consumers/xyz.py is there"),
        ("XyzCommand", "functions/consumers/xyz/__init__.py", "functions/consumers/xyz is there"),
        ("XyzCommand", "tests/consumers/test_xyz.py", "tests/consumers/test_xyz.py is there"),
        ("XyzCommand", "infra/schemas/XyzCommand.json", "XyzCommand.json is there already"),
        ("XyzCommand", "infra/schemas", "could not be written|Nothing was changed"),
    ],
)
def test_what_is_refused_leaves_no_trace(
    root: Path, command: str, there: str | None, said: str
) -> None:
    """Nothing is overwritten, nothing half done; the error names the thing."""
    if there:
        (root / there).parent.mkdir(parents=True, exist_ok=True)
        (root / there).write_text("mine")
    before = tree(root)
    with pytest.raises(AuthorError, match=said):
        scaffold(root, command, Wish())
    assert tree(root) == before


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"topic": "smartlink-xyz-command"}, "topic smartlink-xyz-command belongs to EchoCommand"),
        ({"module": "consumers.xyz"}, "module consumers.xyz belongs to EchoCommand"),
        ({"timeoutSeconds": 0}, "commands.EchoCommand.timeoutSeconds: .* Fix it first"),
    ],
)
def test_a_clash_in_the_catalogue_is_refused(
    root: Path, change: dict[str, object], said: str
) -> None:
    """Also with an entry that was named by hand."""
    path = root / "infra" / "catalog.json"
    catalog = json.loads(path.read_text())
    catalog["commands"]["EchoCommand"] |= change
    path.write_text(json.dumps(catalog))
    before = tree(root)
    with pytest.raises(AuthorError, match=said):
        scaffold(root, "XyzCommand", Wish())
    assert tree(root) == before


@pytest.mark.parametrize("timeout", [-1, 0, 530, 601])
def test_a_time_out_that_does_not_fit_is_refused(root: Path, timeout: int) -> None:
    """By the catalogue's own rules."""
    before = tree(root)
    with pytest.raises(
        AuthorError, match=r"infra/catalog\.json cannot take XyzCommand: .*XyzCommand"
    ):
        scaffold(root, "XyzCommand", Wish(timeout=timeout))
    assert tree(root) == before
