"""What the relay needs of the world, by capability. Adapters implement it, services use it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn, Protocol, TypeVar

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
from smartlink.domain.pin import Pin
from smartlink.domain.settlement import Settlement
from smartlink.domain.tenant import Tenant, TenantEntry, TenantState

if TYPE_CHECKING:  # only a consumer's function has them
    from smartlink.domain.effect import Effect
    from smartlink.domain.outcome import Finished

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")


class PortError(Exception):
    """A call to the outside failed. The text is fit for logs: no secret, no content."""


class Unavailable(PortError):
    """It may work later; whether it took effect is not known."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after  # seconds


class Busy(Unavailable):
    """This process itself had no room in time. Nobody else failed."""


class ComesFirst(Unavailable):
    """Another message is to be answered first. This one waits, and no attempt of it is spent."""


class Refused(PortError):
    """The call will never work as it is: there is no use in trying again."""


class PartlyRefused(Refused):
    """Some of several independent writes were refused. All others are written, or were in
    conflict."""

    def __init__(self, versions: "Sequence[Version | None]", refused: Mapping[int, str]) -> None:
        super().__init__(next(iter(refused.values())))
        self.versions = versions
        self.refused = refused  # why, by the write's place


class CredentialsRefused(Refused):
    """RAC does not know the tenant's credentials (any more)."""


class AnotherTenant(CredentialsRefused):
    """RAC's token is made out to another tenant id than the one that the name is pinned to."""


class UnreadableDocument(Refused):
    """The document exists, but is not what this version stores. Nothing can be told of it."""


class NotFound(Refused):
    """What was asked for does not exist."""


class Conflict(PortError):
    """A precondition of a commit did not hold, so nothing of it was written."""


CALL_SECONDS = 60.0
"""What the calls of one session, or one fetch of a token, take at most where nobody says less."""


class Clock(Protocol):
    """Returns the current time, with its time zone."""

    def __call__(self) -> datetime: ...


class NewId(Protocol):
    """Makes a random id of 32 hexadecimal digits."""

    def __call__(self) -> str: ...


class Wait(Protocol):
    """Lets time pass."""

    def __call__(self, most: float) -> None:
        """Waits for a random time of at most so many seconds: callers that failed together do
        not come back together."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of due messages ended."""

    due: datetime
    document: str


class DuePage(list[Stored]):
    """The due messages that could be read, and what else came back.

    What came back tells whether more may be due, and where the next page begins. So a document that
    cannot be read never hides what lies behind it.
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
        self.end = end  # of the last document that came back; None: none did

    @property
    def returned(self) -> int:
        """Returns how many documents came back."""
        return len(self) + len(self.unreadable)


class Messages(Protocol):
    """The messages, history and logs of tenants. Every call may raise Unavailable."""

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        """Creates each document by itself; the documents are distinct. The version is None if the
        document exists already.

        Raises PartlyRefused if some can never be written as they are.
        """
        ...

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        """Writes each message's state if it is still at that version. The new version is None if
        it is not.

        It is also None if the database refuses the state. The adapter logs that as an error, the
        message stays as it was, and the others are written.
        """
        ...

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        """Writes all settlements in one commit, or nothing.

        Raises Conflict if a fence does not hold, or if a document that is to be created exists.
        """
        ...

    def read(self, tenant: str, documents: Sequence[str]) -> dict[str, Stored]:
        """Returns the live documents that exist and can be read."""
        ...

    def unreadable(self, tenant: str, documents: Sequence[str]) -> dict[str, Unreadable]:
        """Returns the live documents that exist and cannot be read.

        It is asked about a document that `read` did not return although it must exist.
        """
        ...

    def alive(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        """Returns what tells a repeat, for each live document that exists, readable or not."""
        ...

    def history(self, tenant: str, documents: Sequence[str]) -> dict[str, Ended]:
        """Returns the records that can be read, for people. `past` tells what has ended."""
        ...

    def past(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        """Returns what tells a repeat, for each message that has ended, be its record readable
        or not."""
        ...

    def references(self, tenant: str, documents: Sequence[str]) -> dict[str, set[str | None]]:
        """Returns the objects that these documents refer to, live or ended.

        It looks at documents that cannot be read whole, too. None stands for a document of which
        nobody can tell.
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
        """Returns the live documents that `due` never finds, though they are not dead: somebody
        edited them. It reads every live document, so it is called rarely."""
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
        """Returns the live messages whose `due` has come, the longest due first.

        `since` leaves out what was due before. A further page needs it, because the database looks
        through index entries that were deleted a short time ago. `after` is the end of the page
        before.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredContent:
    """An object of the bucket that has no expiry yet."""

    name: str
    document: str | None  # whose content it is, as `put` was told; None: an older release put it
    touched: datetime  # when it was put last
    version: str  # opaque; each put raises it


class Contents(Protocol):
    """Contents too large for a document.

    Whoever is going to refer to a content puts it first. A `put` takes up an object that is about
    to expire, and whoever was about to let it expire finds it changed.
    """

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        """Stores the content and returns its object's name. To put the same again is no error."""
        ...

    def get(self, name: str) -> bytes: ...

    def expire(self, name: str, now: datetime) -> None:
        """Lets the object expire: the bucket's lifecycle counts from now, never from an earlier
        time."""
        ...

    def delete(self, name: str) -> None: ...

    def withdraw(self, name: str) -> bool:
        """Deletes an object that was put once, under a name that was free. Returns False if it was
        there before, or was put again.

        The caller put a content, and no document came to refer to it. So nobody else can refer to
        it either.
        """
        ...

    def lasting(self, after: str, touched: datetime, limit: int) -> tuple[list[StoredContent], str]:
        """Returns a page of objects that do not expire and were not put since `touched`, and where
        the next page begins.

        The page is taken from the `limit` objects whose names follow `after`. An empty string means
        that there is no next page.
        """
        ...

    def expire_unchanged(self, content: StoredContent, now: datetime) -> bool:
        """Lets the object expire if nobody has put it since it was listed. Returns False if
        somebody has, or if it is gone."""
        ...


class Effects(Protocol):
    """What `Context.once` remembers. Every call may raise Unavailable."""

    def write(self, tenant: str, effect: "Effect", version: Version | None) -> Version | None:
        """Creates the effect, or changes it if it is still at that version. Returns None if it
        could not."""
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
        """Pins the name, if its pin is still the one `before`; False where it is another."""
        ...

    def has_live(self, tenant: str) -> bool:
        """Tells whether any message of the tenant is live, be it dead or unreadable."""
        ...

    def known_tenants(self) -> list[str]:
        """Returns every tenant that has a state. Each costs one read."""
        ...


@dataclass(frozen=True, slots=True)
class ContentSweep:
    """How far the daily look through the bucket has come."""

    begun: datetime
    after: str  # the object that was looked at last; "": it has come to the end


class RelayState(Protocol):
    """What a tick tells the next one, and what polls tell each other.

    That is: where a shard's continuation is, so that it cannot fork; how far a work of several
    ticks has come; and which commands are known.
    """

    def advance(self, shard: int, tick: datetime, sequence: int) -> bool:
        """Returns True for the first caller with this shard, tick and sequence; False for all
        others."""
        ...

    def commands(self) -> Mapping[str, Noted]:
        """Returns the commands that polls have noted."""
        ...

    def note_commands(
        self, commands: Collection[str], now: datetime, every: timedelta
    ) -> Mapping[str, Noted]:
        """Notes that a poll knows these commands, unless that was done less than `every` ago.

        Returns all that is noted then. It forgets what nobody has noted for a day.
        """
        ...

    def content_sweep(self) -> ContentSweep | None:
        """Returns the last look through the bucket; None before the first one."""
        ...

    def save_content_sweep(self, sweep: ContentSweep) -> None: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message that the broker leased to a session, as far as it could be understood."""

    tag: int | None  # None: it cannot be acked
    id: str | None
    type: str
    content: str
    audience: str | None = None
    problem: str | None = None  # the envelope is malformed; `content` is then the raw envelope


class BrokerSession(Protocol):
    """One HTTP session with the broker, for one tenant. Calls raise Unavailable or Refused."""

    def limit(self, seconds: float) -> None:
        """Bounds the time that all its calls from now on may take together."""
        ...

    def tenant_id(self) -> str | None:
        """Returns the tenant id that RAC's token names; None if it names none.

        It fetches a token if there is none. It may call RAC, but never the broker.
        """
        ...

    def setup(self, commands: Sequence[str]) -> None: ...

    def get(self) -> list[Delivery]: ...

    def ack(self, tag: int) -> None: ...

    def send(self, message_type: str, audience: str | None, content: bytes) -> None: ...


class Broker(Protocol):
    """Smart Link Server."""

    def session(self, tenant: Tenant) -> AbstractContextManager[BrokerSession]: ...


class Tokens(Protocol):
    """RAC."""

    def token(
        self, tenant: Tenant, refused: str | None = None, seconds: float = CALL_SECONDS
    ) -> str:
        """Returns a bearer token, but never the one that the broker has just refused."""
        ...


class TenantSecrets(Protocol):
    """The tenants' secrets."""

    def entries(self) -> list[TenantEntry]: ...

    def payload(self, tenant: str) -> bytes:
        """Raises NotFound when there is none."""
        ...


class ErpSecrets(Protocol):
    """The secrets of the tenants' ERPs, and of what names their people."""

    def erp(self, tenant: str) -> bytes: ...

    def titular(self, tenant: str) -> bytes:
        """Returns the payload of `smartlink-titular-<tenant>`. Raises NotFound if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A generation of `totvsAppConfig_v2.json`."""

    generation: str
    data: bytes


class ConfigSource(Protocol):
    """Where the configuration file lies."""

    def read(self, known: str | None) -> ConfigFile | None:
        """Returns the file; None if its generation is still the known one. Raises NotFound."""
        ...


class LastGoodConfig(Protocol):
    """The last valid generation, kept where a cold start finds it."""

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
    overdue: bool = False  # it still runs, past its time-out; `finished` is void


class Runner(Protocol):
    """Runs messages one after the other, beside the caller."""

    def run(
        self, stored: Sequence[Stored], execute: Run, timeout: timedelta
    ) -> Iterator[list[Ran]]:
        """Yields what has finished since the last list; a list is never empty.

        If the last message of a list is overdue, it is the last list: nothing is started after it.
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
        """Performs the work and returns what was left undone at the deadline.

        `perform` gets a function that appends more work.
        """
        ...


class Beside(Protocol):
    """Begins something beside the caller."""

    def __call__(self, work: Callable[[], _Result]) -> Callable[[], _Result]:
        """Begins the work. The function that it returns waits for the result, or raises what the
        work raised."""
        ...


class EndProcess(Protocol):
    """Ends the process at once. Nothing else can free a thread that loops."""

    def __call__(self) -> NoReturn: ...


class LogSink(Protocol):
    """Writes log lines of the relay that belong to no settlement."""

    def log(self, tenant: str, lines: Sequence[LogLine]) -> None:
        """Writes each line by itself. A line that the database refuses is left out, and logged."""
        ...
