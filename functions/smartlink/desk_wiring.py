"""The composition of an act on messages, for `operate` and for the operators' own commands.

Each property imports the vendor's client that it needs, at its first use.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from smartlink.i18n import data
from smartlink.operations.errors import InvalidError
from smartlink.services.polling.config import Config
from smartlink.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from smartlink.adapters.firestore.audit import FirestoreAudit
    from smartlink.adapters.firestore.jobs import FirestoreJobs
    from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore
    from smartlink.adapters.google.pubsub import PubSubPublisher
    from smartlink.adapters.google.storage import BucketContents
    from smartlink.domain.retry import RetryPolicy
    from smartlink.operations.ports import Desk


@dataclass
class DeskWiring:
    """What an act on messages reaches of one deployment."""

    variables: Mapping[str, str]  # the environment of its functions

    def now(self) -> datetime:
        """Returns the current time in UTC."""
        return datetime.now(UTC)

    @cached_property
    def settings(self) -> Settings:
        """The settings, as the deployment's functions parse them. Raises InvalidError."""
        try:
            return load_settings(self.variables)
        except SettingsError as error:
            raise InvalidError(data(error)) from None

    @property
    def local(self) -> bool:
        """Whether it is a local stack."""
        return self.settings.local

    @cached_property
    def _calls(self) -> "OperatorCalls":
        """The calls of the database of the messages."""
        from smartlink.adapters.firestore.operator import OperatorCalls  # noqa: PLC0415

        config = self.settings
        emulator = config.firestore_emulator
        return OperatorCalls(config.project, config.firestore_database, emulator=emulator)

    @cached_property
    def store(self) -> "OperatorFirestore":
        """The store in Firestore, with the operators' queries."""
        from smartlink.adapters.firestore.operator import OperatorFirestore  # noqa: PLC0415

        return OperatorFirestore(self._calls)

    @cached_property
    def jobs(self) -> "FirestoreJobs":
        """`Tarefa`, in the database of the messages."""
        from smartlink.adapters.firestore.jobs import FirestoreJobs  # noqa: PLC0415

        return FirestoreJobs(self._calls)

    @cached_property
    def audit(self) -> "FirestoreAudit":
        """`Auditoria`, in its own database."""
        from smartlink.adapters.firestore.audit import FirestoreAudit  # noqa: PLC0415
        from smartlink.adapters.firestore.calls import FirestoreCalls  # noqa: PLC0415

        config = self.settings
        emulator = config.firestore_emulator
        return FirestoreAudit(
            FirestoreCalls(config.project, config.audit_database, emulator=emulator)
        )

    @cached_property
    def contents(self) -> "BucketContents":
        """The bucket of large contents."""
        from smartlink.adapters.google.storage import BucketContents  # noqa: PLC0415

        config = self.settings
        return BucketContents(config.bucket, config.project, config.storage_emulator)

    @cached_property
    def publisher(self) -> "PubSubPublisher":
        """Pub/Sub. Nobody waits for it for long: without it a poll asks for a job's steps."""
        from smartlink.adapters.google.failures import Patience  # noqa: PLC0415
        from smartlink.adapters.google.pubsub import PubSubPublisher  # noqa: PLC0415

        config = self.settings
        patience = Patience(timeout=5, deadline=5, delays=(0.2,))
        return PubSubPublisher(config.project, emulator=config.pubsub_emulator, patience=patience)

    @property
    def policy(self) -> "RetryPolicy":
        """The retry policy in force, found as the relay finds it: the file, its last valid, the
        default."""
        return self._config.policy()

    @cached_property
    def _config(self) -> "Config":
        from smartlink.adapters.google.storage import ConfigObject  # noqa: PLC0415

        config = self.settings
        file = ConfigObject(config.config_uri, config.project, config.storage_emulator)
        return Config(file, self.store)


if TYPE_CHECKING:
    _: type[Desk] = DeskWiring
