"""What the address or a form says: filters, the place where a page begins, a reason."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar
from urllib.parse import urlencode

from flask import request

from smartlink.domain.identity import LONGEST, Direction, encode, is_document_id
from smartlink.domain.message import Ending, State
from smartlink.domain.tenant import is_tenant_name
from smartlink.i18n import Text, _
from smartlink.operations.causes import CODE
from smartlink.operations.errors import InvalidError
from smartlink.operations.ports import Spot
from smartlink.operations.select import Filters

AGES: Mapping[str, tuple[timedelta, Text]] = {
    "15m": (timedelta(minutes=15), _("15 minutes")),
    "1h": (timedelta(hours=1), _("1 hour")),
    "6h": (timedelta(hours=6), _("6 hours")),
    "1d": (timedelta(days=1), _("1 day")),
    "7d": (timedelta(days=7), _("7 days")),
    "30d": (timedelta(days=30), _("30 days")),
}
DIRECTIONS: Mapping[str, tuple[Direction, Text]] = {
    "down": (Direction.DOWNSTREAM, _("Downstream: from the cloud to the ERP")),
    "up": (Direction.UPSTREAM, _("Upstream: from the ERP to the cloud")),
}
_Value = TypeVar("_Value")
_REASON = 1_000  # characters


@dataclass(frozen=True, slots=True)
class Asked:
    """The filters of the address, as they were written and as they are meant."""

    history: bool
    written: Mapping[str, str]
    filters: Filters
    identity: str
    after: Spot | None

    def address(self, **changes: str | None) -> str:
        """Returns the query of an address with other values; None leaves one out."""
        own = {**self.written, "view": "history" if self.history else "", **changes}
        return urlencode({name: value for name, value in own.items() if value})

    @property
    def narrow(self) -> bool:
        """Whether anything is filtered."""
        return any(value for name, value in self.written.items() if name != "tenant")


_NAMES = (
    *("tenant", "direction", "command", "state", "older", "newer", "error", "cause"),
    *("request", "blocked", "id"),
)


def asked() -> Asked:
    """Reads the filters of the address or the form. Raises InvalidError."""
    given = request.values
    written = {name: given.get(name, "").strip() for name in _NAMES}
    for name, value in written.items():
        if len(encode(value)) > LONGEST:
            raise InvalidError(_("{name}: at most {most} bytes", name=name, most=LONGEST))
    history = given.get("view") == "history"
    state, ending = _state(written["state"], history=history)
    way = _one("direction", written["direction"], DIRECTIONS)
    older, newer = (_one(name, written[name], AGES) for name in ("older", "newer"))
    cause = written["cause"]
    if cause and CODE.fullmatch(cause) is None:
        raise InvalidError(_("{value} is no code of an error: it has 8 characters", value=cause))
    if history and written["blocked"]:
        raise InvalidError(_("What has ended waits for no turn: clear that filter"))
    filters = Filters(
        tenant=written["tenant"] or None,
        direction=way[0] if way else None,
        command=written["command"] or None,
        state=state,
        ending=ending,
        older=older[0] if older else None,
        newer=newer[0] if newer else None,
        error=written["error"] or None,
        cause=cause or None,
        request=written["request"] or None,
        queued=_one("blocked", written["blocked"], {"yes": True}) or False,
    )
    return Asked(history, written, filters, written["id"], spot(given.get("after", "")))


def _one(name: str, value: str, known: Mapping[str, _Value]) -> _Value | None:
    if not value:
        return None
    if value not in known:
        text = _(
            "{name}: {value} is none of {known}", name=name, value=value, known=", ".join(known)
        )
        raise InvalidError(text)
    return known[value]


def _state(value: str, *, history: bool) -> tuple[State | None, Ending | None]:
    if not value:
        return None, None
    try:
        return (None, Ending(value)) if history else (State(value), None)
    except ValueError:
        kind = Ending if history else State
        known = ", ".join(kind)
        text = _("{name}: {value} is none of {known}", name="Situacao", value=value, known=known)
        raise InvalidError(text) from None


def spot(text: str) -> Spot | None:
    """Reads where a page begins. Raises InvalidError."""
    if not text:
        return None
    tenant, slash, rest = text.partition("/")
    document, _slash, ended = rest.partition("/")
    try:
        at = datetime.fromisoformat(ended).astimezone(UTC) if ended else None
    except (ValueError, OverflowError):
        at = None
    known = is_tenant_name(tenant) and (not document or is_document_id(document))
    if not (slash and known) or (ended and at is None):
        raise InvalidError(_("There is no such page: begin with the first one"))
    return Spot(tenant, document, at)


def spot_text(place: Spot | None) -> str | None:
    """Writes where the next page begins."""
    if place is None:
        return None
    ended = f"/{place.ended.isoformat()}" if place.ended is not None else ""
    return f"{place.tenant}/{place.document}{ended}"


def reason() -> str:
    """Returns the reason in the form. Raises InvalidError if there is none."""
    text = request.form.get("reason", "").strip()
    if not text:
        raise InvalidError(_("Say why: the reason is kept with your name"))
    return text[:_REASON]
