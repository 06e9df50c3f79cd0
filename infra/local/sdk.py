"""Finds Java, and the official emulators under the root of the Google Cloud CLI."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.errors import MissingPartError

OLDEST_JAVA = 11
FIRESTORE_JAR = Path("platform/cloud-firestore-emulator/cloud-firestore-emulator.jar")
PUBSUB_JARS = "platform/pubsub-emulator/lib/cloud-pubsub-emulator-*.jar"

_JAVA_FIX = (
    f"Install a Java runtime {OLDEST_JAVA} or newer (Debian: apt-get install default-jre-headless) "
    f"or set JAVA_HOME."
)
_CLI_FIX = (
    "Install the Google Cloud CLI with its emulators (gcloud components install "
    "cloud-firestore-emulator pubsub-emulator; Debian, from Google's repository: apt-get install "
    "google-cloud-cli-firestore-emulator google-cloud-cli-pubsub-emulator) "
    "or set CLOUDSDK_ROOT_DIR to its root."
)
_USUAL_ROOTS = (
    "/usr/lib/google-cloud-sdk",
    "~/google-cloud-sdk",
    "/opt/google-cloud-sdk",
    "/usr/local/google-cloud-sdk",
    "/opt/homebrew/share/google-cloud-sdk",
    "/usr/local/share/google-cloud-sdk",
    "/snap/google-cloud-cli/current",
)


@dataclass(frozen=True)
class Toolkit:
    """The programs that the official emulators need."""

    java: Path
    firestore_jar: Path
    pubsub_jar: Path


def find_toolkit(environ: Mapping[str, str] = os.environ) -> Toolkit:
    """Find every part. Raises MissingPartError for the first one that is missing."""
    java = find_java(environ)
    firestore, pubsub = find_jars(sdk_roots(environ))
    return Toolkit(java, firestore, pubsub)


def find_java(environ: Mapping[str, str]) -> Path:
    """Find a Java runtime that is new enough, in JAVA_HOME or else on PATH."""
    home = environ.get("JAVA_HOME")
    looked = f"JAVA_HOME is {home}" if home else "no java on PATH, JAVA_HOME is not set"
    found = shutil.which("java", path=f"{home}/bin" if home else environ.get("PATH"))
    part = f"Java {OLDEST_JAVA} or newer"
    if found is None:
        raise MissingPartError(part, looked=looked, fix=_JAVA_FIX)
    java = Path(found)
    version = java_version(java)
    if version < OLDEST_JAVA:
        what = f"is version {version}" if version else "does not run"
        raise MissingPartError(part, looked=f"{java} {what}", fix=_JAVA_FIX)
    return java


def java_version(java: Path) -> int:
    """Return the major version; 0 if the command has no runtime, as on a new macOS."""
    release = java.resolve().parents[1] / "release"
    # To ask the JVM itself takes 0.2 s.
    text = release.read_text(encoding="utf-8") if release.is_file() else _ask_version(java)
    match = re.search(r'version[ =]"(?:1\.)?(\d+)', text, re.IGNORECASE)
    return int(match.group(1)) if match else 0


def _ask_version(java: Path) -> str:
    asked = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    return asked.stderr + asked.stdout


def sdk_roots(environ: Mapping[str, str]) -> list[Path]:
    """List the places where the root of the Google Cloud CLI may be, likeliest first."""
    return list(dict.fromkeys(_candidates(environ)))


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    if root := environ.get("CLOUDSDK_ROOT_DIR"):
        yield Path(root)
        return  # another root would only hide a mistake in the variable
    if gcloud := shutil.which("gcloud", path=environ.get("PATH")):
        # It is <root>/bin/gcloud, mostly through links. (`gcloud info` would take a second.)
        yield Path(gcloud).resolve().parents[1]
    home = environ.get("HOME", "/nonexistent")
    for usual in _USUAL_ROOTS:
        yield Path(usual.replace("~", home, 1))


def find_jars(roots: list[Path]) -> tuple[Path, Path]:
    """Find both emulators, which may be under different roots."""
    firestore = next(
        (root / FIRESTORE_JAR for root in roots if (root / FIRESTORE_JAR).is_file()), None
    )
    pubsub = next(
        (jar for root in roots for jar in sorted(root.glob(PUBSUB_JARS), reverse=True)), None
    )
    looked = "looked in " + ", ".join(str(root) for root in roots)
    if firestore is None:
        part = "The Firestore emulator of the Google Cloud CLI"
        raise MissingPartError(part, looked=looked, fix=_CLI_FIX)
    if pubsub is None:
        part = "The Pub/Sub emulator of the Google Cloud CLI"
        raise MissingPartError(part, looked=looked, fix=_CLI_FIX)
    return firestore, pubsub
