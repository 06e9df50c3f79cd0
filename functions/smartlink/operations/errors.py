"""How an operation fails. The text names the thing and the place; the screen adds its own hint."""

from smartlink.ports import PortError


class OperationError(Exception):
    """It cannot be done."""


class InvalidError(OperationError):
    """What was asked is not possible in itself: another question is needed."""


class MissingError(OperationError):
    """What was named does not exist."""


class ForbiddenError(OperationError):
    """A rule of the relay forbids it."""


class UnreadableError(OperationError):
    """The message's document cannot be read."""


class OnlyDiscardError(ForbiddenError):
    """What nobody can read may be discarded while it lives, and nothing else."""


class AmbiguousError(InvalidError):
    """Several messages have this id."""


class ActiveAlreadyError(ForbiddenError):
    """The tenant has a secret already."""

    def __init__(self, tenant: str, title: str) -> None:
        """Name the tenant and the deployment."""
        super().__init__(f"{tenant} is active already in {title}")
        self.tenant = tenant


class OtherCustomerError(ForbiddenError):
    """The name is pinned to another customer, whose messages still live."""

    def __init__(self, tenant: str, text: str) -> None:
        """Name the tenant, and say whose the name is."""
        super().__init__(text)
        self.tenant = tenant


class ErpFaultsError(ForbiddenError):
    """The check of the tenant's ERP found faults."""

    def __init__(self, tenant: str, faults: int) -> None:
        """Name the tenant, and say how many faults there are."""
        super().__init__(f"The ERP of {tenant} has {faults} faults, so {tenant} is not activated")
        self.tenant = tenant


class NoSecretError(MissingError):
    """The tenant has no secret."""


class UnknownTenantError(MissingError):
    """There is no tenant of this name."""


class NoGenerationError(MissingError):
    """The configuration has no such generation."""


class GenerationChangedError(ForbiddenError):
    """The configuration is at another generation than the one that was looked at."""


class SetupError(OperationError):
    """The queue was not set up, so the new secret was deleted again, or could not be.

    Its cause, whatever it is, is `__cause__`.
    """

    def __init__(self, tenant: str, kept: PortError | None) -> None:
        """`kept` says why the secret is still there; None: it is deleted."""
        super().__init__(f"The setup of {tenant} failed")
        self.tenant = tenant
        self.kept = kept
