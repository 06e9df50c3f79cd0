"""A checkout of a test's own: what the authors' commands read, without the project's consumers."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.checkout import CATALOG, FUNCTIONS, ROOT

PATIENCE = 120
ECHO = '''"""Echo: answers what it got."""

from smartlink.consumer import Context, Reply, consumer


@consumer("EchoCommand")
def answer(content: str, context: Context) -> Reply:
    """Answer the content."""
    context.log.info("Got %d characters", len(content))
    return Reply("EchoResponse", content)
'''


def make_checkout(root: Path) -> Path:
    """With one command, a raw one, in the catalogue."""
    hidden = shutil.ignore_patterns("__pycache__", "consumers")
    shutil.copytree(FUNCTIONS, root / "functions", ignore=hidden)
    shutil.copytree(
        ROOT / "infra", root / "infra", ignore=shutil.ignore_patterns("__pycache__", "schemas")
    )
    shutil.copy(ROOT / "pyproject.toml", root)
    consumers = root / "functions" / "consumers"
    # The local stack makes its sample people's databases with this package.
    shutil.copytree(FUNCTIONS / "consumers" / "sgdp", consumers / "sgdp", ignore=hidden)
    (consumers / "__init__.py").write_text('"""What each command does."""\n')
    (consumers / "echo.py").write_text(ECHO)
    entry = {"module": "consumers.echo", "topic": "smartlink-echo-command", "timeoutSeconds": 5}
    functions = json.loads(CATALOG.read_bytes())["functions"]
    catalog = {"functions": functions, "commands": {"EchoCommand": entry}}
    (root / "infra" / "catalog.json").write_text(json.dumps(catalog, indent=2) + "\n")
    return root


def tree(root: Path) -> dict[str, str]:
    """Every file's text by its place; of a file that is no text, its bytes as they are."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes().decode("utf-8", "surrogateescape")
        for path in sorted(root.rglob("*"))
        if path.is_file() and not _made_by_tools(path.relative_to(root))
    }


def _made_by_tools(path: Path) -> bool:
    return any(part == "__pycache__" or part.startswith(".") for part in path.parts)


def python(root: Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run Python in the checkout, as its Makefile does."""
    environment = {**os.environ, "PYTHONPATH": f"{root / 'functions'}:{root}"}
    return subprocess.run(
        [sys.executable, "-B", *arguments],
        cwd=root,
        env=environment,
        input=text,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
