"""The real stack under the axe, in short: `make chaos` is the long form."""

import os
from pathlib import Path

import pytest

from infra.local.errors import MissingPartError
from infra.local.sdk import find_toolkit
from tests.chaos.run import chaos
from tests.chaos.scale import Scale
from tests.chaos.storm import Fault

try:
    find_toolkit()
    MISSING = ""
except MissingPartError as error:
    MISSING = str(error)
# A machine without the emulators skips; the gate must not.
pytestmark = pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason=MISSING)


def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path) -> None:
    """Functions die, the broker, Pub/Sub and Firestore fail in every way, and the books balance."""
    scale = Scale(messages=400, tenants=2, seconds=16, patience=150, hurried=True)

    outcome = chaos(scale, tmp_path)

    assert outcome.verdict.broken == [], f"see {tmp_path}"
    assert set(outcome.faults) == set(Fault), "each kind of fault did occur"
