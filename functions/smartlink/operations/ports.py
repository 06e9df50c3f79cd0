"""What the operations need of the world, beside the relay's own ports."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from smartlink.domain.message import Ended, EndedSummary, Listed, LogLine, Stored, Unreadable
from smartlink.domain.retry import RetryPolicy
from smartlink.domain.tenant import TenantEntry
from smartlink.ports import (
    Broker,
    ConfigFile,
    ConfigSource,
    Contents,
    ErpSecrets,
    LastGoodConfig,
    Messages,
    PortError,
    RelayState,
    TenantSecrets,
    TenantStates,
    Tokens,
)
from smartlink.services.polling.poll import Poll
from smartlink.settings import Settings


class RawDocument(Protocol):
    """A document that cannot be read, with its fields as they are."""

    @property
    def collection(self) -> str: ...
    @property
    def document(self) -> str: ...
    @property
    def why(self) -> str: ...
    @property
    def alive(self) -> bool:
        """Whether it is a live message's."""
        ...

    @property
    def personal(self) -> bool:
        """Whether it says so, or cannot say."""
        ...

    @property
    def message_id(self) -> str | None: ...
    @property
    def content_object(self) -> str | None:
        """The object of the bucket that it refers to."""
        ...

    def shown(self, *, content: bool) -> dict[str, object]:
        """Its fields; what may be a content only if it is asked for."""
        ...


@dataclass(frozen=True, slots=True)
class MessageDocuments:
    """Messages as they are stored, contents too, by document."""

    live: Mapping[str, Stored]
    ended: Mapping[str, Ended]
    raw: Sequence[RawDocument]


class Purgeable(StrEnum):
    """A collection whose old documents an operator may remove."""

    HISTORY = "GTotvsLinkMessageExec"
    LOGS = "GTotvsLinkLog"


class OperatorStore(Messages, TenantStates, RelayState, LastGoodConfig, Protocol):
    """The relay's store, and what only an operator asks of it."""

    def live(self, tenant: str, equal: Mapping[str, str]) -> Iterator[Listed]:
        """The live messages whose stored fields equal these, without contents, by document."""
        ...

    def scan(self, tenant: str, equal: Mapping[str, str]) -> Iterator[Listed | Unreadable]:
        """The same, and the documents that cannot be read."""
        ...

    def count_live(self, tenant: str, equal: Mapping[str, str]) -> int: ...

    def scan_ended(
        self, tenant: str, since: datetime | None, most: int
    ) -> tuple[list[EndedSummary], Sequence[RawDocument]]:
        """The history without contents, the newest first, and what of it cannot be read."""
        ...

    def about(
        self, tenant: str, titulares: Sequence[str]
    ) -> tuple[list[Listed], list[EndedSummary], Sequence[RawDocument]]:
        """The messages, live and ended, that hold one of these in `Titular`, without contents; and
        what of them cannot be read."""
        ...

    def find(self, tenant: str, documents: Sequence[str], message_id: str) -> MessageDocuments:
        """These documents, and every other that its sender gave this id."""
        ...

    def give_up(self, tenant: str, raw: RawDocument, line: LogLine) -> bool:
        """Moves a live document that cannot be read to the history, at the line's time and for as
        long as the line is kept: to a record of its own (True) where one has ended under its id
        before. Raises Conflict."""
        ...

    def lines_of(self, tenant: str, message_id: str) -> list[LogLine]:
        """Every log line of a message, the oldest first."""
        ...

    def newest_lines(
        self, tenant: str, since: datetime | None, most: int
    ) -> list[tuple[str, LogLine]]:
        """The newest log lines with their ids, the newest first."""
        ...

    def count_before(self, tenant: str, what: Purgeable, cutoff: datetime) -> int: ...

    def remove_before(self, tenant: str, what: Purgeable, cutoff: datetime, most: int) -> int:
        """Removes the oldest, `most` at most; answers how many."""
        ...


class OperatorSecrets(TenantSecrets, ErpSecrets, Protocol):
    """The tenants' secrets, and what changes them."""

    def entry(self, tenant: str) -> TenantEntry | None:
        """The tenant as the list shows it; None where the list does not have it (yet)."""
        ...

    def create(self, tenant: str, payload: bytes, region: str | None) -> None:
        """Makes the secret and its first version. Raises Refused where there is one already."""
        ...

    def add(self, tenant: str, payload: bytes) -> str:
        """Adds a version; answers its number."""
        ...

    def enabled_versions(self, tenant: str) -> list[str]:
        """The numbers of the enabled versions, the newest first."""
        ...

    def disable(self, tenant: str, version: str) -> None:
        """Disables a version; it can be enabled again."""
        ...

    def touch(self, tenant: str, now: datetime) -> None:
        """Changes the secret's etag, which a new version alone does not: the relay looks at it."""
        ...

    def remove(self, tenant: str) -> None:
        """Deletes the secret with its versions; one that is gone is no error."""
        ...

    def exists(self, tenant: str) -> bool:
        """Whether there is a secret of this name, labelled or not."""
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
        """Writes a new generation, if the one it `replaces` (None: no file) is still current."""
        ...

    def generations(self) -> list[Generation]:
        """What the bucket keeps, the newest first; a bucket without versions keeps one."""
        ...

    def at(self, generation: str) -> ConfigFile:
        """The file as it was at a generation. Raises NotFound."""
        ...


class PlatformError(PortError):
    """The platform has an error for an answer, or none."""


class NotSignedInError(PlatformError):
    """The operator's credentials were not found: nothing was asked."""


class Platform(Protocol):
    """What the relay stands on: Google Cloud, or the emulators.

    Calls raise PlatformError; Refused where the operator's credentials do not work, and Unavailable
    where Google cannot be reached.
    What emulators do not have is None.
    """

    def sign_in(self) -> None:
        """Finds the operator's credentials. Raises Refused where there are none."""
        ...

    def disabled_apis(self, names: Sequence[str]) -> list[str] | None:
        """Those of these APIs that are not enabled, by their full names."""
        ...

    def missing_indexes(self) -> tuple[int, int] | None:
        """How many of the declared indexes are not ready, and how many are declared."""
        ...

    def need_topic(self, topic: str) -> None:
        """Raises PlatformError where it is not there."""
        ...

    def need_subscription(self, subscription: str) -> None:
        """Raises PlatformError where it is not there."""
        ...

    def functions(self) -> Mapping[str, bool]:
        """The relay's functions, and whether each is active."""
        ...

    def variables(self) -> Mapping[str, str] | None:
        """The environment variables that the relay's functions are deployed with."""
        ...

    def broker_time(self) -> datetime | None:
        """The broker's clock; None where it does not tell."""
        ...


class Deployment(Protocol):
    """One deployment of the relay, as its operators reach it. Each port is made when first used."""

    @property
    def title(self) -> str:
        """Its name for people."""
        ...

    @property
    def local(self) -> bool:
        """Whether it is a local stack."""
        ...

    @property
    def settings(self) -> Settings:
        """As its functions parse them. Raises InvalidError."""
        ...

    @property
    def store(self) -> OperatorStore: ...
    @property
    def secrets(self) -> OperatorSecrets: ...
    @property
    def contents(self) -> Contents: ...
    @property
    def config(self) -> ConfigGenerations: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def broker(self) -> Broker: ...
    @property
    def platform(self) -> Platform: ...
    @property
    def poll(self) -> Poll:
        """The very use case that Cloud Scheduler starts each minute."""
        ...

    @property
    def policy(self) -> RetryPolicy:
        """The retries in force, as the relay itself decides it: the file, its last good, 5·1·3."""
        ...

    def now(self) -> datetime: ...


class Stop(Protocol):
    """Tells whether the operator wants to stop; a `threading.Event` is one."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float) -> bool:
        """Waits so many seconds, less if told to stop; answers whether it was."""
        ...
