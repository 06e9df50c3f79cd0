"""Once: an effect that must not be repeated is recorded before it is done, and again afterwards.

    create the record ─▶ effect ─▶ write the result into the record
         │ a record exists
         ▼
    it has ended                    its result is returned; the effect is not done
    this message began it           an earlier run of the message broke off
    another message began it        that run goes on, or broke off if its lease is over

If a run broke off between the two writes, the effect may have been done. A message of a command
with `hold` then waits for an operator, whose redrive means "the effect was not done: do it". Any
other command does the effect again.

A record is kept for two retentions. A message that is older than one retention and finds no record
waits for an operator, because its record may have expired. So a message that came within one
retention of an effect finds the effect's record, however long the message lay dead.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from smartlink.consumer import FatalError, RetryableError, UnknownOutcomeError
from smartlink.domain.effect import Effect, effect_document
from smartlink.domain.message import Message, Version
from smartlink.domain.payload import read_json, write_json
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.settlement import Retention
from smartlink.ports import (
    Clock,
    Effects,
    NewId,
    PortError,
    Unavailable,
    UnreadableDocument,
    Wait,
)
from smartlink.services.patience import persist

_RESULT_LIMIT = 65_536  # characters of JSON
_KEY_LIMIT = 1_000  # characters
_RACES = 5
_RECORDED_WITHIN = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Once:
    """Does an effect once. `Context.once` calls it."""

    effects: Effects
    retention: Retention
    lease: timedelta  # when it is over, another message's run has surely ended
    clock: Clock
    new_id: NewId
    wait: Wait
    since: datetime | None = None  # an effect begun earlier was for the name's earlier customer

    def __call__(
        self,
        tenant: str,
        message: Message,
        policy: RetryPolicy,
        key: str,
        effect: Callable[[], object],
    ) -> object:
        """Does the effect, or returns the result that its record holds. See Context.once.

        Raises FatalError if the key or the result is not valid. Raises UnknownOutcomeError if the
        effect may have been done and a person must find out. Raises PortError if the database
        failed: the message is handed back and spends no attempt.
        """
        if not isinstance(key, str):  # an author need not have mypy
            text = f"once: a key is a str, not a {type(key).__name__}"
            raise FatalError(text)
        if not 0 < len(key) <= _KEY_LIMIT:
            text = f"once: a key has 1 to {_KEY_LIMIT} characters, not {len(key)}"
            raise FatalError(text)
        mine = self._new_record(message, policy, key)
        begun = self._begin(tenant, message, policy, mine)
        if isinstance(begun, Effect):
            return read_json(begun.result or "null")
        try:
            return self._perform(tenant, mine, begun, effect)
        except PortError as error:
            if not policy.hold_unknown:
                raise  # the message is handed back; its next run does the effect again
            text = f"Whether the effect was done is not recorded: {error}"
            raise UnknownOutcomeError(text) from error

    def _perform(
        self, tenant: str, mine: Effect, begun: Version, effect: Callable[[], object]
    ) -> object:
        try:
            result = effect()
        except (RetryableError, FatalError):
            self.effects.delete(tenant, mine.document, begun)
            raise
        return self._end(tenant, replace(mine, result=_written(result)), begun)

    def _new_record(self, message: Message, policy: RetryPolicy, key: str) -> Effect:
        now = self.clock()
        return Effect(
            document=effect_document(message.type, key),
            command=message.type,
            key=None if message.personal else key,
            message=message.document,
            run=self.new_id(),
            begun=now,
            expires=self._remembered(self._remembered(now, policy), policy),
        )

    def _remembered(self, since: datetime, policy: RetryPolicy) -> datetime:
        return self.retention.expires(since, policy)

    def _begin(
        self, tenant: str, message: Message, policy: RetryPolicy, mine: Effect
    ) -> Version | Effect:
        """Returns the version of our new record, or the effect if it has ended already."""
        known: Version | None = None
        self._check_age(tenant, message, policy, mine)
        for _ in range(_RACES):
            version = self.effects.write(tenant, mine, known)
            if version is not None:
                return version
            found = self._read(tenant, mine.document)
            if found is None:
                known = None
                continue
            theirs, known = found
            if self._was_predecessors(theirs):
                continue  # our record replaces it
            if theirs.run == mine.run:  # our own write, whose answer got lost
                return known
            if theirs.ended is not None:
                return theirs
            self._may_repeat(theirs, message, policy)
        text = f"once: other messages came first {_RACES} times"
        raise Unavailable(text)

    def _check_age(self, tenant: str, message: Message, policy: RetryPolicy, mine: Effect) -> None:
        """Raises UnknownOutcomeError if the record of an old message's effect may have expired."""
        old = self._remembered(message.received, policy) <= mine.begun
        if not old or message.undone:
            return
        found = self._read(tenant, mine.document)
        if found is None or self._was_predecessors(found[0]):
            text = (
                f"Received at {message.received:%Y-%m-%d}, it is older than what once remembers: "
                f"find out whether the effect was done; redrive with --outcome-unknown if it was "
                f"not, discard if it was"
            )
            raise UnknownOutcomeError(text)

    def _was_predecessors(self, effect: Effect) -> bool:
        """Tells whether the effect was done for the customer who had the tenant's name before."""
        return self.since is not None and effect.begun < self.since

    def _read(self, tenant: str, document: str) -> tuple[Effect, Version] | None:
        """Reads the record. Raises UnknownOutcomeError if the record is unreadable."""
        try:
            return self.effects.read(tenant, document)
        except UnreadableDocument as error:
            text = f"Whether the effect was done cannot be read: {error}"
            raise UnknownOutcomeError(text) from None

    def _may_repeat(self, theirs: Effect, message: Message, policy: RetryPolicy) -> None:
        """Raises if this run may not do an effect that another run began and did not end.

        Raises Unavailable while the other run may still go on. Raises UnknownOutcomeError if the
        command has `hold` and no operator has redriven the message since.
        """
        own = theirs.message == message.document
        if not own and self.clock() < theirs.begun + self.lease:
            text = f"once: the message {theirs.message} is at it since {theirs.begun:%H:%M:%S}Z"
            raise Unavailable(text)  # another message's work must not cost this one an attempt
        redriven = message.redriven is not None and message.redriven > theirs.begun
        if policy.hold_unknown and not redriven:
            whose = "An earlier run" if own else f"The message {theirs.message}"
            text = (
                f"{whose} began the effect at {theirs.begun:%Y-%m-%d %H:%M:%S}Z and did not say "
                f"how it ended: find out; redrive if it was not done, discard if it was"
            )
            raise UnknownOutcomeError(text)

    def _end(self, tenant: str, done: Effect, version: Version) -> object:
        """Records the result of the effect, which has been done, and returns it.

        It tries for 20 s: without the record, the next run would do the effect again.
        """
        ended = replace(done, ended=self.clock())
        failures: list[Unavailable] = []

        def recorded() -> bool:
            try:
                self._record(tenant, ended, version)
            except Unavailable as error:
                failures.append(error)
                return False
            return True

        if not persist(recorded, self.clock() + _RECORDED_WITHIN, self.clock, self.wait):
            raise failures[-1]
        return read_json(done.result or "null")

    def _record(self, tenant: str, ended: Effect, version: Version) -> None:
        kept = self.effects.write(tenant, ended, version) is not None
        found = None if kept else self._read(tenant, ended.document)
        if not kept and (found is None or found[0].run != ended.run or found[0].ended is None):
            text = "The effect was done, but its record was taken over by another run meanwhile"
            raise UnknownOutcomeError(text)


def _written(result: object) -> str:
    """Returns the result as JSON. Raises FatalError if it has no JSON or is too large.

    The effect has been done, so a result that cannot be kept must not lead to a retry.
    """
    try:
        text = write_json(result)
    except (TypeError, ValueError, RecursionError) as error:
        reason = f"once: the effect was done, but its result is no JSON ({type(error).__name__})"
        raise FatalError(reason) from None
    if len(text) > _RESULT_LIMIT:
        reason = f"once: the effect was done, but its result has over {_RESULT_LIMIT} characters"
        raise FatalError(reason)
    return text
