"""Makes the local stack's simulator offer a Downstream message, as the cloud app would."""

from dataclasses import dataclass
from typing import Any

import requests

from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError
from infra.cli.target import Target
from smartlink.i18n import _

_TIMEOUT_SECONDS = 30
_NOT_FOUND = 404
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Offer:
    """A message for a tenant's ERP."""

    tenant: str
    type: str
    content: str
    audience: str | None = None
    identity: str | None = None

    def envelope(self) -> dict[str, str]:
        """Write the message in the simulator's form. Without an id the simulator makes one."""
        more = {"audience": self.audience, "id": self.identity}
        given = {name: value for name, value in more.items() if value is not None}
        return {"type": self.type, "content": self.content, **given}


def offered(target: Target, offer: Offer) -> str:
    """Offer the message and return its id. Raises UsageError if there is no simulator, and
    CliError."""
    if not target.local:
        message = _(
            "--downstream works on the local stack only: in {title} Smart Link itself "
            "brings what the cloud app sends. Start one (make local) and leave --project "
            "out",
            title=target.title,
        )
        raise UsageError(message)
    if target.simulator is None:
        message = _(
            "--downstream needs the simulator, and this local stack speaks to a broker of "
            "your own (SMARTLINK_BASE_URL): send the message there, or unset it and start "
            "make local again"
        )
        raise UsageError(message)
    url = f"{target.simulator}/simulator"
    body = {"tenant": offer.tenant, "messages": [offer.envelope()], "routed": True}
    answer = _call("POST", f"{url}/offer", body)
    if answer.status_code == _NOT_FOUND:
        message = _(
            "the local stack has no tenant {tenant}: take one of those that make local "
            "shows, or add it to the file in SMARTLINK_LOCAL_TENANTS and start it again",
            tenant=offer.tenant,
        )
        raise MissingError(message)
    result = _checked(answer)
    if result["lost"]:
        raise _lost(offer, _checked(_call("GET", f"{url}/queues", None)))
    return str(result["ids"][0])


def _lost(offer: Offer, queues: Json) -> ForbiddenError:
    """Say why a message was lost; Smart Link itself would lose it too."""
    queue = queues.get(offer.tenant, {})
    if not queue.get("setup"):
        message = _(
            "{tenant}'s queue is not set up, so the message is lost, as with Smart Link: "
            "wait for the first poll, then send it again",
            tenant=offer.tenant,
        )
        return ForbiddenError(message)
    subscriptions = queue.get("subscriptions")
    known = ", ".join(map(str, subscriptions)) if isinstance(subscriptions, list) else _("none")
    message = _(
        "{tenant} does not subscribe {type}, so the message is lost, as with Smart "
        "Link: it subscribes {known}. A new command: make consumer, then wait for the "
        "next poll",
        tenant=offer.tenant,
        type=offer.type,
        known=known,
    )
    return ForbiddenError(message)


def _call(method: str, url: str, body: object) -> requests.Response:
    with requests.Session() as session:
        session.trust_env = False  # the simulator is on this machine, so use no proxy
        try:
            return session.request(method, url, json=body, timeout=_TIMEOUT_SECONDS)
        except requests.RequestException as error:
            problem = type(error).__name__
            message = _(
                "the simulator at {url} does not answer ({problem}): is make local up?",
                url=url,
                problem=problem,
            )
            raise CliError(message) from None


def _checked(answer: requests.Response) -> Json:
    if not answer.ok:
        message = _(
            "the simulator refused it with {status_code}: {text}",
            status_code=answer.status_code,
            text=answer.text[:500],
        )
        raise CliError(message)
    result: Json = answer.json()
    return result
