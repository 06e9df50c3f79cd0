"""Broken code is told in one line, before a function is stopped for it."""

from pathlib import Path

import pytest

from infra.local.loading import problem_in

SETTINGS = "class SettingsError(ValueError):\n    pass\n"
BOOTSTRAP = (
    "import importlib\nfrom smartlink.settings import SettingsError\n"
    "def load_consumer(command, module):\n"
    "    if not hasattr(importlib.import_module(module), 'answer'):\n"
    "        raise SettingsError(f'{module} must hold {command}')\n"
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("answer = 1\n", None),
        ("answer = (\n", "functions/consumers/xyz.py, line 1: '(' was never closed"),
        ("answer = 1\n\nimport nothing_there\n", "xyz.py, line 3: ModuleNotFoundError: No module"),
        ("import infra.local\n", "xyz.py, line 1: ModuleNotFoundError: No module named 'infra'"),
        ("answer = 1 / 0\n", "xyz.py, line 1: ZeroDivisionError: division by"),
        ("raise SystemExit(0)\n", "xyz.py, line 1: SystemExit: 0"),
        ("print('noise')\nreply = 1\n", "consumers.xyz must hold Xyz"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, said: str | None) -> None:
    """File, line and problem; what holds no consumer, by the relay's own words."""
    folder = tmp_path / "functions"
    files = {
        "main.py": "",
        "smartlink/settings.py": SETTINGS,
        "smartlink/bootstrap.py": BOOTSTRAP,
        "consumers/xyz.py": text,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    problem = problem_in(folder, {"Xyz": "consumers.xyz"})
    assert problem is None if said is None else said in str(problem)
    assert "noise" not in str(problem)
