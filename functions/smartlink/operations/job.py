"""A job: an act on many messages, worked off in steps. One document of `Tarefa`."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from smartlink.domain.identity import Direction
from smartlink.domain.message import State, Summary
from smartlink.operations.actions import DISCARD, HOLD, REDRIVE, Action, states_taken
from smartlink.operations.acts import Act
from smartlink.operations.select import Filters, last_event

ACTIONS: Mapping[str, Action] = {it.name: it for it in (REDRIVE, DISCARD, HOLD)}
TENANTS = 10_000
"""Tenants that one job may have: their names stand in its document."""
CHOSEN = 2_000
"""Messages that one job may name by their documents."""


class JobState(StrEnum):
    """`Situacao` of a job."""

    WAITING = "Aguardando"  # for its first or its next step
    RUNNING = "Executando"
    STOPPING = "Parando"  # somebody has asked for it; the running step sees it
    STOPPED = "Parada"  # it can be resumed
    FAILED = "Falhou"  # it can be resumed once the cause is gone
    DONE = "Concluida"


ENDED = frozenset({JobState.STOPPED, JobState.FAILED, JobState.DONE})
RESUMABLE = frozenset({JobState.STOPPED, JobState.FAILED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which messages a job is about.

    `at` is the instant of the selection: what dies or comes later is not taken. Ages are reckoned
    from it.
    """

    at: datetime
    tenants: tuple[str, ...]
    direction: Direction | None = None
    command: str | None = None
    older: timedelta | None = None
    newer: timedelta | None = None
    error: str | None = None
    cause: str | None = None
    received_after: datetime | None = None
    waiting: bool = False  # a discard takes the messages that wait for their retry too
    undone: bool = False  # the operator knows that what may have run was not done
    chosen: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By tenant: these documents alone, as far as they fit."""

    @property
    def filters(self) -> Filters:
        """The filters, without tenant and state."""
        return Filters(
            direction=self.direction,
            command=self.command,
            older=self.older,
            newer=self.newer,
            error=self.error,
            cause=self.cause,
            received_after=self.received_after,
        )

    def came_later(self, message: Summary, action: Action) -> bool:
        """Tells whether it came, died, or was redriven only after the selection.

        So a job never takes up again what dies of its own redrive.
        """
        if message.received > self.at:
            return True
        if not action.dead:
            return False
        redriven = message.redriven is not None and message.redriven >= self.at
        return redriven or last_event(message) > self.at


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a job has come: every document up to this one has been dealt with."""

    place: int = 0  # counts the tenants and, within each, the states
    document: str = ""  # "": no document of this place has been looked at


@dataclass(frozen=True, slots=True)
class Counts:
    """What a job has done so far."""

    looked: int = 0
    done: int = 0
    second: int = 0  # of these: the history had the id already
    changed: int = 0  # somebody else changed the message first
    refused: int = 0
    skipped: Mapping[str, int] = field(default_factory=dict)  # by cause


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """An act on many messages. What stands before `state` never changes."""

    id: str
    action: str  # a name of ACTIONS
    selection: Selection
    target: str  # the selection in words
    matched: int  # messages that fit when it was made
    bound: bool = False  # that is an upper bound: not all had been looked at
    most: int  # messages, at most
    rate: int  # messages a second, at most
    made_by: str
    made: datetime

    state: JobState = JobState.WAITING
    who: str  # who answers for it now: who made it, or who resumed it last
    verified: bool
    reason: str
    intent: str  # the audit's record of that act: the job's end is its result
    resumed: bool = False  # that act was to resume it
    due: datetime | None  # the instant from which a poll publishes it again; None: it has ended
    updated: datetime
    steps: int = 0
    tries: int = 0  # steps that have begun since one came forward
    claim: str | None = None  # of the step that works now
    lease: datetime | None = None  # until when that claim holds
    cursor: Cursor = Cursor()
    counts: Counts = Counts()
    at_least: bool = False  # a step ended without telling: the counts may be too low
    more: bool = False  # there are more that fit than `most`
    refusals: tuple[str, ...] = ()  # the first ones
    problem: str | None = None  # why it failed, or was stopped
    stopped_by: str | None = None
    ended: datetime | None = None
    expires: datetime | None = None

    @property
    def over(self) -> bool:
        """Whether no step follows, unless it is resumed."""
        return self.state in ENDED

    @property
    def act(self) -> Action:
        """What it does to each message."""
        return ACTIONS[self.action]

    @property
    def audited(self) -> Act:
        """The act whose result the job's end is."""
        return Act.RESUME_JOB if self.resumed else self.act.audited

    @property
    def places(self) -> list[tuple[str, State | None]]:
        """The tenants and states, in the order in which they are worked off."""
        states = states_taken(self.act, waiting=self.selection.waiting)
        return [(tenant, state) for tenant in self.selection.tenants for state in states]

    def held(self, now: datetime) -> bool:
        """Whether a step works at it."""
        return self.claim is not None and self.lease is not None and self.lease > now


@dataclass(frozen=True, slots=True)
class OddJob:
    """A document of `Tarefa` that this version cannot read."""

    id: str
    why: str
