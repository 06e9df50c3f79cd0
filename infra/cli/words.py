"""Turns errors of operations and adapters into one sentence: what failed, where, and the fix."""

from google.api_core import exceptions
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError

from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError
from infra.cli.target import Target
from smartlink.i18n import Text, _, data, joined
from smartlink.operations import errors as failed
from smartlink.ports import Conflict, CredentialsRefused, NotFound, PortError, Refused, Unavailable

LOG_IN = _(
    "run `gcloud auth application-default login`, or set "
    "GOOGLE_APPLICATION_CREDENTIALS to the file of a service account"
)
_ROLES = (
    # A word of what the adapters were doing → the least role that allows it.
    ("bucket", _("roles/storage.objectUser on the bucket")),
    ("list the tenants' secrets", _("roles/secretmanager.viewer on the project")),
    ("secret", _("roles/secretmanager.admin on the secrets smartlink-tenant-*")),
    ("publish to", _("roles/pubsub.publisher on the topic")),
    ("read", _("roles/datastore.viewer on the project")),
    ("list", _("roles/datastore.viewer on the project")),
    ("find", _("roles/datastore.viewer on the project")),
    ("count", _("roles/datastore.viewer on the project")),
    ("", _("roles/datastore.user on the project")),
)


_HINTS: tuple[tuple[type[failed.OperationError], Text], ...] = (
    # What the command line adds to an operation's own text.
    (failed.UnreadableJobError, _("; the version that made it may read it.")),
    (failed.UnreadableError, _(" smartlink messages show shows its fields.")),
    (failed.OnlyDiscardError, _(": look at it with smartlink messages show")),
    (failed.AmbiguousError, _(": name one by its document, with --tenant")),
    (
        failed.ActiveAlreadyError,
        (
            _(
                ": for new credentials run smartlink tenants rotate {tenant}, after a pause "
                "smartlink tenants enable {tenant}."
            )
        ),
    ),
    (
        failed.OtherCustomerError,
        _("; if it is the same customer, smartlink tenants adopt {tenant} --reason …"),
    ),
    (
        failed.ErpFaultsError,
        (
            _(
                ": smartlink tpd check --tenant {tenant} shows them; fix them, or take the "
                "risk with --without-erp-check."
            )
        ),
    ),
    (failed.NoSecretError, _(": smartlink tenants activate.")),
    (failed.UnknownTenantError, _(": smartlink tenants list.")),
    (failed.NoGenerationError, _(": smartlink config show --json lists them.")),
    (failed.GenerationChangedError, _("; look again (smartlink config show).")),
)


def explained(error: BaseException, target: Target | None) -> CliError | None:  # noqa: C901, PLR0911  (one for each kind)
    """Translate an error of an operation or an adapter for the operator; None if it is neither."""
    if isinstance(error, failed.OperationError):
        return _of_operation(error, target)
    if not isinstance(error, (PortError, GoogleAuthError)):
        return None
    where = _(" in {title}", title=target.title) if target else ""
    cause = error.__cause__ or error
    if isinstance(cause, DefaultCredentialsError):
        return ForbiddenError(_("There are no Google Cloud credentials: {how}.", how=LOG_IN))
    if isinstance(cause, GoogleAuthError):
        kind = type(cause).__name__
        return ForbiddenError(
            _(
                "The Google Cloud credentials do not work ({kind}): {how}.",
                kind=kind,
                how=LOG_IN,
            )
        )
    if isinstance(cause, (exceptions.Forbidden, exceptions.Unauthorized)):
        what = str(error).partition(": ")[0]
        role = next(role for word, role in _ROLES if word in what)
        return ForbiddenError(
            _(
                "You may not {what}{where}: ask an owner to grant you {role}.",
                what=what,
                where=where,
                role=role,
            )
        )
    if isinstance(cause, exceptions.FailedPrecondition) and "index" in str(cause):
        return CliError(
            _(
                "{what}{where} needs an index that is not ready: run make deploy, then "
                "wait (smartlink doctor tells when).",
                what=str(error).partition(": ")[0],
                where=where,
            )
        )
    match error:
        case CredentialsRefused():
            return ForbiddenError(_("{error}.", error=error))
        case NotFound():
            return MissingError(_("{error}{where}.", error=error, where=where))
        case Unavailable() if _far(error):
            return CliError(
                _(
                    "{what}: {error}{where}. {fix}",
                    what=_far(error),
                    error=error,
                    where=where,
                    fix=_far_fix(target),
                )
            )
        case Unavailable():
            fix = (
                _("is the stack still up (.local/stack.json, .local/logs)?")
                if target and target.local
                else _("check the network and try again.")
            )
            return CliError(
                _("No answer to: {error}{where}: {fix}", error=error, where=where, fix=fix)
            )
        case Conflict():
            return CliError(
                _(
                    "{error}{where}: somebody changed it meanwhile; look and try again.",
                    error=error,
                    where=where,
                )
            )
        case Refused():
            return ForbiddenError(_("Refused: {error}{where}.", error=error, where=where))
    return CliError(_("{error}{where}.", error=error, where=where))


_FAR = {
    "Smart Link": _("The broker (Smart Link Server) is down or out of reach"),
    "RAC": _("RAC is down or out of reach"),
}
"""What the texts of the HTTP adapters begin with → what does not answer."""


def _far(error: Unavailable) -> Text | None:
    return next((text for begin, text in _FAR.items() if str(error).startswith(begin)), None)


def _far_fix(target: Target | None) -> Text:
    local = _(" On a local stack it is the simulator.") if target and target.local else ""
    return _(
        "The relay goes on by itself once it answers; until then try again.{local}", local=local
    )


def _of_operation(error: failed.OperationError, target: Target | None) -> CliError | None:
    if isinstance(error, failed.SetupError):
        return _of_setup(error, target)
    hint = next((hint for kind, hint in _HINTS if isinstance(error, kind)), data(""))
    text = joined("", (error, hint.filled(**vars(error))))
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
            _(
                "Setup failed ({told}), and the secret could not be deleted ({kept}): delete "
                "smartlink-tenant-{tenant} by hand, then activate again.",
                told=told or repr(cause),
                kept=error.kept,
                tenant=error.tenant,
            )
        )
    if told is None:
        return None
    return CliError(
        _("Setup failed, the secret was deleted again: {told} Then activate again.", told=told)
    )
