"""What loads a client only when it is first needed: most consumers call nobody."""

from typing import TYPE_CHECKING

from smartlink.services.consuming.calls import CallsOf, MakeSession

if TYPE_CHECKING:
    from requests import Session


def session_at_need(
    calls: CallsOf, key: str = "", *, timeout: float = 10, retries: int = 2
) -> "Session":
    """See Context.http."""
    from smartlink.adapters.http.author_session import author_session  # noqa: PLC0415

    return author_session(calls, key, timeout=timeout, retries=retries)


_: MakeSession = session_at_need
