"""Nothing is installed whose licence nobody has judged."""

import pytest

from tests.project.licences import allowed, refused


def test_what_is_installed_may_be_used() -> None:
    assert list(refused()) == []


@pytest.mark.parametrize(
    ("stated", "good"),
    [
        ("MIT", True),
        ("Apache-2.0 AND MIT", True),
        ("GPL-3.0-only OR BSD-3-Clause", True),
        ("MIT AND AGPL-3.0-only", False),
        ("LGPL-3.0-only", False),
        ("", False),
    ],
)
def test_a_licence_is_judged(stated: str, *, good: bool) -> None:
    """Of two to choose from one is enough, of two that hold both must be on the list."""
    assert allowed("anything", stated) is good
