"""The ports that the operations need besides the relay's own."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from smartlink.domain.hourly import HourFigures
from smartlink.domain.message import (
    Ended,
    EndedSummary,
    Listed,
    LogLine,
    LogType,
    Stored,
    Unreadable,
    Version,
)
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import Tenant, TenantEntry
from smartlink.i18n import Text
from smartlink.ports import (
    Broker,
    ConfigFile,
    ConfigSource,
    Contents,
    Delivery,
    ErpSecrets,
    HourlyFigures,
    LastGoodConfig,
    Messages,
    PortError,
    Publisher,
    RelayState,
    TenantSecrets,
    TenantStates,
    Tokens,
)
from smartlink.settings import Settings

if TYPE_CHECKING:  # they are made of what stands over the ports
    from smartlink.operations.job import Job, OddJob
    from smartlink.services.polling.poll import Poll


class RawSession(Protocol):
    """A session with Smart Link Server in which every status is an answer."""

    def call(self, name: str, verb: str, path: str, body: bytes | None) -> tuple[int, bytes]:
        """Return the status and the body. Raises PortError where no answer came."""
        ...


class RawLink(Protocol):
    """Smart Link Server, asked in any form."""

    def session(self, tenant: Tenant) -> AbstractContextManager[RawSession]:
        """Open a session; at its end the server takes back what it had leased to it."""
        ...

    def confirms(self, body: bytes) -> bool:
        """Tell whether the relay believes such an answer to `setup`, `send` or `ack`."""
        ...

    def read(self, body: bytes) -> list[Delivery]:
        """Return the messages in an answer of `get`, as the relay reads them."""
        ...


class RawDocument(Protocol):
    """An unreadable document with its raw fields."""

    @property
    def collection(self) -> str: ...
    @property
    def document(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def alive(self) -> bool:
        """Whether it is a document of a live message."""
        ...

    @property
    def personal(self) -> bool:
        """Whether the document is marked personal; True also if the mark is unreadable."""
        ...

    @property
    def message_id(self) -> str | None: ...
    @property
    def ended(self) -> datetime | None:
        """When it ended, by which the history is in order; None if that is no instant."""
        ...

    @property
    def content_object(self) -> str | None:
        """The object of the bucket to which it refers."""
        ...

    def shown(self, *, content: bool) -> dict[str, object]:
        """Returns the fields for people; what may be a content only if `content`."""
        ...


@dataclass(frozen=True, slots=True)
class MessageDocuments:
    """Stored messages with their contents, by document."""

    live: Mapping[str, Stored]
    ended: Mapping[str, Ended]
    raw: Sequence[RawDocument]


Equal = Mapping[str, str | bool]
"""Stored fields, and the values that they must have."""


@dataclass(frozen=True, slots=True)
class EndedQuery:
    """What the database itself can find in the history."""

    equal: Equal = field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a page of messages ended; the next page begins behind it."""

    tenant: str
    document: str
    ended: datetime | None = None  # of what has ended; None: the document itself tells


class Purgeable(StrEnum):
    """A collection whose old documents an operator may remove."""

    HISTORY = "GTotvsLinkMessageExec"
    LOGS = "GTotvsLinkLog"


class OperatorStore(Messages, TenantStates, RelayState, LastGoodConfig, HourlyFigures, Protocol):
    """The relay's store, and the queries that only operators need."""

    def live(self, tenant: str, equal: Equal) -> Iterator[Listed]:
        """Lists the live messages whose stored fields have these values, without contents."""
        ...

    def scan(self, tenant: str, equal: Equal, *, after: str = ...) -> Iterator[Listed | Unreadable]:
        """Lists the same messages, and the unreadable documents, by the documents' names.

        `after` is the document behind which the list begins.
        """
        ...

    def count_live(self, tenant: str, equal: Equal) -> int: ...

    def count_due(self, tenant: str, before: datetime) -> int:
        """How many live messages were due before an instant."""
        ...

    def scan_ended(
        self, tenant: str, wanted: EndedQuery, *, page: int = ...
    ) -> Iterator[EndedSummary | RawDocument]:
        """The history without contents, the newest first, and what of it cannot be read.

        It reads `page` documents at a time, and no further than it is asked for.
        """
        ...

    def count_ended(self, tenant: str, wanted: EndedQuery) -> int: ...

    def page_live(
        self, tenant: str | None, equal: Equal, size: int, after: Spot | None = ...
    ) -> list[tuple[str, Listed | Unreadable]]:
        """The next live messages of a tenant, or of all (None), by tenant and document."""
        ...

    def page_ended(
        self, tenant: str | None, wanted: EndedQuery, size: int, after: Spot | None = ...
    ) -> list[tuple[str, EndedSummary | RawDocument]]:
        """The next messages of the history of a tenant, or of all (None), the newest first.

        Raises NotFound if the page is to begin behind a document whose end the place does not tell,
        and that is gone.
        """
        ...

    def total_astray(self) -> int:
        """How many live messages have a due instant and no bucket, so that the query for their
        bucket does not find them. All counts are of one instant, so writes meanwhile change
        nothing. It costs a read for each bucket, and one for each 1,000 messages."""
        ...

    def sought(
        self, tenant: str | None, identity: str, size: int
    ) -> tuple[list[tuple[str, Listed | Unreadable]], list[tuple[str, EndedSummary | RawDocument]]]:
        """The messages, live and ended, of a tenant or of all (None), that have an id: their own,
        their correlation id, or their request id. It reads up to `size` by each of the three."""
        ...

    def total_live(self, tenant: str | None, equal: Equal) -> int:
        """How many live messages a tenant has, or all (None): a read for each 1,000."""
        ...

    def done_in(self, at: datetime, most: int) -> int:
        """How many messages of all tenants were done in an hour, up to `most`."""
        ...

    def kept_hours(
        self, tenant: str, since: datetime, until: datetime
    ) -> dict[datetime, HourFigures | None]:
        """The kept figures of a tenant's hours; None for what cannot be read.

        An hour in which nothing happened has none.
        """
        ...

    def sum_hour(self, at: datetime) -> HourFigures:
        """The kept figures of an hour, of all tenants together."""
        ...

    def total_tenants(self, counted: datetime | None = ...) -> int:
        """How many tenants have a state; with `counted`, those whose hours are kept up to there."""
        ...

    def count_behind(self, tenant: str, key: str, number: str) -> int:
        """How many live messages of a key come after a number: a read for each 1,000."""
        ...

    def longest_due(self, tenant: str | None) -> tuple[str, Listed | Unreadable] | None:
        """The live message whose turn came first, and its tenant: it waits the longest."""
        ...

    def page_tenants(self, size: int, after: str = ...) -> list[str]:
        """The next tenants that have a state, by name."""
        ...

    def troubled(self, now: datetime, since: datetime, size: int) -> list[str]:
        """The tenants that are halted, orphaned or paused, however long ago that began, and those
        whose last error is not older than `since`; at most `size` of each."""
        ...

    def has_documents(self, tenant: str) -> bool:
        """Whether there is any message, history or log line of this tenant."""
        ...

    def has_command(self, tenant: str, command: str) -> bool:
        """Whether the tenant has, or had, a message of this type."""
        ...

    def about(
        self, tenant: str, titulares: Sequence[str]
    ) -> tuple[list[Listed], list[EndedSummary], Sequence[RawDocument]]:
        """The messages, live and ended, that hold one of these in `Titular`, without contents; and
        what of them cannot be read."""
        ...

    def find(self, tenant: str, documents: Sequence[str], message_id: str) -> MessageDocuments:
        """Finds these documents, and every other document of a message with this id."""
        ...

    def give_up(self, tenant: str, raw: RawDocument, line: LogLine) -> bool:
        """Moves an unreadable live document to the history, with the line's time and expiry.

        Returns True if the history had its id already, so that the new record got another id.
        Raises Conflict if the document has changed.
        """
        ...

    def lines_of(self, tenant: str, message_id: str) -> list[LogLine]:
        """Returns every log line of a message, the oldest first."""
        ...

    def keyed_lines_of(self, tenant: str, message_id: str) -> list[tuple[str, LogLine]]:
        """The same with the ids of the lines."""
        ...

    def newest_lines(
        self,
        tenant: str,
        since: datetime | None = ...,
        least: LogType = ...,
        *,
        page: int = ...,
    ) -> Iterator[tuple[str, LogLine]]:
        """The log lines of this type and worse with their ids, the newest first.

        It reads `page` lines at a time, and no further than it is asked for.
        """
        ...

    def lines_from(
        self, tenant: str, since: datetime, *, page: int = ...
    ) -> Iterator[tuple[str, LogLine]]:
        """The log lines from an instant on with their ids, the oldest first."""
        ...

    def count_before(self, tenant: str, what: Purgeable, cutoff: datetime) -> int: ...

    def remove_before(self, tenant: str, what: Purgeable, cutoff: datetime, most: int) -> int:
        """Removes up to `most` of the oldest documents; returns how many it removed."""
        ...


class OperatorSecrets(TenantSecrets, ErpSecrets, Protocol):
    """The tenants' secrets, and the calls that change them."""

    def entry(self, tenant: str) -> TenantEntry | None:
        """Returns the tenant as the list shows it; None if the list does not show it (yet)."""
        ...

    def create(self, tenant: str, payload: bytes, region: str | None) -> None:
        """Makes the secret and its first version. Raises Refused if the secret exists already."""
        ...

    def add(self, tenant: str, payload: bytes) -> str:
        """Adds a version; returns its number."""
        ...

    def enabled_versions(self, tenant: str) -> list[str]:
        """Returns the numbers of the enabled versions, the newest first."""
        ...

    def disable(self, tenant: str, version: str) -> None:
        """Disables a version, which can be enabled again."""
        ...

    def touch(self, tenant: str, now: datetime) -> None:
        """Changes the secret's etag, so that the relay reads the secret again."""
        ...

    def remove(self, tenant: str) -> None:
        """Deletes the secret with its versions. It is no error if the secret is gone."""
        ...

    def exists(self, tenant: str) -> bool:
        """Tells whether a secret of this name exists, with or without the label."""
        ...


@dataclass(frozen=True, slots=True)
class Generation:
    """A generation of the configuration file that the bucket keeps."""

    number: str
    written: datetime | None
    current: bool


class ConfigGenerations(ConfigSource, Protocol):
    """`totvsAppConfig_v2.json` and its generations."""

    def current(self) -> ConfigFile | None: ...

    def write(self, data: bytes, replaces: str | None) -> None:
        """Writes a new generation if the generation `replaces` is still current (None: no file)."""
        ...

    def generations(self) -> list[Generation]:
        """Returns the generations that the bucket keeps, the newest first.

        A bucket without versioning keeps only one.
        """
        ...

    def at(self, generation: str) -> ConfigFile:
        """Returns the file as it was at a generation. Raises NotFound."""
        ...


@dataclass(frozen=True, slots=True)
class Identity:
    """Who acts. `verified`: Google says so; else it is what the local machine claims."""

    name: str
    verified: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditRecord:
    """One document of `Auditoria`: an act's intent, or its result."""

    id: str
    act: str
    who: str
    verified: bool
    at: datetime
    target: str  # what it is done to: a tenant, a document, a filter in words
    tenant: str | None = None  # for people: of many tenants, the first ones
    tenants: tuple[str, ...] = ()  # every one on which it is an act: rights go by them
    reason: str | None = None
    count: int | None = None  # messages, or documents
    before: Mapping[str, str] = field(default_factory=dict)
    after: Mapping[str, str] = field(default_factory=dict)
    outcome: str | None = None  # of a result
    intent: str | None = None  # of a result: the id of its intent


class AuditLog(Protocol):
    """What operators did. Nothing in it is ever changed."""

    def create(self, record: AuditRecord) -> None: ...

    def records(
        self,
        since: datetime | None,
        *,
        page: int = ...,
        tenants: Sequence[str] | None = ...,
    ) -> Iterator[AuditRecord]:
        """The records, the newest first, read `page` at a time.

        `tenants`: those alone that name at least one of these.
        """
        ...


class Jobs(Protocol):
    """The jobs of operators (`Tarefa`)."""

    def create(self, job: "Job") -> None: ...

    def read(self, job: str) -> "tuple[Job | OddJob, Version] | None":
        """Returns a job and its version; None if there is none."""
        ...

    def save(self, job: "Job", version: Version) -> Version | None:
        """Writes what changes of a job, if it is still at its version; returns the new version.

        None: it was changed meanwhile, or this call's own earlier try has written it.
        """
        ...

    def fail(self, job: "OddJob", version: Version, now: datetime) -> None:
        """Ends a job that cannot be read, so that no poll publishes it again."""
        ...

    def newest(self, most: int) -> "list[Job | OddJob]":
        """Returns the jobs that were made last, the newest first."""
        ...

    def about(self, tenants: Sequence[str], *, page: int) -> "Iterator[Job | OddJob]":
        """The jobs about at least one of these tenants, the newest first, read `page` at a time."""
        ...


class PlatformError(PortError):
    """The platform answered with an error, or did not answer."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)


class NotSignedInError(PlatformError):
    """The operator has no credentials, so the platform was not called."""


@dataclass(frozen=True, slots=True)
class FiringAlert:
    """An open incident: the alert policy's name, and since when."""

    policy: str
    since: str  # as the platform writes it


@dataclass(frozen=True, slots=True)
class DeclaredIndex:
    """An index that queries need: its database, collection and fields, and the state it is in."""

    name: str
    state: str  # as the platform writes it; empty: there is none


class Platform(Protocol):
    """The platform of the relay: Google Cloud, or the emulators.

    Calls raise PlatformError, Refused if the operator's credentials do not work, and Unavailable if
    Google cannot be reached. A call returns None for what the emulators do not have.
    """

    def sign_in(self) -> None:
        """Finds the operator's credentials. Raises Refused if there are none."""
        ...

    def identity(self) -> Identity | None:
        """Whose the credentials are, as Google says; None on the emulators. Raises Refused."""
        ...

    def disabled_apis(self, names: Sequence[str]) -> list[str] | None:
        """Returns the full names of those of these APIs that are not enabled."""
        ...

    def indexes(self) -> Sequence[DeclaredIndex] | None:
        """Returns each index that is declared, of the messages' database and of the audit's.

        Empty: the deployment does not say which it needs.
        """
        ...

    def need_topic(self, topic: str) -> None:
        """Raises PlatformError if the topic does not exist."""
        ...

    def need_subscription(self, subscription: str) -> None:
        """Raises PlatformError if the subscription does not exist."""
        ...

    def functions(self) -> Mapping[str, bool]:
        """Returns the relay's functions, and whether each is active."""
        ...

    def publish_status(self) -> int | None:
        """Calls the function `publish` without an identity, from this machine; returns the HTTP
        status. None on the emulators, and where it is not deployed."""
        ...

    def variables(self) -> Mapping[str, str] | None:
        """The environment variables that the relay's functions are deployed with."""
        ...

    def alerts(self) -> Sequence[FiringAlert] | None:
        """Returns the relay's alerts that fire now; None on the emulators."""
        ...

    def broker_time(self) -> datetime | None:
        """Returns the time of the broker's clock; None if the broker does not tell it."""
        ...


class Desk(Protocol):
    """What an act on messages needs, whether an operator's command or `operate` performs it."""

    @property
    def local(self) -> bool:
        """Whether it is a local stack."""
        ...

    @property
    def settings(self) -> Settings:
        """The settings, as the deployment's functions parse them. Raises InvalidError."""
        ...

    @property
    def audit(self) -> AuditLog: ...
    @property
    def store(self) -> OperatorStore: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def contents(self) -> Contents: ...
    @property
    def publisher(self) -> Publisher: ...
    @property
    def policy(self) -> RetryPolicy:
        """The retry policy in force, found as the relay finds it: the file, its last valid, the
        default."""
        ...

    def now(self) -> datetime: ...


class Deployment(Desk, Protocol):
    """One deployment of the relay, with the ports by which operators reach it."""

    @property
    def title(self) -> str:
        """The deployment's name for people."""
        ...

    @property
    def operator(self) -> Identity:
        """Who acts. Raises Refused where Google does not say it."""
        ...

    @property
    def secrets(self) -> OperatorSecrets: ...
    @property
    def config(self) -> ConfigGenerations: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def broker(self) -> Broker: ...
    @property
    def link(self) -> RawLink: ...
    @property
    def platform(self) -> Platform: ...
    @property
    def poll(self) -> "Poll":
        """The use case that Cloud Scheduler starts each minute."""
        ...


class Stop(Protocol):
    """Tells whether the operator wants to stop, as a `threading.Event` does."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool:
        """Waits for `timeout` seconds or until the operator stops; tells whether that happened."""
        ...
