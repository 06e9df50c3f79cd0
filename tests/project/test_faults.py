"""What is not known of a package is told, and not taken for good."""

from typing import Any

from tests.project.faults import faults, verdict

GOOD: dict[str, Any] = {"name": "a", "version": "1", "vulns": []}
BAD: dict[str, Any] = {
    "name": "b",
    "version": "2",
    "vulns": [{"id": "CVE-1", "fix_versions": ["3", "2.1"]}],
}
SKIPPED: dict[str, Any] = {"name": "c", "skip_reason": "not found"}


def test_a_known_fault_is_named_with_its_fix() -> None:
    assert faults([GOOD, BAD, SKIPPED]) == ["b 2: CVE-1, fixed in 3, 2.1"]


def test_what_could_not_be_checked_is_told() -> None:
    assert verdict([GOOD], "") == "no known fault in 1 packages"
    assert verdict([SKIPPED], "") == "NOT CHECKED are 1 packages: not found"
    assert verdict([], "no route to host") == "NOT CHECKED: no route to host"
    assert verdict([BAD, SKIPPED], "").startswith("b 2: CVE-1")
