"""What a poll holds of answers and of due messages fits into its instance, whoever sends it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.world import World

ROOT = Path(__file__).parents[2]
BEFORE = 140  # MiB that a function has in use before its first call


@pytest.mark.parametrize(
    "what",
    [("blanks", "8"), ("contents", "3"), ("one", "3"), ("rows", "8"), ("due",)],
    ids=["blanks", "many messages", "one message", "rows", "due"],
)
def test_a_poll_takes_less_than_its_instance_has(what: tuple[str, ...]) -> None:
    """Answers of 62 MiB, to several tenants at once; contents of 4 MiB that are looked into; and
    100 messages of 256 KiB due for each of 32. Half of the instance is left for what else it does.
    """
    memory = World().settings.catalog.functions.poll.memory
    command = [sys.executable, "-m", "tests.hostile.memory", *what]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=180)
    assert int(done.stdout) < memory / 2 - BEFORE / 2
