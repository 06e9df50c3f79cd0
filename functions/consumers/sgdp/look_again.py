"""Masks a person until nobody is found any more, and tells what else holds the old values."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection

from consumers.sgdp.copies import Copy, Watch, copies_in_rows, triggers, values_of
from consumers.sgdp.indexed import equal_values
from consumers.sgdp.masking import Change, changes, mask
from consumers.sgdp.model import Models
from consumers.sgdp.person import Again, Found, Held, find_again, places_of
from consumers.sgdp.requested import Identifiers
from smartlink.consumer import Context, FatalError

_ROUNDS = 3  # a trigger may write a row of the person's, whose mask may set off another


@dataclass(frozen=True, slots=True)
class Masked:
    """What a mask came to."""

    rows: int
    copies: Sequence[Copy] = ()  # outside the map, that hold what was masked
    others: Sequence[str] = ()  # columns in which somebody else's row holds an equal value
    unclear: Sequence[Held] = ()  # rows that may be the person's, and stay as they are
    unsearched: int | None = 0  # indexed columns that were not looked into; None: all
    triggers: Sequence[str] = ()  # that a dry run did not set off


def would_mask(connection: Connection, found: Found, wanted: Sequence[Change]) -> Masked:
    """Say what a mask would come to: no trigger writes before it does."""
    needles = values_of(found.records, wanted)
    rows = [record.row for record in found.records]
    copies = copies_in_rows(connection, rows, needles) if needles else set[Copy]()
    models = {change.row.model.name: change.row.model for change in wanted}
    names = [
        f"{model.table.fullname}: {name}"
        for model in models.values()
        for name in triggers(connection, model)
    ]
    return Masked(len(wanted), sorted(copies), unclear=found.unclear, triggers=sorted(names))


def mask_and_look_again(
    connection: Connection,
    context: Context,
    models: Models,
    found: Found,
    asked: Identifiers,
    wanted: Sequence[Change],
) -> Masked:
    """Mask the rows; then look for the person again, as if nothing were known of the mask.

    Raises FatalError, so that nothing is masked, if something of the person is left.
    """
    records = found.records
    needles = values_of(records, wanted)
    watch = Watch.begin(connection, models)
    done = {change.row.digest for change in wanted}
    every = list(wanted)
    again = Again([], [], [])
    left: Sequence[Change] = wanted
    replaced: Counter[str] = Counter()
    for _ in range(_ROUNDS):
        replaced += watch.replaces(connection, left)
        mask(connection, context, left)
        again = find_again(connection, models, records, asked)
        left = changes(connection, again.records, models.salt)
        if not left:
            break
        every += left
        done |= {change.row.digest for change in left}
    if left:
        places = sorted({place for change in left for place in _places(change)})
        message = (
            f"after {_ROUNDS} masks the person is still found in {', '.join(places)}. Nothing was "
            f"masked: a trigger or rule of the ERP writes these values again; have it changed, and "
            f"redrive the message"
        )
        raise FatalError(message)
    others = set(places_of(again.others))
    unclear = [it for it in (*found.unclear, *again.unclear) if it[0].digest not in done]
    if needles is None:
        return Masked(len(done), others=sorted(others), unclear=unclear)
    rows = {record.row.digest: record.row for record in (*records, *again.records)}
    copies = copies_in_rows(connection, list(rows.values()), needles)
    copies |= watch.copies(connection, needles, every, replaced)
    equal = equal_values(connection, models, every, rows.keys())
    return Masked(
        len(done),
        sorted(copies | equal.outside),
        sorted(others | equal.others),
        unclear,
        equal.unsearched if equal.looked else None,
    )


def _places(change: Change) -> Iterator[str]:
    """The columns of a row that would be masked."""
    for name, value in change.values.items():
        if change.row.values[name] != value:
            yield f"{change.row.model.table.fullname}.{name}"
