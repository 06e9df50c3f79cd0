"""What every request must have, and every answer gets."""

import secrets
from collections.abc import Collection
from pathlib import Path
from urllib.parse import urlsplit

from flask import Request, Response, g, request

from smartlink.i18n import _
from smartlink.operations.errors import ForbiddenError

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",  # with none, browsers send `Origin: null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
FOLDER = Path(__file__).parent
FIELD = "form_token"


class ForgedError(ForbiddenError):
    """The form was not made here."""


class Forms:
    """Each form carries what a cookie of the same browser has, which no other site can read."""

    def __init__(self, *, local: bool, hosts: Collection[str]) -> None:
        """`hosts`: further names under which the pages are reached."""
        self._secure = not local
        self._hosts = frozenset(hosts)
        self._cookie = "smartlink_form" if local else "__Host-smartlink_form"

    def token(self) -> str:
        """Returns this browser's token; a new one if it has none yet."""
        known = request.cookies.get(self._cookie, "")
        if "form_token" not in g:
            g.form_token = known if len(known) >= 32 else secrets.token_urlsafe(32)  # noqa: PLR2004
            g.form_new = g.form_token != known
        token: str = g.form_token
        return token

    def check(self, asked: Request) -> None:
        """Raises ForgedError if a form was sent, and not by a page of ours."""
        if asked.method in {"GET", "HEAD", "OPTIONS"}:
            return
        origin = asked.headers.get("Origin", "")
        parts = urlsplit(origin)
        scheme = "https" if self._secure else "http"
        ours = parts.scheme == scheme and parts.netloc in {asked.host, *self._hosts}
        if not ours or asked.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            message = _(
                "The form came from {origin}, not from this console", origin=origin or _("nowhere")
            )
            raise ForgedError(message)
        known, given = asked.cookies.get(self._cookie, ""), asked.form.get(FIELD, "")
        if not known or not secrets.compare_digest(known.encode(), given.encode()):
            message = _("The form is too old, or of another browser: load the page again")
            raise ForgedError(message)

    def keep(self, answer: Response) -> None:
        """Sets the cookie if a form of the answer carries a new token."""
        if g.get("form_new"):
            answer.set_cookie(
                self._cookie, g.form_token, httponly=True, samesite="Strict", secure=self._secure
            )


def shield(answer: Response) -> Response:
    """Sets the headers that every answer has. Nothing but our own files may be kept."""
    answer.headers.update(_HEADERS)
    kept = request.endpoint == "static" and answer.status_code == 200  # noqa: PLR2004
    answer.headers["Cache-Control"] = "private, max-age=3600" if kept else "no-store"
    return answer
