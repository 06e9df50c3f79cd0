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
    """This process itself had no room for it in time: nobody else failed."""


class Refused(PortError):
    """It will never work as it is: asking again is of no use."""


class PartlyRefused(Refused):
    """Of writes that stand each for itself some are refused; the others came to their end."""

    def __init__(self, versions: "Sequence[Version | None]", refused: Mapping[int, str]) -> None:
        super().__init__(next(iter(refused.values())))
        self.versions = versions
        self.refused = refused  # why, by the write's place


class CredentialsRefused(Refused):
    """RAC does not know the tenant's credentials (any more)."""


class AnotherTenant(CredentialsRefused):
    """RAC's token is made out to another tenant id than the one that the name is pinned to."""


class UnreadableDocument(Refused):
    """What was asked for exists, and is not what this version stores. Nothing can be told of it."""


class NotFound(Refused):
    """What was asked for does not exist."""


class Conflict(PortError):
    """A fence or a create of a commit did not hold: nothing of it was written."""


CALL_SECONDS = 60.0
"""What the calls of one session, or one fetch of a token, take at most where nobody says less."""


class Clock(Protocol):
    """Answers now, with its time zone."""

    def __call__(self) -> datetime: ...


class NewId(Protocol):
    """Makes a random id of 32 hexadecimal digits."""

    def __call__(self) -> str: ...


class Wait(Protocol):
    """Lets time pass."""

    def __call__(self, most: float) -> None:
        """A while between none and so many seconds, drawn: callers that failed together do not
        come back together."""
        ...


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of due messages ended."""

    due: datetime
    document: str


class DuePage(list[Stored]):
    """The due messages that could be read, and what else came back.

    Whether more may be due, and where the next page begins, is told by what came back: what
    cannot be read must not hide what lies behind it.
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
        """How many documents came back."""
        return len(self) + len(self.unreadable)


class Messages(Protocol):
    """The messages, history and logs of tenants. Every call may raise Unavailable."""

    def create(self, tenant: str, messages: Sequence[Message]) -> list[Version | None]:
        """Each by itself, of distinct documents; None where the document exists already.

        Raises PartlyRefused where some can never be written as they are.
        """
        ...

    def swap(self, tenant: str, changes: Sequence[Stored]) -> list[Version | None]:
        """Writes each message's state if it is still at that version; None where it is not.

        None also where the database refuses the state, which the adapter logs as an error: the
        message stays as it was, and the others are written.
        """
        ...

    def commit(self, tenant: str, settlements: Sequence[Settlement]) -> None:
        """All of all of them or nothing; raises Conflict when a fence or create does not hold."""
        ...

    def read(self, tenant: str, documents: Sequence[str]) -> dict[str, Stored]:
        """Those that exist and can be read."""
        ...

    def unreadable(self, tenant: str, documents: Sequence[str]) -> dict[str, Unreadable]:
        """Those that exist and cannot be read: for what is missing although it must be there."""
        ...

    def alive(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        """What tells a repeat of those that exist, be they readable or not."""
        ...

    def history(self, tenant: str, documents: Sequence[str]) -> dict[str, Ended]:
        """Those that can be read: for people. What has ended is known by `past`."""
        ...

    def past(self, tenant: str, documents: Sequence[str]) -> dict[str, Past]:
        """Those that have ended: their documents exist, be they readable or not."""
        ...

    def references(self, tenant: str, documents: Sequence[str]) -> dict[str, set[str | None]]:
        """The objects that these documents refer to, live or ended; also of documents that cannot
        be read whole. None stands for one of which it cannot be told."""
        ...

    def reused(self, tenant: str, document: str) -> list[str]:
        """The documents, live or ended, of other messages that came under this one's id."""
        ...

    def undated(self, tenant: str) -> list[str]:
        """The live documents that `due` never finds, though they are not dead: somebody edited
        them. It reads every live one: for now and then."""
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
        """The live messages whose `due` has come, the longest due first.

        `since` leaves out what was due before: a further page need not look again through what
        the pages before it have moved, which the database remembers for a while. `after` goes
        on behind the end of a page.
        """
        ...


@dataclass(frozen=True, slots=True)
class StoredContent:
    """An object of the bucket that nothing lets expire yet."""

    name: str
    document: str | None  # whose content it is, as `put` was told; None: an older release put it
    touched: datetime  # when it was put last
    version: str  # opaque; each put raises it


class Contents(Protocol):
    """Contents too large for a document.

    Who is to refer to a content puts it first: a `put` takes up again whatever is on its way to
    deletion, and whoever was about to send it there finds it changed.
    """

    def put(self, tenant: str, document: str, sha256: str, data: bytes) -> str:
        """Stores the content and answers its object's name; the same again is no error."""
        ...

    def get(self, name: str) -> bytes: ...

    def expire(self, name: str, now: datetime) -> None:
        """The message has ended: the bucket's lifecycle counts from now, and never from earlier."""
        ...

    def delete(self, name: str) -> None: ...

    def withdraw(self, name: str) -> bool:
        """Deletes what was put once, to a name that was free; False: it was put again, or before.

        For who put a content that no document came to refer to: nobody else can refer to it.
        """
        ...

    def lasting(self, after: str, touched: datetime, limit: int) -> tuple[list[StoredContent], str]:
        """A page of objects, in the order of their names: of `limit` that follow `after`, those
        that do not expire and were not put since `touched`. And where the next page begins: ""
        where there is none."""
        ...

    def expire_unchanged(self, content: StoredContent, now: datetime) -> bool:
        """Like `expire`, if it was not put since it was listed; False where it was, or is gone."""
        ...


class Effects(Protocol):
    """What `Context.once` remembers. Every call may raise Unavailable."""

    def write(self, tenant: str, effect: "Effect", version: Version | None) -> Version | None:
        """Creates the effect, or changes it if it is still at that version; None where not."""
        ...

    def read(self, tenant: str, document: str) -> "tuple[Effect, Version] | None":
        """None where there is none. Raises UnreadableDocument."""
        ...

    def delete(self, tenant: str, document: str, version: Version) -> None:
        """If it is still at that version."""
        ...


class TenantStates(Protocol):
    """`tenants/{tenant}`."""

    def states(self, tenants: Sequence[str]) -> dict[str, TenantState]:
        """The states of these tenants; a tenant that has none gets a new one."""
        ...

    def save_state(self, tenant: str, state: TenantState, known: TenantState | None = None) -> None:
        """Writes what differs from the state that was `known`; without one, all of it.

        What another process changed meanwhile stays: one that knows an old state would else take
        back a pin, or a setup.
        """
        ...

    def pin(self, tenant: str, pin: Pin | None, before: Pin | None) -> bool:
        """Pins the name, if its pin is still the one `before`; False where it is another."""
        ...

    def has_live(self, tenant: str) -> bool:
        """Whether any message of the tenant is live, a dead or unreadable one too."""
        ...

    def known_tenants(self) -> list[str]:
        """Every tenant that has a state: one read each."""
        ...


@dataclass(frozen=True, slots=True)
class ContentSweep:
    """How far the daily look through the bucket has come."""

    begun: datetime
    after: str  # the object that was looked at last; "": it has come to the end


class RelayState(Protocol):
    """What one tick tells the next, and one poll the others: where a shard's continuation is, so
    that it cannot fork, how far a work of several ticks has come, which commands are known."""

    def advance(self, shard: int, tick: datetime, sequence: int) -> bool:
        """True for the first caller with this shard, tick and sequence, and for none after."""
        ...

    def commands(self) -> Mapping[str, Noted]:
        """The commands that polls have noted."""
        ...

    def note_commands(
        self, commands: Collection[str], now: datetime, every: timedelta
    ) -> Mapping[str, Noted]:
        """Notes these as known to a poll, unless that was done less than `every` ago; answers
        what is then noted. What nobody has noted for a day is forgotten."""
        ...

    def content_sweep(self) -> ContentSweep | None:
        """The last one; None before the first."""
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
        """From now on all its calls together take at most so long."""
        ...

    def tenant_id(self) -> str | None:
        """The tenant id that RAC's token names, which is fetched if there is none; None where it
        names none. It calls RAC at most, never the broker."""
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
        """A bearer token; never the one that the broker has just refused."""
        ...


class TenantSecrets(Protocol):
    """The tenants' secrets."""

    def entries(self) -> list[TenantEntry]: ...

    def payload(self, tenant: str) -> bytes:
        """Raises NotFound when there is none."""
        ...


class ErpSecrets(Protocol):
    """The secrets of the tenants' ERPs."""

    def erp(self, tenant: str) -> bytes: ...


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A generation of `totvsAppConfig_v2.json`."""

    generation: str
    data: bytes


class ConfigSource(Protocol):
    """Where the configuration file lies."""

    def read(self, known: str | None) -> ConfigFile | None:
        """The file, or None while its generation is the known one. Raises NotFound."""
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
    """Executes one message and says how it went; it does not raise."""

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
        """What finished since the last list, never empty. A list whose last message is overdue
        is the last list: nothing is started after it."""
        ...


class Turns(Protocol):
    """Performs work in the order it comes, some of it at the same time."""

    def __call__(
        self,
        work: Sequence[_Work],
        perform: Callable[[_Work, Callable[[_Work], None]], None],
        deadline: datetime,
    ) -> list[_Work]:
        """`perform` gets a function that appends work. Answers what the deadline left undone."""
        ...


class Beside(Protocol):
    """Begins something beside the caller."""

    def __call__(self, work: Callable[[], _Result]) -> Callable[[], _Result]:
        """What it answers waits for the result, or raises what the work raised."""
        ...


class EndProcess(Protocol):
    """Ends the process at once: a thread that loops can only be freed so."""

    def __call__(self) -> NoReturn: ...


class LogSink(Protocol):
    """Log lines of the relay outside any settlement."""

    def log(self, tenant: str, lines: Sequence[LogLine]) -> None:
        """Writes each line by itself. One that the database refuses is logged, and left out."""
        ...
