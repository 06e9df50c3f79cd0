"""The bill, counted where it is made: what goes out to each of the services. And what a message
takes of the interpreter. Neither depends on how busy the machine is; `make bench-check` shows both.
"""

import os
from collections.abc import Iterator

import pytest

from infra.local.errors import MissingPartError
from tests.bench.check import RENEW, Checked, baseline, grown, measure
from tests.bench.operations import differences, written
from tests.bench.services import services


@pytest.fixture(scope="module")
def checked() -> Iterator[Checked]:
    try:
        with services(quick=True) as emulators:
            yield measure(emulators)
    except MissingPartError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))


def test_the_wire_and_the_bill_are_one(checked: Checked) -> None:
    """Firestore, Pub/Sub, the broker, RAC, Secret Manager, Cloud Storage and the log, on the
    deployed adapters: each number is the one that terraform/prices.json reckons with. Less is a
    difference too; a kind of call that the file does not name is one."""
    found = "\n".join(differences(checked.counted, written()))
    assert not found, (
        f"What the relay does has changed:\n{found}\nIf it should have, write the new numbers to "
        "`counted` in terraform/prices.json, and the tables that `python -m infra.deploy.costs` "
        "prints to terraform/README.md"
    )


def test_a_message_takes_no_more_of_the_interpreter_than_before(checked: Checked) -> None:
    """Calls, parses, hashes, lines, memory: for each of receiving, consuming and sending."""
    found = "\n".join(grown(checked.work, baseline()))
    assert not found, f"A message takes more:\n{found}\nIf it should: {RENEW}"
