"""What is deployed: `functions/` without what `infra/bundle.json` leaves out."""

import json
import shutil
from fnmatch import fnmatchcase
from pathlib import Path, PurePath

from infra.local.checkout import FUNCTIONS, ROOT

EXCLUDED: list[str] = json.loads((ROOT / "infra" / "bundle.json").read_bytes())["excluded"]


def bundle(source: Path = FUNCTIONS) -> set[PurePath]:
    """Name the deployed files, from the folder."""
    files = {path.relative_to(source) for path in source.rglob("*") if path.is_file()}
    return {file for file in files if not _excluded(file.as_posix())}


def copy_bundle(folder: Path) -> Path:
    """Copy what is deployed into a new folder."""
    for file in bundle():
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FUNCTIONS / file, folder / file)
    return folder


def _excluded(file: str) -> bool:
    # As Terraform reads them: `**/` is any folder or none, and `/**` all that is in one.
    patterns = {form for it in EXCLUDED for form in (it, it.removeprefix("**/"))}
    return any(fnmatchcase(file, pattern) for pattern in patterns)
