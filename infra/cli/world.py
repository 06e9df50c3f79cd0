"""The adapters of one place, each made when it is first used."""

import getpass
import os
import socket
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from infra.cli.errors import UsageError
from infra.cli.target import Target
from smartlink.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from infra.cli.adapters.config_object import ConfigVersions
    from infra.cli.adapters.messages import OperatorStore
    from infra.cli.adapters.secrets import OperatorSecrets
    from smartlink.adapters.http import Http
    from smartlink.adapters.rac import RacTokens
    from smartlink.adapters.smart_link import SmartLinkBroker
    from smartlink.adapters.storage import BucketContents
    from smartlink.domain.retry import RetryPolicy


@dataclass
class World:
    """As the relay's own composition root makes them, with the operator's few calls more."""

    target: Target

    @staticmethod
    def now() -> datetime:
        """The clock."""
        return datetime.now(UTC)

    @cached_property
    def who(self) -> str:
        """Name the person, for the log of what was done."""
        return os.environ.get("SMARTLINK_OPERATOR") or f"{getpass.getuser()}@{socket.gethostname()}"

    @cached_property
    def settings(self) -> Settings:
        """As the functions of this place parse them."""
        try:
            return load_settings(self.target.variables)
        except SettingsError as error:
            raise UsageError(str(error)) from None

    @cached_property
    def store(self) -> "OperatorStore":
        """Firestore."""
        from infra.cli.adapters.messages import OperatorCalls, OperatorStore  # noqa: PLC0415

        config = self.settings
        emulator = config.firestore_emulator
        calls = OperatorCalls(config.project, config.firestore_database, emulator=emulator)
        return OperatorStore(calls)

    @cached_property
    def secrets(self) -> "OperatorSecrets":
        """Secret Manager."""
        from infra.cli.adapters.secrets import OperatorSecrets  # noqa: PLC0415

        config = self.settings
        return OperatorSecrets(config.project, emulator=config.secret_manager_emulator)

    @cached_property
    def contents(self) -> "BucketContents":
        """The bucket of large contents."""
        from smartlink.adapters.storage import BucketContents  # noqa: PLC0415

        config = self.settings
        return BucketContents(config.bucket, config.project, config.storage_emulator)

    @cached_property
    def config(self) -> "ConfigVersions":
        """`totvsAppConfig_v2.json` and its generations."""
        from infra.cli.adapters.config_object import ConfigVersions  # noqa: PLC0415

        config = self.settings
        return ConfigVersions(config.config_uri, config.project, config.storage_emulator)

    @cached_property
    def tokens(self) -> "RacTokens":
        """RAC."""
        from smartlink.adapters.rac import RacTokens  # noqa: PLC0415

        return RacTokens(self._http, self.settings.token_url, self.now)

    @cached_property
    def broker(self) -> "SmartLinkBroker":
        """Smart Link Server."""
        from smartlink.adapters.smart_link import SmartLinkBroker  # noqa: PLC0415

        config = self.settings
        return SmartLinkBroker(self._http, config.smart_link_url, config.paths, self.tokens)

    @cached_property
    def _http(self) -> "Http":
        from smartlink.adapters.http import Bounds, Http  # noqa: PLC0415

        config = self.settings
        return Http(
            Bounds(
                connect_seconds=config.connect_seconds,
                read_seconds=config.read_seconds,
                silence_seconds=config.silence_seconds,
                response_limit=config.response_limit,
            )
        )

    @cached_property
    def policy(self) -> "RetryPolicy":
        """The retries in force, as the relay itself decides it: the file, its last good, 5·1·3."""
        from smartlink.services.config import Config  # noqa: PLC0415

        return Config(self.config, self.store).policy()
