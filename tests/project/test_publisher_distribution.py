"""The publisher installs alone: its own modules, the few packages that they need, no more."""

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.project.checkout import FUNCTIONS, ROOT

FOLDER = FUNCTIONS / "publisher"
DISTRIBUTION = tomllib.loads((FOLDER / "pyproject.toml").read_text())
PUBLISH = """
import json, sys, threading
from http.server import BaseHTTPRequestHandler, HTTPServer

class Function(BaseHTTPRequestHandler):
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = json.dumps({"id": asked["id"], "repeated": False}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
    def log_message(self, *_):
        pass

from google.auth.credentials import AnonymousCredentials
from smartlink.publisher import Publisher, PublishRefused, outbox_write

server = HTTPServer(("127.0.0.1", 0), Function)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"
refused = None
with Publisher(url, credentials=AnonymousCredentials(), waits=()) as publisher:
    accepted = publisher.publish(tenant="acme", type="OrderPlaced", content={"order": 7}, id="o-7")
    try:
        publisher.publish(tenant="No name", type="OrderPlaced", content={})
    except PublishRefused as error:
        refused = error.field
ours = sorted(m.__file__ for n, m in sys.modules.items() if n.partition(".")[0] == "smartlink")
print(json.dumps({"accepted": accepted.id, "refused": refused, "files": ours}))
"""


def run(python: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [python, *arguments],
        env={**os.environ, "NO_PROXY": "127.0.0.1", "PYTHONPATH": "", **variables},
        cwd=python.parent,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def wheels_files() -> set[str]:
    """What the wheel holds, by its place in functions/."""
    found = set()
    for source in DISTRIBUTION["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]:
        path = (FOLDER / source).resolve()
        assert path.exists(), f"{source} is not there"
        files = path.rglob("*.py") if path.is_dir() else [path]
        found |= {file.relative_to(FUNCTIONS).as_posix() for file in files}
    return found


def test_the_wheel_holds_what_publishing_imports() -> None:
    """Every module that is loaded in the checkout; and besides these only the domain's."""
    ran = run(Path(sys.executable), "-c", PUBLISH, PYTHONPATH=str(FUNCTIONS))
    assert ran.returncode == 0, ran.stderr
    loaded = {Path(it).relative_to(FUNCTIONS).as_posix() for it in json.loads(ran.stdout)["files"]}
    assert loaded - wheels_files() == set()
    more = wheels_files() - loaded - {"smartlink/py.typed"}
    assert {it for it in more if not it.startswith("smartlink/domain/")} == set()


def test_it_asks_for_the_versions_that_the_relay_is_tested_with() -> None:
    """The same ranges; and nothing of what only the relay or the local stack needs."""
    asked = DISTRIBUTION["project"]
    relay = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = {*asked["dependencies"], *asked["optional-dependencies"]["firestore"]}
    assert wanted <= set(relay["dependencies"])
    assert asked["version"] == relay["version"]


def test_it_installs_into_a_new_environment_and_publishes(tmp_path: Path) -> None:
    """By pip, as another program's authors install it; the checkout stays as it was."""
    environment = tmp_path / "venv"
    made = run(Path(sys.executable), "-m", "venv", str(environment))
    assert made.returncode == 0, made.stderr
    python = environment / "bin" / "python"
    before = sorted(FOLDER.rglob("*"))
    installed = run(python, "-m", "pip", "install", "--quiet", str(FOLDER))
    if "hatchling" in installed.stderr and "No matching distribution" in installed.stderr:
        if os.environ.get("CI") == "true":
            pytest.fail(f"no package index answers: {installed.stderr}")
        pytest.skip("no package index answers")
    assert installed.returncode == 0, installed.stderr
    assert sorted(FOLDER.rglob("*")) == before
    ran = run(python, "-I", "-c", PUBLISH)
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["accepted"], said["refused"]) == ("o-7", "tenant")
    assert all(Path(it).is_relative_to(environment) for it in said["files"])
    alone = run(python, "-I", "-c", "import infra")
    assert "No module named 'infra'" in alone.stderr
