"""The finder of the official emulators."""

from pathlib import Path

import pytest

from infra.local.errors import MissingPartError
from infra.local.sdk import FIRESTORE_JAR, find_jars, find_java, find_toolkit, sdk_roots


def put(path: Path, text: str = "") -> Path:
    """Make a file with its folders; executable, so that it can stand for a command."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


def make_java(home: Path, version: str) -> Path:
    """Make what an installed runtime looks like."""
    put(home / "release", f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    return put(home / "bin" / "java")


def make_sdk(root: Path) -> Path:
    """Make what a Google Cloud CLI with both emulators looks like."""
    put(root / "bin" / "gcloud")
    put(root / FIRESTORE_JAR)
    put(root / "platform/pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar")
    return root


def test_all_is_found_from_the_commands_on_path(tmp_path: Path) -> None:
    """The gcloud on PATH is a link; its root is where the link leads."""
    make_java(tmp_path / "jvm", "17.0.15")
    root = make_sdk(tmp_path / "sdk")
    links = tmp_path / "bin"
    links.mkdir()
    (links / "gcloud").symlink_to(root / "bin" / "gcloud")
    (links / "java").symlink_to(tmp_path / "jvm" / "bin" / "java")

    toolkit = find_toolkit({"PATH": str(links)})

    assert toolkit.java == links / "java"
    assert toolkit.firestore_jar == root / FIRESTORE_JAR
    assert toolkit.pubsub_jar.name == "cloud-pubsub-emulator-0.8.20-all.jar"


def test_the_two_emulators_may_stand_under_two_roots(tmp_path: Path) -> None:
    """A package manager's CLI and a person's own."""
    one, two = make_sdk(tmp_path / "one"), make_sdk(tmp_path / "two")
    (one / FIRESTORE_JAR).unlink()

    firestore, pubsub = find_jars([one, two])

    assert firestore == two / FIRESTORE_JAR
    assert pubsub.is_relative_to(one)


def test_a_root_that_a_person_named_is_the_only_one(tmp_path: Path) -> None:
    """Another one would hide the mistake."""
    assert sdk_roots({"CLOUDSDK_ROOT_DIR": str(tmp_path), "PATH": "/usr/bin"}) == [tmp_path]


def test_java_home_comes_before_path(tmp_path: Path) -> None:
    """As Java's own tools have it."""
    java = make_java(tmp_path / "home", "21")
    make_java(tmp_path / "other", "17")

    path = str(tmp_path / "other" / "bin")

    assert find_java({"JAVA_HOME": str(tmp_path / "home"), "PATH": path}) == java


def test_missing_java_is_named_with_the_fix(tmp_path: Path) -> None:
    """What lacks, where it was looked for, how to get it."""
    with pytest.raises(MissingPartError, match=r"Java 11 or newer.*no java on PATH.*JAVA_HOME"):
        find_java({"PATH": str(tmp_path)})


@pytest.mark.parametrize(("version", "said"), [("1.8.0_392", "version 8"), ("9.0.4", "version 9")])
def test_old_java_is_refused(tmp_path: Path, version: str, said: str) -> None:
    """Both forms of version numbers are understood."""
    make_java(tmp_path, version)

    with pytest.raises(MissingPartError, match=said):
        find_java({"JAVA_HOME": str(tmp_path)})


def test_a_java_command_without_a_runtime_is_refused(tmp_path: Path) -> None:
    """A bare macOS has one that only says where to download Java."""
    put(tmp_path / "bin" / "java", "#!/bin/sh\necho no runtime >&2\nexit 1\n")

    with pytest.raises(MissingPartError, match="does not run"):
        find_java({"JAVA_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    ("gone", "part"),
    [
        (str(FIRESTORE_JAR), "The Firestore emulator"),
        (
            "platform/pubsub-emulator/lib/cloud-pubsub-emulator-0.8.20-all.jar",
            "The Pub/Sub emulator",
        ),
    ],
)
def test_a_missing_emulator_is_named_with_the_fix(tmp_path: Path, gone: str, part: str) -> None:
    """Both ways of installing it, and the place that was searched."""
    root = make_sdk(tmp_path / "sdk")
    (root / gone).unlink()

    with pytest.raises(MissingPartError) as caught:
        find_jars([root])

    text = str(caught.value)
    assert text.startswith(part)
    assert str(root) in text
    assert "gcloud components install cloud-firestore-emulator pubsub-emulator" in text
    assert "google-cloud-cli-firestore-emulator google-cloud-cli-pubsub-emulator" in text
