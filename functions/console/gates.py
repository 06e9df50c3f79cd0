"""Who is there: by IAP's signed header, or by the one-time token of `smartlink console`."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any, Protocol

import requests
from flask import Request, Response, redirect, url_for
from google.auth import exceptions, jwt

from smartlink.i18n import Text, _
from smartlink.operations.board import Scope
from smartlink.operations.errors import ForbiddenError
from smartlink.operations.ports import Identity
from smartlink.operations.rights import Right, Roles
from smartlink.ports import Unavailable

_HEADER = "X-Goog-IAP-JWT-Assertion"
_ISSUER = "https://cloud.google.com/iap"
_KEYS = "https://www.gstatic.com/iap/verify/public_key"
_KEPT = timedelta(hours=1)
_UNKNOWN_KEPT = timedelta(minutes=1)  # keys are asked for again at most so often
_SKEW = 30  # seconds
_TIMEOUT = 10


RIGHTS: Mapping[Right, Text] = {
    Right.VIEW: _("look"),
    Right.OPERATE: _("act on messages"),
    Right.ADMINISTER: _("change tenants and the configuration"),
    Right.CONTENTS: _("see contents"),
}


@dataclass(frozen=True, slots=True)
class Visitor:
    """Somebody who looks at the pages, and what this person may do."""

    identity: Identity
    roles: Roles

    def scope(self, right: Right = Right.VIEW) -> Scope:
        """Returns the tenants for which the visitor has a right."""
        own = self.roles.tenants(self.identity.name, right)
        return Scope(None if own.every else tuple(sorted(own.named)))

    def may(self, right: Right, tenant: str | None = None) -> bool:
        """Tells whether the visitor has a right: for this tenant, or for all (None)."""
        if tenant is None:
            return self.roles.may_everywhere(self.identity.name, right)
        return self.roles.may(self.identity.name, right, tenant)

    def check(self, right: Right, tenant: str | None = None) -> None:
        """Raises ForbiddenError if the visitor has not this right."""
        if self.may(right, tenant):
            return
        where = _("for {tenant}", tenant=tenant) if tenant is not None else _("for all tenants")
        message = _(
            "{who} may not {right} {where}: SMARTLINK_ROLES gives no such right",
            who=self.identity.name,
            right=RIGHTS[right],
            where=where,
        )
        raise ForbiddenError(message)

    def check_any(self) -> None:
        """Raises ForbiddenError if the visitor may look at no tenant: then nothing is shown, not
        even what is of no tenant."""
        if self.scope().parts:
            return
        message = _(
            "{who} may look at no tenant, so nothing is shown: ask whoever sets Terraform's "
            "`roles` (SMARTLINK_ROLES) for the role viewer, operator or admin",
            who=self.identity.name,
        )
        raise ForbiddenError(message)


class StrangerError(ForbiddenError):
    """Nobody knows who is there."""


class Gate(Protocol):
    """Finds out who is there."""

    @property
    def local(self) -> bool:
        """Whether it stands on the operator's own machine."""
        ...

    def enter(self, request: Request) -> Visitor | Response:
        """Returns who is there, or what to answer instead. Raises StrangerError."""
        ...


def fetch_keys() -> Mapping[str, str]:
    """Gets the public keys with which IAP signs. Raises Unavailable."""
    try:
        answer = requests.get(_KEYS, timeout=_TIMEOUT)
        answer.raise_for_status()
        return dict(answer.json())
    except (requests.RequestException, ValueError) as error:
        message = f"get the keys of IAP from {_KEYS}: {type(error).__name__}"
        raise Unavailable(message) from error


@dataclass
class IapGate:
    """Takes the person's name from IAP's assertion, once its signature, issuer, audience and time
    hold. No other header is believed."""

    audience: str
    roles: Roles
    keys: Callable[[], Mapping[str, str]] = fetch_keys
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    local: bool = False
    _kept: tuple[datetime, Mapping[str, str]] | None = None
    _lock: Lock = field(default_factory=Lock)

    def enter(self, request: Request) -> Visitor | Response:
        """See Gate."""
        assertion = request.headers.get(_HEADER, "")
        if not assertion:
            message = _(
                "There is no {header}: IAP does not stand before this service", header=_HEADER
            )
            raise StrangerError(message)
        claims = self._claims(assertion)
        name = claims.get("email")
        if claims.get("iss") != _ISSUER or not isinstance(name, str) or "@" not in name:
            message = _("The {header} is none of IAP's, or names nobody", header=_HEADER)
            raise StrangerError(message)
        own = name.rpartition(":")[2].casefold()
        return Visitor(Identity(own, verified=True), self.roles)

    def _claims(self, assertion: str) -> Mapping[str, Any]:
        try:
            key = jwt.decode_header(assertion).get("kid")
            claims: Mapping[str, Any] = jwt.decode(
                assertion,
                certs=dict(self._keys(str(key))),
                audience=self.audience,
                clock_skew_in_seconds=_SKEW,
            )
        except (ValueError, exceptions.GoogleAuthError) as error:
            why = type(error).__name__
            message = _("The {header} does not hold ({why})", header=_HEADER, why=why)
            raise StrangerError(message) from None
        return claims

    def _keys(self, wanted: str) -> Mapping[str, str]:
        with self._lock:
            now = self.clock()
            if self._kept is not None:
                at, keys = self._kept
                if now - at < (_KEPT if wanted in keys else _UNKNOWN_KEPT):
                    return keys
            keys = self.keys()
            self._kept = (now, keys)
            return keys


@dataclass
class LocalGate:
    """Lets in whoever has the one-time token that the command printed, on this machine alone."""

    identity: Identity
    host: str  # with its port
    local: bool = True
    token: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _session: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    _lock: Lock = field(default_factory=Lock)

    @property
    def address(self) -> str:
        """The address that lets one browser in, once."""
        return f"http://{self.host}/enter?token={self.token}"

    @property
    def _cookie(self) -> str:
        return f"smartlink_console_{self.host.rpartition(':')[2]}"

    def enter(self, request: Request) -> Visitor | Response:
        """See Gate."""
        if request.host != self.host:  # a name of somebody else's that leads to this machine
            message = _("This console is at http://{host} and nowhere else", host=self.host)
            raise StrangerError(message)
        if request.endpoint == "enter" and request.method == "GET":
            return self._begin(request.args.get("token", ""))
        given = request.cookies.get(self._cookie, "")
        if not secrets.compare_digest(given.encode(), self._session.encode()):
            message = _(
                "Open the address that `smartlink console` printed; it works once: run it again"
            )
            raise StrangerError(message)
        return Visitor(self.identity, Roles(everybody=True))

    def _begin(self, given: str) -> Response:
        with self._lock:
            if not self.token or not secrets.compare_digest(given.encode(), self.token.encode()):
                message = _("This address has been used, or is none: run `smartlink console` again")
                raise StrangerError(message)
            self.token = ""
        answer = redirect(url_for("overview.show"), 303)
        answer.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict")
        assert isinstance(answer, Response)  # noqa: S101  (flask's redirect makes one)
        return answer
