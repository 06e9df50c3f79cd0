"""What can be said without a provider: names, formats, and that nothing is named twice."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.deploy import costs
from infra.deploy.terraform import REMOVAL, RETIREMENT
from smartlink.domain.config import parse_config
from smartlink.settings import Settings
from tests.terraform.conftest import available
from tests.terraform.runs import ENVIRONMENTS, REPO, program, sources

_ACTIONS = re.compile(r'"(\w+)"')
_FIELD = re.compile(r"jsonPayload\.(\w+)")


def test_every_file_is_formatted() -> None:
    """One spelling of each file; this also parses them, without any provider."""
    command = (available(program), "fmt", "-check", "-diff", "-recursive", str(REPO / "terraform"))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_file_for_each_environment() -> None:
    """No other, and each names itself."""
    files = sources("environments/*.tfvars")
    assert {path.stem for path in files} == set(ENVIRONMENTS)
    for path in files:
        assert re.search(rf'^environment\s*= "{path.stem}"$', path.read_text(), re.MULTILINE)


def test_every_variable_is_typed_described_and_never_null() -> None:
    """A misspelt key or a null is refused at the door."""
    text = (REPO / "terraform" / "variables.tf").read_text()
    blocks = re.split(r"^(?=variable )", text, flags=re.MULTILINE)[1:]
    assert len(blocks) > 10
    for block in blocks:
        for line in ("description =", "type ", "nullable "):
            assert re.search(rf"^  {line}", block, re.MULTILINE), block.splitlines()[0]
        assert "nullable    = false" in block or "nullable = false" in block
        validated = "validation {" in block or re.search(r"type\s+= bool", block)
        assert validated, block.splitlines()[0]


def test_every_validation_has_its_refusal_tested() -> None:
    """As many refusals as rules, at least, for each variable."""
    blocks = re.split(
        r"^(?=variable )", (REPO / "terraform/variables.tf").read_text(), flags=re.MULTILINE
    )
    refusals = (REPO / "terraform/tests/variables.tftest.hcl").read_text()
    for block in blocks[1:]:
        name = block.split('"')[1]
        assert refusals.count(f"var.{name}") >= block.count("validation {"), name


def test_no_tfvars_change_what_terraform_test_tests() -> None:
    """Its files give each variable a value, which goes before that of any tfvars."""
    text = (REPO / "terraform/variables.tf").read_text()
    declared = set(re.findall(r'^variable "(\w+)"', text, re.MULTILINE))
    for path in sources("tests/*.tftest.hcl"):
        given = re.search(r"^variables \{$(.*?)^\}$", path.read_text(), re.MULTILINE | re.DOTALL)
        assert given, path.name
        assert set(re.findall(r"^  (\w+) *=", given[1], re.MULTILINE)) == declared, path.name


def test_settings_that_may_be_tuned_are_those_of_the_functions() -> None:
    """A setting is either tuned by `settings`, or has a variable of its own."""
    text = (REPO / "terraform" / "variables.tf").read_text()
    block = text.partition('variable "settings"')[2].partition("]")[0]
    tuned = set(re.findall(r'"(\w+)"', block.partition("setsubtract")[2]))
    own = {
        "environment", "config_uri", "command", "rac_token_url", "base_url", "paths", "project",
        "catalog", "firestore_database", "audit_database", "contents_bucket", "history_days",
        "redrive_days", "backup_days", "recovery_days", "soft_delete_days", "topic_days",
        "dead_letter_days", "acceptance_url", "unknown_command", "roles",
        "iap_audience", "console_hosts", "indexes",
    }  # fmt: skip
    known = {name for name in Settings.model_fields if not name.endswith("_emulator")}
    assert tuned == known - own


def test_the_first_configuration_file_is_valid() -> None:
    """It holds what the functions would assume without it."""
    data = (REPO / "terraform/files/totvsAppConfig_v2.json").read_bytes()
    policy = parse_config(data, "1")
    assert [policy.attempts, int(policy.factor), int(policy.interval)] == [5, 1, 3]


def test_metrics_and_queries_name_actions_that_exist() -> None:
    """A renamed action would silence its metric and its alert."""
    logged = set(_logged_actions())
    used = set(_used_actions())
    assert used >= {"message_received", "message_done", "message_dead", "poll_done"}
    assert used <= logged, f"not in the code: {sorted(used - logged)}"


def test_metrics_and_queries_name_fields_that_exist() -> None:
    """A renamed field would empty its metric."""
    text = "\n".join(path.read_text() for path in sources("*.tf", "README.md"))
    code = "\n".join(path.read_text() for path in (REPO / "functions/smartlink").rglob("*.py"))
    for name in set(_FIELD.findall(text)) - {"action"}:
        assert re.search(rf'\b{name}=|"{name}"', code), name


def _used_actions() -> Iterator[str]:
    text = "\n".join(path.read_text() for path in sources("*.tf", "README.md"))
    for found in re.findall(
        r'jsonPayload\.action\s*=\s*(\\?"\w+|\((?:\\?"\w+\\?"(?: OR )?)+\))', text
    ):
        yield from re.findall(r"[a-z]\w+", found)
    for found in re.findall(r"\bactions\s*= \[([^\]]*)\]", text):
        yield from _ACTIONS.findall(found)
    yield from re.findall(r'\baction\s*= "([a-z_]+)"', text)
    # The words that an operator is told to look for.
    documents = "\n".join(path.read_text() for path in sources("monitoring_alerts.tf"))
    yield from re.findall(r"`([a-z]+(?:_[a-z]+)+)`", documents)


def _logged_actions() -> Iterator[str]:
    for path in (REPO / "functions/smartlink").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                place = {"event": 0, "surprise": 0, "message_event": 1}.get(node.func.id)
                if place is not None and len(node.args) > place:
                    yield from _strings(node.args[place])
            elif isinstance(node, ast.Assign) and "action" in {
                name.id for name in ast.walk(node.targets[0]) if isinstance(name, ast.Name)
            }:
                yield from _strings(node.value)


def _strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


@pytest.mark.parametrize(
    ("overrides", "types"),
    [
        ((RETIREMENT, REMOVAL), None),
        ((RETIREMENT,), {"google_pubsub_topic", "google_pubsub_subscription"}),
    ],
)
def test_overrides_lift_every_protection_that_they_must(
    overrides: tuple[Path, ...], types: set[str] | None
) -> None:
    """`make destroy` lifts all, `make deploy RETIRE=yes` those of topics and subscriptions."""
    protected = {
        match
        for path in sources("*.tf")
        for match in _blocks_with("prevent_destroy = true", path)
        if types is None or match[0] in types
    }
    assert protected
    lifted = [it for path in overrides for it in _blocks_with("prevent_destroy = false", path)]
    assert sorted(lifted) == sorted(protected)


def _blocks_with(line: str, path: Path) -> Iterator[tuple[str, str]]:
    for kind, name, body in re.findall(
        r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', path.read_text(), re.MULTILINE | re.DOTALL
    ):
        if line in body:
            yield kind, name


def test_the_runtime_is_the_python_that_the_gate_tests() -> None:
    """The lowest version that the project supports: dependencies are locked for it."""
    text = (REPO / "terraform/functions.tf").read_text()
    (runtime,) = re.findall(r'runtime\s+= "python(\d)(\d+)"', text)
    project = tomllib.loads((REPO / "pyproject.toml").read_text())
    assert project["project"]["requires-python"] == f">={'.'.join(runtime)}"
    assert project["tool"]["mypy"]["python_version"] == ".".join(runtime)
    assert sys.version_info[:2] >= tuple(map(int, runtime))


def test_the_costs_in_the_readme_are_the_computed_ones() -> None:
    """`python -m infra.deploy.costs` prints the tables."""
    assert costs.tables() in (REPO / "terraform/README.md").read_text()


def test_every_skipped_finding_has_its_reason() -> None:
    """A skip without a reason is a finding that somebody hid."""
    for path in sources("*.tf"):
        for found in re.findall(r"checkov:skip=(.*)", path.read_text()):
            assert re.fullmatch(r"CKV2?_\w+:.{30,}", found), f"{path.name}: {found}"
