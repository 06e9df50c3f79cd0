"""The real stack under the axe, in short: `make chaos` is the long form."""

from pathlib import Path

from tests.chaos.run import chaos
from tests.chaos.scale import Scale
from tests.chaos.storm import Fault
from tests.support.emulators import needs_emulators

pytestmark = needs_emulators


def test_nothing_is_lost_doubled_or_stuck(tmp_path: Path) -> None:
    """Functions die, the broker, Pub/Sub and Firestore fail in every way, and the books balance."""
    scale = Scale(messages=400, tenants=2, seconds=16, patience=150, hurried=True)

    outcome = chaos(scale, tmp_path)

    assert outcome.verdict.broken == [], f"see {tmp_path}"
    assert set(outcome.faults) == set(Fault), "each kind of fault did occur"
