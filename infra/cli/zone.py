"""The time on the screen: the operator's own, with its zone. Programs (`--json`) get UTC."""

import os
from collections.abc import Mapping
from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_BRASILIA = timezone(timedelta(hours=-3))
"""Where the machine has no list of zones. There has been no summer time since 2019."""


def zone(environ: Mapping[str, str] | None = None) -> tzinfo | None:
    """The operator's zone; None: the machine's own, which is also what `TZ` names.

    Without `TZ`, whoever works in Portuguese has the time of São Paulo.
    """
    environ = os.environ if environ is None else environ
    named = (environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    language = next((it for it in named if it), "")
    if environ.get("TZ") or not language.lower().startswith("pt"):
        return None
    try:
        return ZoneInfo("America/Sao_Paulo")
    except ZoneInfoNotFoundError:
        return _BRASILIA


def local(at: datetime) -> datetime:
    """The same instant in the operator's zone."""
    return at.astimezone(zone())


def instant(at: datetime) -> str:
    """Write an instant to the second, with its zone."""
    return local(at).isoformat(" ", "seconds").replace("+00:00", "Z")


def short(at: datetime | None) -> str | None:
    """Write an instant to the minute, for a column whose head has the zone."""
    return f"{local(at):%m-%d %H:%M}" if at else None


def zone_name(at: datetime) -> str:
    """Name the zone of an instant: `UTC`, or `-03:00`."""
    offset = local(at).isoformat()[-6:]
    return "UTC" if offset == "+00:00" else offset
