"""A person's requests, found exactly by the keyed hash of an identifier, and never unseen."""

from collections.abc import Sequence
from dataclasses import dataclass

from smartlink.domain.message import EndedSummary, Listed, LogLine, LogType
from smartlink.domain.settlement import Settlement
from smartlink.domain.titular import TitularKeyError, TitularKeys, parse_titular_keys
from smartlink.i18n import _
from smartlink.operations.audit import Note
from smartlink.operations.errors import InvalidError, MissingError
from smartlink.operations.names import existing_tenant
from smartlink.operations.ports import Deployment, RawDocument
from smartlink.ports import NotFound

AUDIT = "titular"
"""`IDMENSAGEM` of the lines that tell who looked for whom."""


@dataclass(frozen=True, slots=True)
class Concerned:
    """The messages about a person."""

    live: Sequence[Listed]
    ended: Sequence[EndedSummary]
    raw: Sequence[RawDocument]  # what of them cannot be read


def concerned(deployment: Deployment, tenant: str, kind: str, value: str, note: Note) -> Concerned:
    """Find the messages whose person had this identifier, given in its canonical form.

    Who looks needs the right to read the secret `smartlink-titular-<tenant>`. Before anything is
    answered a line of the tenant's log says who looked, for which hash, and why. Raises
    MissingError where the tenant has no such secret.
    """
    existing_tenant(deployment, tenant)
    hashes = _keys(deployment, tenant).sought(kind, value)
    live, ended, raw = deployment.store.about(tenant, hashes)
    number = len(live) + len(ended) + len(raw)
    text = f"{note.who} looked for the requests of Titular {hashes[0]}: {note.reason}"
    line = LogLine(AUDIT, LogType.INFORMATION, f"{text} ({number} found)", note.at, note.expires)
    # A commit, and no log: what cannot be audited is not shown.
    deployment.store.commit(tenant, [Settlement(document=AUDIT, fence=None, logs=(line,))])
    return Concerned(
        sorted(live, key=lambda it: it.message.received, reverse=True),
        sorted(ended, key=lambda it: it.ended, reverse=True),
        raw,
    )


def _keys(deployment: Deployment, tenant: str) -> TitularKeys:
    secret = _("the secret smartlink-titular-{tenant}", tenant=tenant)
    try:
        return parse_titular_keys(deployment.secrets.titular(tenant))
    except NotFound:
        message = _(
            "There is no such thing as {secret} in {title}, so nobody's requests of "
            "{tenant} can be found by an identifier: functions/consumers/sgdp/README.md "
            "tells how to make it, for what comes from then on.",
            secret=secret,
            title=deployment.title,
            tenant=tenant,
        )
        raise MissingError(message) from None
    except TitularKeyError as error:
        message = _("{secret} cannot be used: {error}", secret=secret, error=error)
        raise InvalidError(message) from None
