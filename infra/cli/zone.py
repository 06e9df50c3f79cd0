"""The time on the screen: the operator's own, with its zone. Programs (`--json`) get UTC."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel.dates import format_datetime

from smartlink.i18n import Language, Text, current

_BRASILIA = timezone(timedelta(hours=-3))
"""Where the machine has no list of zones. There has been no summer time since 2019."""


def zone(environ: Mapping[str, str] | None = None) -> tzinfo | None:
    """The operator's zone; None: the machine's own, which is also what `TZ` names.

    Without `TZ`, whoever works in Portuguese has the time of São Paulo.
    """
    environ = os.environ if environ is None else environ
    if environ.get("TZ") or current() is not Language.PORTUGUESE:
        return None
    try:
        return ZoneInfo("America/Sao_Paulo")
    except ZoneInfoNotFoundError:
        return _BRASILIA


def local(at: datetime) -> datetime:
    """The same instant in the operator's zone."""
    return at.astimezone(zone())


def instant(at: datetime) -> Text:
    """Write an instant to the second, with its zone: `2026-03-09 12:30:22Z`, and in Portuguese
    `09/03/2026 09:30:22 -03:00`.
    """
    return _written(at, "yyyy-MM-dd HH:mm:ssXXX", "dd/MM/yyyy HH:mm:ss XXX")


def short(at: datetime | None) -> Text | None:
    """Write an instant to the minute, for a column whose head has the zone."""
    return _written(at, "MM-dd HH:mm", "dd/MM HH:mm") if at else None


def hour(at: datetime) -> Text:
    """Write an hour, for a column whose head has the zone."""
    return _written(at, "MM-dd HH'h'", "dd/MM HH'h'")


def _written(at: datetime, english: str, portuguese: str) -> Text:
    own = local(at)

    def written(language: Language) -> str:
        form = portuguese if language is Language.PORTUGUESE else english
        return format_datetime(own, form, tzinfo=own.tzinfo, locale=language.locale)

    return Text(written)


def zone_name(at: datetime) -> str:
    """Name the zone of an instant: `UTC`, or `-03:00`."""
    offset = local(at).isoformat()[-6:]
    return "UTC" if offset == "+00:00" else offset
