"""Errors of the relay's adapters as one sentence: what failed, where, and the mend."""

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from infra.cli.errors import CliError, ForbiddenError, MissingError
from infra.cli.target import Target
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


def explained(error: Exception, target: Target | None) -> CliError | None:  # noqa: PLR0911  (one for each kind)
    """Translate an adapter's error for the operator; None if it is none."""
    if not isinstance(error, (PortError, GoogleAuthError)):
        return None
    where = f" in {target.title}" if target else ""
    if isinstance(error, DefaultCredentialsError):
        return ForbiddenError(f"There are no Google Cloud credentials: {LOG_IN}.")
    cause = error.__cause__ or error
    if isinstance(cause, GoogleAuthError):
        kind = type(cause).__name__
        return ForbiddenError(f"The Google Cloud credentials do not work ({kind}): {LOG_IN}.")
    if isinstance(cause, (exceptions.Forbidden, exceptions.Unauthorized)):
        what = str(error).partition(": ")[0]
        role = next(role for word, role in _ROLES if word in what)
        return ForbiddenError(f"You may not {what}{where}: ask an owner to grant you {role}.")
    match error:
        case CredentialsRefused():
            return ForbiddenError(f"{error}.")
        case NotFound():
            return MissingError(f"{error}{where}.")
        case Unavailable():
            mend = (
                "is the stack still up (.local/stack.json, .local/logs)?"
                if target and target.local
                else "check the network and try again."
            )
            return CliError(f"No answer to: {error}{where}: {mend}")
        case Conflict():
            return CliError(f"{error}{where}: somebody changed it meanwhile; look and try again.")
        case Refused():
            return ForbiddenError(f"Refused: {error}{where}.")
    return CliError(f"{error}{where}.")
