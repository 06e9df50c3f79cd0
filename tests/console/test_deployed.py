"""The function `console` as it is deployed: from the zip alone, by functions-framework."""

import json
import subprocess
import sys
from pathlib import Path

from infra.local.checkout import CATALOG
from tests.support.bundle import copy_bundle

PROBE = """
import json, logging, sys
sys.path.insert(0, sys.argv[1])
from functions_framework import create_app
client = create_app("console", f"{sys.argv[1]}/main.py", "http").test_client()
found = {}
for path in ("/", "/messages?state=Morta", "/console/", "/console/static/console.js"):
    answer = client.get(path)
    found[path] = [answer.status_code, answer.headers.get("X-Frame-Options"), answer.text]
logging.disable(logging.CRITICAL)
sys.stderr.write(json.dumps(found))
"""
VARIABLES = {
    "GOOGLE_CLOUD_PROJECT": "p",
    "SMARTLINK_ENVIRONMENT": "production",
    "SMARTLINK_CONFIG_URI": "gs://b/totvsAppConfig_v2.json",
    "SMARTLINK_IAP_AUDIENCE": "/projects/1/locations/r/services/smartlink-console",
    "SMARTLINK_ROLES": '{"ana@example.com": {"viewer": ["*"]}}',
}


def probed(folder: Path, variables: dict[str, str]) -> dict[str, list[object]]:
    workspace = copy_bundle(folder / "workspace")
    environment = {**variables, "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8")}
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, str(workspace)],
        env=environment,
        cwd=workspace,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    found: dict[str, list[object]] = json.loads(ran.stderr.splitlines()[-1])
    return found


def test_it_draws_its_pages_from_the_zip_and_lets_nobody_in_without_iap(tmp_path: Path) -> None:
    """By both addresses; the refusal is a page of ours, with all its headers."""
    found = probed(tmp_path, VARIABLES)
    for path in ("/", "/messages?state=Morta", "/console/"):
        status, frame, text = found[path]
        assert (status, frame) == (401, "DENY")
        assert "X-Goog-IAP-JWT-Assertion" in str(text)
    assert found["/console/static/console.js"][:2] == [200, "DENY"]


def test_without_an_audience_it_serves_nothing(tmp_path: Path) -> None:
    """It could verify nobody."""
    found = probed(tmp_path, {**VARIABLES, "SMARTLINK_IAP_AUDIENCE": ""})
    assert found["/"][0] == 500
