"""The operators' composition: it makes each port of `smartlink.operations` at its first use.

Each property imports the vendor's client that it needs. A command of the command line runs for a
second, so it loads only what it uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from smartlink.desk_wiring import DeskWiring

if TYPE_CHECKING:
    from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager
    from smartlink.adapters.google.storage_config import ConfigObjectGenerations
    from smartlink.adapters.http.connections import Http
    from smartlink.adapters.http.raw_link import RawLink
    from smartlink.operations.ports import Deployment, Identity, Platform
    from smartlink.ports import Broker, Tokens
    from smartlink.services.polling.poll import Poll


@dataclass
class OperatorWiring(DeskWiring):
    """One deployment, with the adapters of its functions and those that only operators have."""

    title: str = ""
    functions: Mapping[str, str] = field(default_factory=dict)  # the URLs, where they are known
    declared: Mapping[str, Any] = field(default_factory=dict)  # what infra/firestore.json says
    local_operator: str = "unknown"  # who acts on a local stack, as the machine says

    @cached_property
    def operator(self) -> "Identity":
        """Who acts: as Google says, or, on a local stack, as the machine claims."""
        from smartlink.operations.ports import Identity  # noqa: PLC0415

        return self.platform.identity() or Identity(self.local_operator, verified=False)

    @cached_property
    def secrets(self) -> "OperatorSecretManager":
        """The secrets in Secret Manager, with the operators' changes."""
        from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager  # noqa: PLC0415

        config = self.settings
        return OperatorSecretManager(config.project, emulator=config.secret_manager_emulator)

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
    def platform(self) -> "Platform":
        """The platform that `health` looks at: Google Cloud, or the emulators."""
        from smartlink.adapters.google.platform import EmulatedPlatform, GooglePlatform  # noqa: PLC0415

        if self.local:
            return EmulatedPlatform(self.settings, self.functions)
        return GooglePlatform(self.settings, self.declared)

    @cached_property
    def poll(self) -> "Poll":
        """The use case of `poll`, which `bootstrap` makes from this process's environment."""
        from smartlink import bootstrap  # noqa: PLC0415

        return bootstrap.poll()


if TYPE_CHECKING:
    _: type[Deployment] = OperatorWiring
