"""The ports: what the relay needs of the world. Adapters implement them, and services call them."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

from smartlink.domain.hourly import HourFigures
from smartlink.domain.identity import Direction
from smartlink.domain.message import (
    Ended,
    LogLine,
    Message,
    Past,
    Stored,
    Unreadable,
    Version,
)
from smartlink.domain.noted import Noted
from smartlink.domain.order import Intake
from smartlink.domain.pin import Pin
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import Tenant, TenantEntry, TenantState

if TYPE_CHECKING:  # for the annotations alone: only a consumer's function loads them
    from smartlink.domain.effect import Effect
    from smartlink.domain.outcome import Finished

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")


class PortError(Exception):
    """A call to the outside failed. The text may be logged: it holds no secret and no content."""


class Unavailable(PortError):
    """The call failed, but may work later. Nobody knows whether it took effect."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class Busy(Unavailable):
    """This process had no memory free in time. The other side did not fail."""


class ComesFirst(Unavailable):
    """Another message is to be answered first. This one waits, and no attempt of it is spent."""


class Refused(PortError):
    """The call can never work as it is, so nobody should repeat it."""


class PartlyRefused(Refused):
    """Some of several independent writes were refused. All others are written, or were in
    conflict."""

    def __init__(self, versions: "Sequence[Version | None]", refused: Mapping[int, str]) -> None:
        super().__init__(next(iter(refused.values())))
        self.versions = versions
        self.refused = refused  # the reason, by the write's place


class CredentialsRefused(Refused):
    """RAC or the broker does not accept the tenant's credentials."""


class AnotherTenant(CredentialsRefused):
    """RAC's token names another tenant id than the pin of the tenant's name."""


class UnreadableDocument(Refused):
    """The document exists, but this version cannot read it."""


class NotFound(Refused):
    """The object that the call asks for does not exist."""


class Conflict(PortError):
    """A precondition of a commit did not hold, so nothing of it was written."""


CALL_SECONDS = 60.0
"""Seconds that the calls of one session, or one fetch of a token, take at most by default."""


class Clock(Protocol):
    """Returns the current time, with its time zone."""

    def __call__(self) -> datetime: ...


class NewId(Protocol):
    """Makes a random id of 32 hexadecimal digits."""

    def __call__(self) -> str: ...


class Wait(Protocol):
    """Lets time pass."""

    def __call__(self, most: float) -> None:
        """Waits for a random time of at most `most` seconds.

        Callers that failed together do not try again together.
        """
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of due messages ended."""

    due: datetime
    document: str


class DuePage(list[Stored]):
    """The readable due messages of a page; and the unreadable documents that the query returned.

    All returned documents together tell whether more may be due and where the next page begins. So
    an unreadable document never hides the messages behind it.
    """

    def __init__(
        self,
        stored: Iterable[Stored] = (),
        unreadable: Sequence[Unreadable] = (),
        end: Place | None = None,
        *,
        cut: bool = False,
    ) -> None:
        super().__init__(stored)
        self.cut = cut  # the contents were so large that more was not read
        self.unreadable = unreadable
        self.end = end  # the last returned document; None if no document was returned

    @property
    def returned(self) -> int:
        """How many documents the query returned."""
        return len(self) + len(self.unreadable)


@dataclass(frozen=True, slots=True)
class InOrder:
    """A live document of a key, in its place; it holds that place even if it is unreadable."""

    key: str
    document: str
    stored: Stored | None  # None: the document cannot be read


KEYS_AT_ONCE = 30
"""How many keys one call of `Messages.in_order` takes at most."""


class Messages(Protocol):
    """The messages, history and logs of tenants. Every call may raise Unavailable."""

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        """Creates each document by itself, and returns its version; None if it exists already.

        The documents are distinct. Raises PartlyRefused if some can never be written as they are.
        """
        ...

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        """Writes each message's state if the message is still at its version; returns the new
        versions.

        The new version is None if the message has changed. It is also None if the database refuses
        the state: the adapter logs an error, the message stays as it was, and the others are
        written.
        """
        ...

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        """Writes all settlements in one commit, or nothing.

        Raises Conflict if a fence does not hold, or if a document that is to be created exists.
        """
        ...

    def read(self, tenant: str, documents: Sequence[str]) -> dict[str, Stored]:
        """Returns the live messages that exist and are readable."""
        ...

    def unreadable(self, tenant: str, documents: Sequence[str]) -> dict[str, Unreadable]:
        """Returns the live documents that exist and are unreadable.

        The caller asks for a document that must exist and that `read` did not return.
        """
        ...

    def alive(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        """Returns what tells a repeat, for each live document that exists, readable or not."""
        ...

    def history(self, tenant: str, documents: Sequence[str]) -> dict[str, Ended]:
        """Returns the readable records, to show them. `past` tells which messages have ended."""
        ...

    def past(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        """Returns what tells a repeat, for each message that has ended, readable or not."""
        ...

    def references(self, tenant: str, documents: Sequence[str]) -> dict[str, set[str | None]]:
        """Returns the objects to which these documents, live or ended, refer.

        It reads unreadable documents as far as possible. None among the objects means that the
        document may refer to an object that nobody can tell.
        """
        ...

    def reused(self, tenant: str, document: str) -> list[str]:
        """Returns the documents, live or ended, of other messages that came under this one's id."""
        ...

    def of_command(self, tenant: str, command: str) -> Iterator[Stored | Unreadable]:
        """Returns the live messages of a command, by document; also those that cannot be read.

        It reads them page by page, as they are taken.
        """
        ...

    def undated(self, tenant: str) -> list[str]:
        """Returns the live documents without a due instant that are not dead, which `due` never
        finds.

        Somebody must have edited them. The call reads every live document, so it is made rarely.
        """
        ...

    def due(
        self,
        tenant: str,
        now: datetime,
        limit: int,
        direction: Direction | None = None,
        since: datetime | None = None,
        after: Place | None = None,
    ) -> DuePage:
        """Returns a page of the live messages whose due instant has come, the earliest first.

        `after` is the end of the page before. `since` leaves out earlier instants: a further page
        needs it, because the database scans the index entries of documents that were just deleted.
        """
        ...

    def in_order(
        self, tenant: str, keys: Sequence[str], limit: int, before: str = ""
    ) -> list[InOrder]:
        """Returns the first live documents of these keys, in the order of their numbers.

        With `before` it returns only those with a lower number.
        """
        ...

    def intake(self, tenant: str) -> tuple[Intake, Version] | None:
        """Returns who receives the tenant's ordered messages; None if none ever came.

        Raises UnreadableDocument.
        """
        ...

    def take_in(
        self,
        tenant: str,
        intake: Intake,
        version: Version | None,
        created: Sequence[Message] = (),
        moved: Sequence[Stored] = (),
    ) -> list[Version]:
        """Writes the intake, creates and moves these messages, in one commit; returns the versions
        of all, the intake's first.

        Raises Conflict, and has written nothing, if the intake is not at this version (None: it
        must not exist), if a created document exists, or if a moved one has changed.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredContent:
    """An object of the bucket that has no expiry yet."""

    name: str
    document: str | None  # the document given to `put`; None if an older release put it
    touched: datetime  # when it was last put
    version: str  # opaque; each put changes it


class Contents(Protocol):
    """Contents that are too large for a document.

    A call puts a content before it writes a document that refers to it. After a `put` the object
    has no expiry, and it is changed, so a call that is about to expire the object finds that out.
    """

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        """Stores the content and returns its object's name. It may be put more than once."""
        ...

    def get(self, name: str) -> bytes: ...

    def expire(self, name: str, now: datetime) -> None:
        """Lets the object expire: the bucket's lifecycle deletes it some days after `now`."""
        ...

    def delete(self, name: str) -> None: ...

    def withdraw(self, name: str) -> bool:
        """Deletes an object that was put only once; returns False if it was put more than once.

        The caller has put the content and has written no document that refers to it. If nobody else
        has put it, no other document can refer to it either.
        """
        ...

    def lasting(self, after: str, touched: datetime, limit: int) -> tuple[list[StoredContent], str]:
        """Returns the objects of a page that do not expire and were last put before `touched`.

        The page is the `limit` objects whose names follow `after`. The second answer is the `after`
        of the next page; it is empty if there is none.
        """
        ...

    def expire_unchanged(self, content: StoredContent, now: datetime) -> bool:
        """Lets the object expire if it is as it was listed; returns False if it was put or is
        gone."""
        ...


class Effects(Protocol):
    """What `Context.once` remembers. Every call may raise Unavailable."""

    def write(self, tenant: str, effect: "Effect", version: Version | None) -> Version | None:
        """Writes the effect and returns its new version; None if it was not written.

        Without a version the effect must not exist; with one it must still be at that version.
        """
        ...

    def read(self, tenant: str, document: str) -> "tuple[Effect, Version] | None":
        """Returns the effect and its version; None if there is none. Raises UnreadableDocument."""
        ...

    def delete(self, tenant: str, document: str, version: Version) -> None:
        """Deletes the effect if it is still at that version."""
        ...


class TenantStates(Protocol):
    """The documents `tenants/{tenant}`."""

    def states(self, tenants: Sequence[str]) -> dict[str, TenantState]:
        """Returns the states of these tenants. A tenant that has none gets a new one."""
        ...

    def save_state(self, tenant: str, state: TenantState, known: TenantState | None = None) -> None:
        """Writes what differs from the `known` state; without a known state it writes everything.

        What another process changed meanwhile stays. Otherwise a process with an old state would
        take back a pin or a setup.
        """
        ...

    def pin(self, tenant: str, pin: Pin | None, before: Pin | None) -> bool:
        """Pins the name if its pin is still `before`; returns False if it is another pin."""
        ...

    def has_live(self, tenant: str) -> bool:
        """Tells whether the tenant has any live document, also a dead or an unreadable one."""
        ...

    def known_tenants(self) -> list[str]:
        """Returns every tenant that has a state. Each costs one read."""
        ...


class HourlyFigures(Protocol):
    """What happened to a tenant's messages in each hour. Every call may raise Unavailable."""

    def happened(self, tenant: str, since: datetime, until: datetime) -> bool:
        """Tells whether anything ended or was logged from `since` to before `until`.

        It takes two reads where nothing did.
        """
        ...

    def count_hour(self, tenant: str, at: datetime, most: int = ...) -> HourFigures:
        """Counts an hour, each figure up to `most`: a read for each 1,000, at least three."""
        ...

    def keep_hours(self, tenant: str, hours: Sequence[HourFigures]) -> None:
        """Writes the figures of these hours, over those that are there."""
        ...


@dataclass(frozen=True, slots=True)
class ContentSweep:
    """How far the daily look through the bucket has come."""

    begun: datetime
    after: str  # the last object that was looked at; "" at the end


class RelayState(Protocol):
    """What a tick tells the next one, and what polls tell each other.

    It is: how many continuations a shard has had, so that none comes twice; how far the look
    through the bucket has come; which commands the polls know; and which job stands still.
    """

    def advance(self, shard: int, tick: datetime, sequence: int) -> bool:
        """Returns True to the first caller with this shard, tick and sequence, and False to
        others."""
        ...

    def commands(self) -> Mapping[str, Noted]:
        """Returns the commands that polls have noted."""
        ...

    def note_commands(
        self, commands: Collection[str], now: datetime, every: timedelta
    ) -> Mapping[str, Noted]:
        """Notes that a poll knows these commands, unless they were noted less than `every` ago.

        Returns all noted commands. It forgets a command that no poll has noted for a day.
        """
        ...

    def changes(self) -> str:
        """Returns the mark of the last change that an operator announced; "" before the first."""
        ...

    def announce_change(self) -> None:
        """Gives the mark another value: what processes keep of tenants is out of date."""
        ...

    def standing_job(self, now: datetime) -> str | None:
        """Returns the operators' job whose next step is overdue for longest; None: there is none.

        It costs one read.
        """
        ...

    def content_sweep(self) -> ContentSweep | None:
        """Returns the last look through the bucket; None before the first one."""
        ...

    def save_content_sweep(self, sweep: ContentSweep) -> None: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message that the broker leased to a session, as far as it is readable."""

    tag: int | None  # None: it cannot be acked
    id: str | None
    type: str
    content: str
    audience: str | None = None
    problem: str | None = None  # the envelope is malformed; `content` is then the raw envelope


class BrokerSession(Protocol):
    """One HTTP session with the broker, for one tenant. Calls raise Unavailable or Refused."""

    def limit(self, seconds: float) -> None:
        """Limits the time that all calls of the session from now on may take together."""
        ...

    def tenant_id(self) -> str | None:
        """Returns the tenant id that RAC's token names; None if it names none.

        It may call RAC for a token, but it never calls the broker.
        """
        ...

    def trace(self, traceparent: str) -> None:
        """Lets the next `send` carry the message's trace."""
        ...

    def setup(self, commands: Sequence[str]) -> None: ...

    def get(self) -> list[Delivery]: ...

    def ack(self, tag: int) -> None: ...

    def nack(self, tag: int) -> None:
        """Hands the delivery to the broker's own dead-letter queue.

        Raises Refused if nobody has proven that the broker has one (settings.py: Paths.nack).
        """
        ...

    def send(self, message_type: str, audience: str | None, content: bytes) -> None: ...


class Broker(Protocol):
    """Smart Link Server."""

    def session(self, tenant: Tenant) -> AbstractContextManager[BrokerSession]: ...


class Tokens(Protocol):
    """The tokens of RAC."""

    def token(
        self, tenant: Tenant, refused: str | None = None, seconds: float = CALL_SECONDS
    ) -> str:
        """Returns a bearer token, but never the one that the broker has just refused."""
        ...


class TenantSecrets(Protocol):
    """The tenants' secrets."""

    def entries(self) -> list[TenantEntry]: ...

    def payload(self, tenant: str) -> bytes:
        """Returns the payload of the tenant's secret. Raises NotFound if there is none."""
        ...


class ErpSecrets(Protocol):
    """The secrets of the tenants' ERPs, of what names their people, and of the consumers' own."""

    def erp(self, tenant: str) -> bytes: ...

    def titular(self, tenant: str) -> bytes:
        """Returns the payload of `smartlink-titular-<tenant>`. Raises NotFound if there is none."""
        ...

    def own(self, tenant: str, name: str) -> bytes:
        """Returns the payload of `smartlink-<name>-<tenant>`. Raises NotFound if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A generation of `totvsAppConfig_v2.json`."""

    generation: str
    data: bytes


class ConfigSource(Protocol):
    """The source of the configuration file."""

    def read(self, known: str | None) -> ConfigFile | None:
        """Returns the file; None if its generation is the known one. Raises NotFound."""
        ...


class LastGoodConfig(Protocol):
    """The last valid generation, kept where a new process finds it."""

    def load(self) -> ConfigFile | None: ...

    def save(self, file: ConfigFile) -> None: ...


@dataclass(frozen=True, slots=True)
class Envelope:
    """A Pub/Sub message."""

    data: bytes
    attributes: Mapping[str, str]


class Publisher(Protocol):
    """Pub/Sub topics, by their short names."""

    def publish(self, topic: str, envelopes: Sequence[Envelope]) -> None: ...


class Run(Protocol):
    """Executes one message and returns how it went. It does not raise."""

    def __call__(self, stored: Stored) -> "Finished": ...


@dataclass(frozen=True, slots=True)
class Ran:
    """A message and how it went."""

    stored: Stored
    finished: "Finished"
    overdue: bool = False  # it still runs past its time-out; then `finished` means nothing


class Runner(Protocol):
    """Runs messages one after the other, beside the caller."""

    def run(
        self, stored: Sequence[Stored], execute: Run, timeout: timedelta
    ) -> Iterator[list[Ran]]:
        """Yields lists of the messages that have finished since the list before; none is empty.

        If the last message of a list is overdue, no further message starts and no list follows.
        """
        ...


class Turns(Protocol):
    """Performs work in the order in which it comes, some of it at the same time."""

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        """Performs the work; returns the work that was not begun at the deadline.

        `perform` gets an item of work, and a function that appends more work.
        """
        ...


class Beside(Protocol):
    """Does work beside the caller."""

    def __call__(self, work: Callable[[], _Result]) -> Callable[[], _Result]:
        """Begins the work; the returned function waits for its result, or raises its error."""
        ...


class EndProcess(Protocol):
    """Ends the process at once, because nothing else can stop a thread that loops."""

    def __call__(self) -> NoReturn: ...


class LogSink(Protocol):
    """Writes log lines of the relay that belong to no settlement."""

    def log(self, tenant: str, lines: Sequence[LogLine]) -> None:
        """Writes each line by itself. If the database refuses a line, that is logged."""
        ...
