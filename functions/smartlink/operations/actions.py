"""The actions redrive, discard and hold: each makes a settlement, as the relay does.

One commit, fenced by the message's version, changes the message and writes a log line that says
who did it and why.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from smartlink.domain import lifecycle
from smartlink.domain.identity import second_end_id
from smartlink.domain.message import DeadReason, Ended, Ending, State, Stored
from smartlink.domain.settlement import Settlement
from smartlink.operations.acts import Act
from smartlink.operations.audit import Note


def redriven(stored: Stored, note: Note) -> Settlement:
    """Makes the message pending and due now, with all its attempts again.

    `Tentativas` keeps the old attempts.
    """
    message = stored.message
    live = replace(
        message,
        state=State.PENDING,
        due=note.at,
        attempt=0,
        dispatches=0,
        alone=False,
        redriven=note.at,
        undone=note.undone,
        dead_reason=None,
        failure=None,
    )
    what = f"Redriven after {message.attempt} attempts ({message.dead_reason or 'dead'})"
    return Settlement(
        document=message.document,
        fence=stored.version,
        live=live,
        logs=(note.line(message, what),),
    )


def discarded(stored: Stored, note: Note, *, again: bool = False) -> Settlement:
    """Moves the message, which is dead or waits, to the history as `Descartada`.

    If `again`, the history has its id already, so the new record gets another id.
    """
    message = replace(stored.message, state=State.DEAD, due=None)  # what waited never runs again
    what = "Discarded"
    if stored.message.state is State.WAITING:
        what = f"Discarded after {message.attempt} attempts ({State.WAITING})"
    if again:
        message = replace(message, document=second_end_id(message.document, stored.version))
    return Settlement(
        document=stored.message.document,
        fence=stored.version,
        history=Ended(message, Ending.DISCARDED, note.at, note.expires),
        logs=(note.line(message, what),),
    )


def held(stored: Stored, note: Note) -> Settlement:
    """Makes the message dead, because nobody knows whether it was done. No old claim can settle
    it."""
    message = stored.message
    before = f"{message.state}{f', {message.dead_reason}' if message.dead_reason else ''}"
    error = f"Held by {note.who}: {note.reason}"
    live = replace(lifecycle.dead(message, DeadReason.UNKNOWN_OUTCOME, error), claim=None)
    what = f"Held after {message.attempt} attempts ({before})"
    return Settlement(
        document=message.document,
        fence=stored.version,
        live=live,
        logs=(note.line(message, what),),
    )


@dataclass(frozen=True, slots=True)
class Action:
    """What an operator does to each message."""

    name: str
    done: str
    audited: Act
    settle: Callable[[Stored, Note], Settlement]
    ends: bool = False  # the message's content is released
    dead: bool = True  # only dead messages are selected, unless those that wait are asked for


REDRIVE = Action("redrive", "redriven", Act.REDRIVE, redriven)
DISCARD = Action("discard", "discarded", Act.DISCARD, discarded, ends=True)
HOLD = Action("hold", "held", Act.HOLD, held, dead=False)


def states_taken(action: Action, *, waiting: bool) -> tuple[State | None, ...]:
    """Returns the states of the messages that an action on many takes, in this order; None: any.

    `waiting`: a discard takes the messages that wait for their retry too.
    """
    if not action.dead:
        return (None,)
    return (State.DEAD, State.WAITING) if waiting and action is DISCARD else (State.DEAD,)
