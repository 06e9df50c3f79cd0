"""How much more there is in a snapshot than in another, whatever it is a snapshot of."""

from collections.abc import Mapping, Sized


def growth(before: object, after: object) -> object:
    """How much more there is: of a number, of a collection's items; None of anything else.

    Of a mapping of collections, for each of its names.
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
    """Whether the one growth is more than the other, anywhere."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return any(exceeds(item, other.get(name, 0)) for name, item in one.items())
    comparable = isinstance(one, (int, float)) and isinstance(other, (int, float))
    return comparable and bool(one > other)  # type: ignore[operator]
