"""Reads the settings of the local stack from the environment."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.checkout import DEFAULT_TENANTS, STATE
from infra.local.errors import SettingError
from smartlink.settings import check_url

BASE_URL = "SMARTLINK_BASE_URL"
RAC_TOKEN_URL = "SMARTLINK_RAC_TOKEN_URL"  # noqa: S105 - a variable's name
MIN_TICK_SECONDS = 0.1
MAX_PORT = 65_535


@dataclass(frozen=True)
class Broker:
    """A Smart Link Server and a RAC that somebody else runs."""

    base_url: str
    rac_token_url: str


@dataclass(frozen=True)
class LocalSettings:
    """The settings. `make local` and `make demo` read the same variables."""

    tenants: Path = DEFAULT_TENANTS  # SMARTLINK_LOCAL_TENANTS
    tick_seconds: float | None = None  # SMARTLINK_LOCAL_TICK_SECONDS
    ports: Mapping[str, int] | None = None  # SMARTLINK_LOCAL_PORTS: "poll=8081,publish=8082"
    folder: Path = STATE  # SMARTLINK_LOCAL_DIR
    broker: Broker | None = None  # SMARTLINK_BASE_URL and SMARTLINK_RAC_TOKEN_URL
    keep: bool = False  # SMARTLINK_LOCAL_KEEP: 1, and the state outlives the stack
    emulators: bool = True  # SMARTLINK_LOCAL_EMULATORS: "auto" or "none"


def load_settings(environ: Mapping[str, str]) -> LocalSettings:
    """Read the environment. Raises SettingError, which names the variable."""
    return LocalSettings(
        tenants=Path(environ.get("SMARTLINK_LOCAL_TENANTS") or DEFAULT_TENANTS),
        tick_seconds=_tick(environ.get("SMARTLINK_LOCAL_TICK_SECONDS")),
        ports=_ports(environ.get("SMARTLINK_LOCAL_PORTS", "")),
        folder=Path(environ.get("SMARTLINK_LOCAL_DIR") or STATE).absolute(),
        broker=_broker(environ.get(BASE_URL), environ.get(RAC_TOKEN_URL)),
        keep=_keep(environ.get("SMARTLINK_LOCAL_KEEP") or "0"),
        emulators=_emulators(environ.get("SMARTLINK_LOCAL_EMULATORS") or "auto"),
    )


def _tick(text: str | None) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not MIN_TICK_SECONDS <= seconds < float("inf"):
        message = (
            f"SMARTLINK_LOCAL_TICK_SECONDS is {text!r}: "
            f"give a number of seconds, {MIN_TICK_SECONDS} or more."
        )
        raise SettingError(message)
    return seconds


def _ports(text: str) -> dict[str, int]:
    ports: dict[str, int] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = pair.partition("=")
        if not number.isdecimal() or not 0 < int(number) <= MAX_PORT or not name:
            example = "write name=port, as in poll=8081,publish=8082"
            message = f"SMARTLINK_LOCAL_PORTS has {pair!r}: {example}."
            raise SettingError(message)
        ports[name] = int(number)
    return ports


def _broker(base_url: str | None, rac_token_url: str | None) -> Broker | None:
    if base_url and rac_token_url:
        for name, url in ((BASE_URL, base_url), (RAC_TOKEN_URL, rac_token_url)):
            try:
                check_url(url)
            except ValueError as error:
                message = f"{name}: {error}."
                raise SettingError(message) from None
        return Broker(base_url, rac_token_url)
    if base_url or rac_token_url:
        there, lacking = (BASE_URL, RAC_TOKEN_URL) if base_url else (RAC_TOKEN_URL, BASE_URL)
        message = (
            f"{there} is set but {lacking} is not: set both to use a broker of your own, "
            f"or neither to use the simulator."
        )
        raise SettingError(message)
    return None


def _keep(text: str) -> bool:
    if text not in ("0", "1"):
        message = f"SMARTLINK_LOCAL_KEEP is {text!r}: it may be 1 or 0."
        raise SettingError(message)
    return text == "1"


def _emulators(text: str) -> bool:
    if text not in ("auto", "none"):
        message = f"SMARTLINK_LOCAL_EMULATORS is {text!r}: it may be auto or none."
        raise SettingError(message)
    return text == "auto"
