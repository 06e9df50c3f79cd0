"""Measures how much larger one snapshot is than another."""

from collections.abc import Mapping, Sized


def growth(before: object, after: object) -> object:
    """Returns how much a number or a collection's length has grown; None for anything else.

    For a mapping it returns the growth of each item, and under None that of the mapping itself.
    """
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        names = sorted({*before, *after}, key=repr)
        own = {name: growth(before.get(name, ()), after.get(name, ())) for name in names}
        return {**own, None: len(after) - len(before)}
    if isinstance(before, (int, float)) and isinstance(after, (int, float)):
        return after - before
    if isinstance(before, Sized) and isinstance(after, Sized):
        return len(after) - len(before)
    return None


def exceeds(one: object, other: object) -> bool:
    """Tells whether one growth is larger than the other, in any item."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return any(exceeds(item, other.get(name, 0)) for name, item in one.items())
    comparable = isinstance(one, (int, float)) and isinstance(other, (int, float))
    return comparable and bool(one > other)  # type: ignore[operator]
