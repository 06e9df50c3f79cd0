"""The operators' composition: it makes each port of `smartlink.operations` at its first use.

Each property imports the vendor's client that it needs. A command of the command line runs for a
second, so it loads only what it uses.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smartlink.i18n import data
from smartlink.operations.errors import InvalidError
from smartlink.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from smartlink.adapters.firestore.audit import FirestoreAudit
    from smartlink.adapters.firestore.operator import OperatorFirestore
    from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager
    from smartlink.adapters.google.storage import BucketContents
    from smartlink.adapters.google.storage_config import ConfigObjectGenerations
    from smartlink.adapters.http.connections import Http
    from smartlink.adapters.http.raw_link import RawLink
    from smartlink.domain.retry import RetryPolicy
    from smartlink.operations.ports import Deployment, Identity, Platform
    from smartlink.ports import Broker, Tokens
    from smartlink.services.polling.poll import Poll


@dataclass
class OperatorWiring:
    """One deployment, with the adapters of its functions and those that only operators have."""

    title: str
    local: bool
    variables: Mapping[str, str]  # the environment of its functions
    functions: Mapping[str, str] = field(default_factory=dict)  # the URLs, where they are known
    indexes: Sequence[Mapping[str, Any]] = ()  # of Firestore, that are declared
    local_operator: str = "unknown"  # who acts on a local stack, as the machine says

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

    @cached_property
    def store(self) -> "OperatorFirestore":
        """The store in Firestore, with the operators' queries."""
        from smartlink.adapters.firestore.operator import OperatorCalls, OperatorFirestore  # noqa: PLC0415

        config = self.settings
        emulator = config.firestore_emulator
        calls = OperatorCalls(config.project, config.firestore_database, emulator=emulator)
        return OperatorFirestore(calls)

    @cached_property
    def operator(self) -> "Identity":
        """Who acts: as Google says, or, on a local stack, as the machine claims."""
        from smartlink.operations.ports import Identity  # noqa: PLC0415

        return self.platform.identity() or Identity(self.local_operator, verified=False)

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
    def secrets(self) -> "OperatorSecretManager":
        """The secrets in Secret Manager, with the operators' changes."""
        from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager  # noqa: PLC0415

        config = self.settings
        return OperatorSecretManager(config.project, emulator=config.secret_manager_emulator)

    @cached_property
    def contents(self) -> "BucketContents":
        """The bucket of large contents."""
        from smartlink.adapters.google.storage import BucketContents  # noqa: PLC0415

        config = self.settings
        return BucketContents(config.bucket, config.project, config.storage_emulator)

    @cached_property
    def config(self) -> "ConfigObjectGenerations":
        """`totvsAppConfig_v2.json` and its generations."""
        from smartlink.adapters.google.storage_config import ConfigObjectGenerations  # noqa: PLC0415

        config = self.settings
        return ConfigObjectGenerations(config.config_uri, config.project, config.storage_emulator)

    @cached_property
    def tokens(self) -> "Tokens":
        """The tokens of RAC."""
        from smartlink.adapters.http.routed import make_tokens  # noqa: PLC0415

        return make_tokens(self.settings, self._http, self.now)

    @cached_property
    def broker(self) -> "Broker":
        """Smart Link Server."""
        from smartlink.adapters.http.routed import make_broker  # noqa: PLC0415

        return make_broker(self.settings, self._http, self.tokens)

    @cached_property
    def link(self) -> "RawLink":
        """Smart Link Server, asked in any form."""
        from smartlink.adapters.http.raw_link import RawLink  # noqa: PLC0415

        return RawLink(self._http, self.settings.smart_link_url, self.tokens)

    @cached_property
    def _http(self) -> "Http":
        from smartlink.adapters.http.connections import Bounds, Http  # noqa: PLC0415

        return Http(Bounds.of(self.settings))

    @cached_property
    def policy(self) -> "RetryPolicy":
        """The retry policy in force, found as the relay finds it: the file, its last valid, the
        default."""
        from smartlink.services.polling.config import Config  # noqa: PLC0415

        return Config(self.config, self.store).policy()

    @cached_property
    def platform(self) -> "Platform":
        """The platform that `health` looks at: Google Cloud, or the emulators."""
        from smartlink.adapters.google.platform import EmulatedPlatform, GooglePlatform  # noqa: PLC0415

        if self.local:
            return EmulatedPlatform(self.settings, self.functions)
        return GooglePlatform(self.settings, self.indexes)

    @cached_property
    def poll(self) -> "Poll":
        """The use case of `poll`, which `bootstrap` makes from this process's environment."""
        from smartlink import bootstrap  # noqa: PLC0415

        return bootstrap.poll()


if TYPE_CHECKING:
    _: type[Deployment] = OperatorWiring
