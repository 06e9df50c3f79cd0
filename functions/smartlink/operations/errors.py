"""The errors of operations. The text names the thing and the place; the screen adds a hint."""

from smartlink.i18n import Text, _
from smartlink.ports import PortError


class OperationError(Exception):
    """The operation cannot be done."""

    def __init__(self, text: Text) -> None:
        super().__init__(text)


class InvalidError(OperationError):
    """The request itself is not valid."""


class MissingError(OperationError):
    """The thing that was named does not exist."""


class ForbiddenError(OperationError):
    """A rule of the relay forbids the operation."""


class UnreadableError(OperationError):
    """The message's document cannot be read."""


class UnreadableJobError(UnreadableError):
    """The job's document cannot be read."""


class OnlyDiscardError(ForbiddenError):
    """The only action on an unreadable document is to discard it, while it is live."""


class AmbiguousError(InvalidError):
    """Several messages have this id."""


class ActiveAlreadyError(ForbiddenError):
    """The tenant has a secret already."""

    def __init__(self, tenant: str, title: str) -> None:
        super().__init__(_("{tenant} is active already in {title}", tenant=tenant, title=title))
        self.tenant = tenant


class OtherCustomerError(ForbiddenError):
    """The name is pinned to another customer, whose messages still live."""

    def __init__(self, tenant: str, text: Text) -> None:
        super().__init__(text)
        self.tenant = tenant


class ErpFaultsError(ForbiddenError):
    """The check of the tenant's ERP found faults."""

    def __init__(self, tenant: str, faults: int) -> None:
        """Name the tenant, and say how many faults there are."""
        super().__init__(
            _(
                "The ERP of {tenant} has {faults} faults, so {tenant} is not activated",
                tenant=tenant,
                faults=faults,
            )
        )
        self.tenant = tenant


class NoSecretError(MissingError):
    """The tenant has no secret."""


class UnknownTenantError(MissingError):
    """There is no tenant of this name."""


class UnknownCommandError(MissingError):
    """No catalogue and no message has this command."""


class NoGenerationError(MissingError):
    """The configuration has no such generation."""


class GenerationChangedError(ForbiddenError):
    """Somebody has written another generation of the configuration meanwhile."""


class SetupError(OperationError):
    """The queue was not set up, so the new secret was deleted again, if that was possible.

    `__cause__` holds the error of the setup.
    """

    def __init__(self, tenant: str, kept: PortError | None) -> None:
        """`kept` is the error because of which the secret still exists; None: it is deleted."""
        super().__init__(_("The setup of {tenant} failed", tenant=tenant))
        self.tenant = tenant
        self.kept = kept
