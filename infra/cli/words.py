"""Turns errors of operations and adapters into one sentence: what failed, where, and the fix."""

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError
from infra.cli.target import Target
from smartlink.operations import errors as failed
from smartlink.ports import Conflict, CredentialsRefused, NotFound, PortError, Refused, Unavailable

LOG_IN = (
    "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS to the "
    "file of a service account"
)
_ROLES = (
    # A word of what the adapters were doing → the least role that allows it.
    ("bucket", "roles/storage.objectUser on the bucket"),
    ("list the tenants' secrets", "roles/secretmanager.viewer on the project"),
    ("secret", "roles/secretmanager.admin on the secrets smartlink-tenant-*"),
    ("publish to", "roles/pubsub.publisher on the topic"),
    ("read", "roles/datastore.viewer on the project"),
    ("list", "roles/datastore.viewer on the project"),
    ("find", "roles/datastore.viewer on the project"),
    ("count", "roles/datastore.viewer on the project"),
    ("", "roles/datastore.user on the project"),
)


_HINTS: tuple[tuple[type[failed.OperationError], str], ...] = (
    # What the command line adds to an operation's own text.
    (failed.UnreadableError, " smartlink messages show shows its fields."),
    (failed.OnlyDiscardError, ": look at it with smartlink messages show"),
    (failed.AmbiguousError, ": name one by its document, with --tenant"),
    (
        failed.ActiveAlreadyError,
        (
            ": for new credentials run smartlink tenants rotate {tenant}, after a pause "
            "smartlink tenants enable {tenant}."
        ),
    ),
    (
        failed.OtherCustomerError,
        "; if it is the same customer, smartlink tenants adopt {tenant} --reason …",
    ),
    (
        failed.ErpFaultsError,
        (
            ": smartlink tpd check --tenant {tenant} shows them; fix them, or take the risk with "
            "--without-erp-check."
        ),
    ),
    (failed.NoSecretError, ": smartlink tenants activate."),
    (failed.UnknownTenantError, ": smartlink tenants list."),
    (failed.NoGenerationError, ": smartlink config show --json lists them."),
    (failed.GenerationChangedError, "; look again (smartlink config show)."),
)


def explained(error: BaseException, target: Target | None) -> CliError | None:  # noqa: C901, PLR0911  (one for each kind)
    """Translate an error of an operation or an adapter for the operator; None if it is neither."""
    if isinstance(error, failed.OperationError):
        return _of_operation(error, target)
    if not isinstance(error, (PortError, GoogleAuthError)):
        return None
    where = f" in {target.title}" if target else ""
    cause = error.__cause__ or error
    if isinstance(cause, DefaultCredentialsError):
        return ForbiddenError(f"There are no Google Cloud credentials: {LOG_IN}.")
    if isinstance(cause, GoogleAuthError):
        kind = type(cause).__name__
        return ForbiddenError(f"The Google Cloud credentials do not work ({kind}): {LOG_IN}.")
    if isinstance(cause, (exceptions.Forbidden, exceptions.Unauthorized)):
        what = str(error).partition(": ")[0]
        role = next(role for word, role in _ROLES if word in what)
        return ForbiddenError(f"You may not {what}{where}: ask an owner to grant you {role}.")
    if isinstance(cause, exceptions.FailedPrecondition) and "index" in str(cause):
        return CliError(
            f"{str(error).partition(': ')[0]}{where} needs an index that is not ready: run make "
            f"deploy, then wait (smartlink doctor tells when)."
        )
    match error:
        case CredentialsRefused():
            return ForbiddenError(f"{error}.")
        case NotFound():
            return MissingError(f"{error}{where}.")
        case Unavailable() if _far(error):
            return CliError(f"{_far(error)}: {error}{where}. {_far_fix(target)}")
        case Unavailable():
            fix = (
                "is the stack still up (.local/stack.json, .local/logs)?"
                if target and target.local
                else "check the network and try again."
            )
            return CliError(f"No answer to: {error}{where}: {fix}")
        case Conflict():
            return CliError(f"{error}{where}: somebody changed it meanwhile; look and try again.")
        case Refused():
            return ForbiddenError(f"Refused: {error}{where}.")
    return CliError(f"{error}{where}.")


_FAR = {
    "Smart Link": "The broker (Smart Link Server) is down or out of reach",
    "RAC": "RAC is down or out of reach",
}
"""What the texts of the HTTP adapters begin with → what does not answer."""


def _far(error: Unavailable) -> str | None:
    return next((text for begin, text in _FAR.items() if str(error).startswith(begin)), None)


def _far_fix(target: Target | None) -> str:
    local = " On a local stack it is the simulator." if target and target.local else ""
    return f"The relay goes on by itself once it answers; until then try again.{local}"


def _of_operation(error: failed.OperationError, target: Target | None) -> CliError | None:
    if isinstance(error, failed.SetupError):
        return _of_setup(error, target)
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), "")
    text = f"{error}{hint.format(**vars(error))}"
    match error:
        case failed.InvalidError():
            return UsageError(text)
        case failed.MissingError():
            return MissingError(text)
        case failed.ForbiddenError():
            return ForbiddenError(text)
    return CliError(text)


def _of_setup(error: failed.SetupError, target: Target | None) -> CliError | None:
    """Explain a failed setup; None for an unexpected error or Ctrl-C after the secret was
    deleted."""
    cause = error.__cause__
    told = explained(cause, target) if cause else None
    if error.kept is not None:
        return CliError(
            f"Setup failed ({told or repr(cause)}), and the secret could not be deleted "
            f"({error.kept}): delete smartlink-tenant-{error.tenant} by hand, then activate again."
        )
    if told is None:
        return None
    return CliError(f"Setup failed, the secret was deleted again: {told} Then activate again.")
