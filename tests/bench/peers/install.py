"""Installs Redis into the checkout, without root, where apt is and PATH has no Redis.

`make bench` runs it before the bench. It never fails: what is missing, the bench itself says.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench.peers.servers import INSTALLED

_PACKAGES = ("redis-server", "redis-tools")


def main() -> None:
    """Install it, once."""
    if shutil.which("redis-server") or (INSTALLED / "usr" / "bin" / "redis-server").exists():
        return
    if not (shutil.which("apt-get") and shutil.which("dpkg")):
        return
    with tempfile.TemporaryDirectory() as folder:
        try:
            _install(Path(folder))
        except subprocess.CalledProcessError as error:
            said = error.stderr.strip().splitlines()[-1:] or ["no reason given"]
            sys.stderr.write(f"Redis could not be installed into {INSTALLED}: {said[0]}\n")


def _install(folder: Path) -> None:
    """Download the packages, by lists of our own, and unpack them."""
    folder.chmod(0o755)  # root's apt downloads as a user of its own
    for part in ("lists/partial", "cache/archives/partial"):
        (folder / part).mkdir(parents=True)
    private = ("-o", f"Dir::State::Lists={folder}/lists", "-o", f"Dir::Cache={folder}/cache")
    _run(folder, "apt-get", *private, "-o", "APT::Sandbox::User=", "update")
    asked = _run(folder, "apt-cache", *private, "depends", "--important", *_PACKAGES)
    words = (line.partition(":")[2].strip() for line in asked.splitlines())
    libraries = {word for word in words if word.startswith("lib") and word != "libc6"}
    download = ("-o", "APT::Sandbox::User=", "download", *_PACKAGES, *sorted(libraries))
    _run(folder, "apt-get", *private, *download)
    INSTALLED.mkdir(parents=True, exist_ok=True)  # dpkg makes the last folder only
    for package in sorted(folder.glob("*.deb")):
        _run(folder, "dpkg", "-x", str(package), str(INSTALLED))


def _run(folder: Path, *command: str) -> str:
    return subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout


if __name__ == "__main__":
    main()
