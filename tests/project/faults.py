"""`python -m tests.project.faults`: does pip-audit know a fault of what is locked?

Every lock file that the functions, the stack and the tests are installed from. Where the service
that knows the faults cannot be reached, or does not know a package, that is said, and nothing is
claimed.
"""

import json
import subprocess
import sys
from typing import Any

from tests.project.checkout import ROOT

LOCKS = ("functions", "infra", "tests", "terraform")


def asked(lock: str) -> tuple[list[dict[str, Any]], str]:
    """What pip-audit tells of each package of a lock file; or nothing, and why."""
    command = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    command += ["--disable-pip", "--require-hashes", "--requirement"]
    path = str(ROOT / lock / "requirements.txt")
    ran = subprocess.run([*command, path], capture_output=True, text=True, check=False)
    try:
        found: list[dict[str, Any]] = json.loads(ran.stdout)["dependencies"]
    except ValueError:
        return [], (ran.stderr.strip().splitlines() or ["pip-audit said nothing"])[-1]
    return found, ""


def faults(packages: list[dict[str, Any]]) -> list[str]:
    """A line for each known fault."""
    return [
        f"{it['name']} {it['version']}: {fault['id']}, fixed in {', '.join(fault['fix_versions'])}"
        for it in packages
        for fault in it.get("vulns", ())
    ]


def verdict(packages: list[dict[str, Any]], unknown: str) -> str:
    """Say what is known, and of how many packages nothing is."""
    skipped = [it["skip_reason"] for it in packages if "skip_reason" in it]
    lines = faults(packages)
    if len(skipped) < len(packages):
        lines = lines or [f"no known fault in {len(packages) - len(skipped)} packages"]
    if skipped:
        lines.append(f"NOT CHECKED are {len(skipped)} packages: {skipped[0]}")
    if unknown:
        lines.append(f"NOT CHECKED: {unknown}")
    return "; ".join(lines)


def main() -> int:
    """Print what was found; 1 if anything was, 0 if nothing was or nobody could tell."""
    failed = False
    for lock in LOCKS:
        packages, unknown = asked(lock)
        sys.stdout.write(f"{lock}/requirements.txt: {verdict(packages, unknown)}\n")
        failed = failed or bool(faults(packages))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
