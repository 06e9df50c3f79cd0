"""What a page says of an error: its own text, and what to do about it here.

The command line has its own hints, which name commands.
"""

from collections.abc import Mapping

from smartlink.i18n import Text, _, data, joined
from smartlink.operations import errors as failed
from smartlink.ports import (
    Conflict,
    CredentialsRefused,
    NotFound,
    PortError,
    Refused,
    Unavailable,
    UnreadableDocument,
)

_STATUS: Mapping[type[Exception], int] = {
    failed.InvalidError: 400,
    failed.MissingError: 404,
    failed.ForbiddenError: 403,
    Conflict: 409,
    NotFound: 404,
    CredentialsRefused: 409,
}
_MENDS: tuple[tuple[type[Exception], Text], ...] = (
    (failed.UnreadableJobError, _("; the version that made it may read it")),
    (failed.AmbiguousError, _(": open it from the list of messages")),
    (failed.ActiveAlreadyError, _(": its page has new credentials (rotate) and Enable")),
    (
        failed.OtherCustomerError,
        _("; if it is the same customer, adopt the credentials on the page of {tenant}"),
    ),
    (failed.ErpFaultsError, _(": smartlink tpd check --tenant {tenant} shows them")),
    (failed.NoSecretError, _(": activate it from the page Tenants")),
    (failed.UnknownTenantError, _("; the page Tenants shows those that you may see")),
    (failed.NoGenerationError, _(": the page Configuration lists them")),
    (
        failed.GenerationChangedError,
        _("; nothing was written: look at the page Configuration, and check your change again"),
    ),
    (Conflict, _(": somebody changed it meanwhile; load its page and look again")),
)
_SAID: tuple[tuple[type[PortError], Text], ...] = (
    # What ports say is in English: it stands behind the page's own words.
    (
        CredentialsRefused,
        _(
            "RAC or the broker refuses the credentials: look at the client id and the client "
            "secret ({error})"
        ),
    ),
    (NotFound, _("It is not there, or no longer ({error})")),
    (UnreadableDocument, _("It cannot be read ({error})")),
    (
        Refused,
        _("It was refused: the account of this console may lack a right, see Health ({error})"),
    ),
)
_UNANSWERED = _("There was no answer: load the page again; Health shows what is amiss ({error})")
_UNKNOWN = _(
    "There was no answer, so nobody knows whether it was done: look first, then try again ({error})"
)


def status_of(error: Exception) -> int:
    """Returns the status of HTTP with which an operation's or a port's error is answered."""
    known = (status for kind, status in _STATUS.items() if isinstance(error, kind))
    return next(known, 503 if isinstance(error, PortError) else 409)


def explained(error: Exception, *, acted: bool) -> Text:
    """Says what failed, and what to do about it; `acted`: something was to be done."""
    if isinstance(error, Unavailable):
        return (_UNKNOWN if acted else _UNANSWERED).filled(error=error)
    for kind, sentence in _SAID:
        if isinstance(error, kind):
            return sentence.filled(error=error)
    mend = next((text for kind, text in _MENDS if isinstance(error, kind)), data(""))
    text = joined("", (error, mend.filled(**vars(error))))
    return _of_setup(error, text) if isinstance(error, failed.SetupError) else text


def _of_setup(error: failed.SetupError, text: Text) -> Text:
    why = error.__cause__
    if isinstance(why, Exception):
        text = joined(": ", (text, explained(why, acted=True)))
    if error.kept is None:
        return joined(". ", (text, _("The secret was deleted again: activate again.")))
    stays = _(
        "The secret could not be deleted ({kept}): delete smartlink-tenant-{tenant} by hand, "
        "then activate again.",
        kept=error.kept,
        tenant=error.tenant,
    )
    return joined(". ", (text, stays))
