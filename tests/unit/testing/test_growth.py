"""How much more a snapshot holds: what tells a doubled effect from one."""

import pytest

from smartlink.testing.growth import exceeds, growth


@pytest.mark.parametrize(
    ("before", "after", "grown"),
    [
        (1, 3, 2),
        ([], ["a"], 1),
        ({"a"}, {"a", "b"}, 1),
        (None, None, None),
        (object(), object(), None),
        ({"rows": [1]}, {"rows": [1, 2], "mails": [3]}, {"rows": 1, "mails": 1, None: 1}),
    ],
)
def test_it_grows(before: object, after: object, grown: object) -> None:
    """Numbers, collections, and mappings of them, by name."""
    assert growth(before, after) == grown


@pytest.mark.parametrize(
    ("one", "other", "more"),
    [
        (2, 1, True),
        (1, 1, False),
        (None, 1, False),
        (None, None, False),
        ({"rows": 1, "mails": 2}, {"rows": 1, "mails": 1}, True),
        ({"rows": 1}, {"rows": 1}, False),
        ({"new": 1}, {}, True),
    ],
)
def test_one_is_more_than_the_other(one: object, other: object, *, more: bool) -> None:
    """Anywhere; what cannot be told is not more."""
    assert exceeds(one, other) is more
