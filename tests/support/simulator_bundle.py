"""What is deployed as the simulator: the files that `infra/simulator_bundle.json` names."""

import json
import shutil
from pathlib import Path

from infra.local.checkout import ROOT

BUNDLE = json.loads((ROOT / "infra" / "simulator_bundle.json").read_bytes())
FILES: dict[str, str] = BUNDLE["files"]
TARGET: str = BUNDLE["target"]


def copy_simulator(folder: Path) -> Path:
    """Copy the bundle into a new folder; return its `main.py`."""
    for name, source in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / source, folder / name)
    return folder / "main.py"
