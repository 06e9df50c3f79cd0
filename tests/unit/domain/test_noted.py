"""Which commands a poll that runs may know."""

from datetime import UTC, datetime, timedelta

from smartlink.domain.noted import (
    KEPT,
    NOTED_EVERY,
    Noted,
    kept,
    newer_elsewhere,
    note_commands,
)

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def noted(commands: str, at: datetime, known: dict[str, Noted] | None = None) -> dict[str, Noted]:
    """After a poll that knows these commands, a letter each."""
    changed = note_commands(known or {}, commands, at, NOTED_EVERY)
    return changed if changed is not None else known or {}


def test_a_poll_notes_its_own_every_ten_minutes() -> None:
    first = noted("AB", NOW)
    assert note_commands(first, "AB", NOW + timedelta(minutes=9), NOTED_EVERY) is None
    assert note_commands(first, "ABC", NOW + timedelta(minutes=1), NOTED_EVERY) is not None
    assert note_commands(first, "A", NOW + timedelta(minutes=10), NOTED_EVERY) is not None


def test_a_command_leaves_a_quarter_of_an_hour_after_its_last_poll() -> None:
    known = noted("A", NOW + NOTED_EVERY, noted("AB", NOW))
    assert kept(known, NOW + KEPT - timedelta(seconds=1)) == {"A", "B"}
    assert kept(known, NOW + KEPT) == {"A"}


def test_what_was_noted_is_never_older_for_it() -> None:
    """Clocks differ."""
    known = noted("A", NOW - timedelta(minutes=10), noted("A", NOW))
    assert known["A"].at == NOW


def test_a_catalogue_that_lacks_what_came_later_is_the_older_one() -> None:
    known = noted("ABC", NOW + timedelta(days=3), noted("AB", NOW))
    later = NOW + timedelta(days=3, minutes=5)
    assert newer_elsewhere(known, "ABC", later) == frozenset()
    assert newer_elsewhere(known, "AB", later) == {"C"}


def test_one_that_has_what_came_later_took_away_what_it_lacks() -> None:
    known = noted("AC", NOW + timedelta(minutes=2), noted("AB", NOW))
    later = NOW + timedelta(minutes=3)
    assert newer_elsewhere(known, "AC", later) == frozenset()
    assert newer_elsewhere(known, "AB", later) == {"C"}


def test_what_came_together_is_older_for_no_clock() -> None:
    """After hours without a poll the older deployment notes first, by a clock that is ahead."""
    ahead = noted("AB", NOW + timedelta(seconds=2))
    known = noted("ABC", NOW, ahead)
    assert known["C"].since < known["A"].since
    assert newer_elsewhere(known, "AB", NOW) == {"C"}


def test_what_left_and_comes_back_is_new() -> None:
    """A rollback, and the release again."""
    known = noted("ABC", NOW)
    known = noted("AB", NOW + timedelta(minutes=16), known)
    assert kept(known, NOW + timedelta(minutes=16)) == {"A", "B"}
    known = noted("ABC", NOW + timedelta(hours=1), known)
    assert known["C"].since == NOW + timedelta(hours=1)
    assert newer_elsewhere(known, "AB", NOW + timedelta(hours=1)) == {"C"}


def test_after_a_day_it_is_forgotten() -> None:
    known = noted("A", NOW + timedelta(days=1), noted("AB", NOW))
    assert known.keys() == {"A"}


def test_a_catalogue_that_nobody_noted_takes_nothing_away() -> None:
    assert newer_elsewhere(noted("AB", NOW), "Z", NOW) == {"A", "B"}
