"""The HTTP APIs of RAC and Smart Link.

These handlers must be fast, so they use no models and no middleware.

Assumptions (A): every call but `get` is a POST; every call has a bearer token, and without one the
answer is 401; a successful setup, send or ack is answered 200 with an empty body; the cookie
`SMARTLINKSESSION`, which the first answer sets, is the session; a body is UTF-8.
"""

import asyncio
import json
from typing import Final

from aiohttp import web

from infra.simulator.broker import GoneTagError, Session, UnknownTagError
from infra.simulator.options import EmptyForm
from infra.simulator.rac import TokenRefusedError
from infra.simulator.simulator import Simulator

TOKEN_PATH: Final = "/totvs.rac/connect/token"  # noqa: S105 - a path
COOKIE: Final = "SMARTLINKSESSION"
_LINK: Final = "/api/v1/link"
_JSON: Final = "application/json"
_EMPTY: Final[dict[EmptyForm, tuple[int, bytes | None]]] = {
    "204": (204, None),
    "empty": (200, None),
    "null": (200, b"null"),
    "[]": (200, b"[]"),
}


class LinkApi:
    """The handlers of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def routes(self) -> list[web.RouteDef]:
        """Return the routes of every path that a Smart Link client calls."""
        return [
            web.post(TOKEN_PATH, self.token),
            web.route("*", f"{_LINK}/setup", self.setup),
            web.route("*", f"{_LINK}/get", self.get),
            web.route("*", f"{_LINK}/ack", self.ack),
            web.route("*", f"{_LINK}/ack/{{tag}}", self.ack),
            web.route("*", f"{_LINK}/send/{{type}}", self.send),
            web.route("*", f"{_LINK}/send/{{type}}/{{audience}}", self.send),
        ]

    async def token(self, request: web.Request) -> web.Response:
        """Issue a token, or answer with an error of RFC 6749."""
        simulator = self._simulator
        if seconds := simulator.options.rac_latency_seconds:
            await asyncio.sleep(simulator.wait("token", "", seconds))
        simulator.stats.count("token")
        if simulator.options.rac_down:
            simulator.stats.count("errors")
            raise web.HTTPServiceUnavailable
        form = {
            name: value for name, value in (await request.post()).items() if isinstance(value, str)
        }
        headers = {"Cache-Control": "no-store"}
        try:
            options = simulator.options
            grant = simulator.rac.issue(
                form, simulator.clock(), options.token_seconds, options.issuer
            )
        except TokenRefusedError as refused:
            simulator.stats.count("refused")
            body = {"error": refused.error, "error_description": refused.description}
            return web.json_response(body, status=400, headers=headers)
        return web.json_response(grant, headers=headers)

    async def setup(self, request: web.Request) -> web.Response:
        """Create the tenant's queue and subscribe it to the commands."""
        session = await self._admit(request, "setup")
        document = await self._json(request, session)
        form = self._simulator.options.dialect.setup_form
        if form != "list":
            document = document.get(form) if isinstance(document, dict) else None
        if isinstance(document, list) and all(isinstance(name, str) for name in document):
            self._simulator.broker.setup(session.tenant, document)
            return self._answer(request, session)
        text = f"{form} must be a list of texts"
        raise self._refused(session, web.HTTPBadRequest(text=text))

    async def get(self, request: web.Request) -> web.Response:
        """Lease the next message or messages."""
        session = await self._admit(request, "get")
        simulator = self._simulator
        options = simulator.options
        queue = simulator.broker.queue(session.tenant)
        dialect = options.dialect
        leases = queue.lease(session, simulator.clock(), options.lease_seconds, options.get_batch)
        if not leases and dialect.poll_seconds:
            await asyncio.sleep(dialect.poll_seconds)
            leases = queue.lease(
                session, simulator.clock(), options.lease_seconds, options.get_batch
            )
        if not leases:
            simulator.stats.count("emptyGets", session.tenant)
            status, body = _EMPTY[options.empty_form]
            if dialect.wrapping:
                status, body = 200, json.dumps({dialect.wrapping: []}).encode()
            return self._answer(request, session, status, body)
        simulator.stats.count("delivered", session.tenant, len(leases))
        envelopes: list[object] = [
            lease.message.envelope(
                lease.tag if dialect.tags == "number" else str(lease.tag), options.names
            )
            for lease in leases
        ]
        answer: object = envelopes if options.get_batch > 1 else envelopes[0]
        if dialect.wrapping:
            answer = {dialect.wrapping: answer}
        return self._answer(request, session, 200, json.dumps(answer).encode())

    async def ack(self, request: web.Request) -> web.Response:
        """Settle one delivery of this session."""
        session = await self._admit(request, "ack")
        simulator = self._simulator
        queue = simulator.broker.queue(session.tenant)
        asked = await self._acked(request, session)
        try:
            match asked:
                case {"deliveryTag": int(tag), "ack": True} if not isinstance(tag, bool):
                    again = simulator.chance(simulator.options.duplicate_rate)
                    if queue.ack(session, tag, simulator.clock(), offer_again=again):
                        simulator.stats.count("duplicates", session.tenant)
                case {"deliveryTag": int(tag), "ack": False} if not isinstance(tag, bool):
                    nacked = simulator.options.dialect.nacked
                    if nacked == "refused":
                        raise self._refused(session, web.HTTPBadRequest(text="ack must be true"))
                    simulator.stats.count("ack", session.tenant, -1)
                    simulator.stats.count("nack", session.tenant)
                    queue.nack(session, tag, simulator.clock(), dead=nacked == "dead")
                case _:
                    raise self._refused(
                        session, web.HTTPBadRequest(text="deliveryTag and ack are required")
                    )
        except UnknownTagError as error:
            raise self._refused(session, web.HTTPNotFound(text="unknown delivery tag")) from error
        except GoneTagError as error:
            raise self._refused(
                session, web.HTTPGone(text="settled or expired delivery tag")
            ) from error
        return self._answer(request, session)

    async def _acked(self, request: web.Request, session: Session) -> object:
        """What the ack says, in the form of the dialect, as the usual form would say it."""
        dialect = self._simulator.options.dialect
        tag: object = None
        ack = True
        match dialect.ack_form:
            case "none":
                raise web.HTTPNoContent
            case "path":
                tag = request.match_info.get("tag")
            case "query":
                tag = request.query.get("deliveryTag")
                ack = request.query.get("ack") != "false"
            case "bare":
                tag = await self._json(request, session)
            case "MsgDeliveryTag":
                document = await self._json(request, session)
                tag = document.get("MsgDeliveryTag") if isinstance(document, dict) else None
                ack = not (isinstance(document, dict) and document.get("Ack") is False)
            case _:
                document = await self._json(request, session)
                if dialect.tags != "text" or not isinstance(document, dict):
                    return document
                tag = document.get("deliveryTag")
                tag = int(tag) if isinstance(tag, str) and tag.isdigit() else None
                return {**document, "deliveryTag": tag}
        return {"deliveryTag": int(str(tag)) if str(tag).isdigit() else None, "ack": ack}

    async def send(self, request: web.Request) -> web.Response:
        """Take a message from the tenant."""
        session = await self._admit(request, "send")
        kind = request.match_info["type"]
        if kind in self._simulator.options.refuse_types:
            raise self._refused(session, web.HTTPBadRequest(text="type refused"))
        try:
            content = (await request.read()).decode()
        except UnicodeDecodeError as error:
            raise self._refused(
                session, web.HTTPBadRequest(text="the body is not UTF-8")
            ) from error
        form = self._simulator.options.dialect.send_form
        if form != "raw":
            document = json.loads(content) if content.lstrip()[:1] == "{" else None
            wrapped = document.get(form) if isinstance(document, dict) else None
            if not isinstance(wrapped, str):
                raise self._refused(session, web.HTTPBadRequest(text=f"{form} must be a text"))
            content = wrapped
        self._simulator.receive(session.tenant, kind, request.match_info.get("audience"), content)
        return self._answer(request, session)

    async def _admit(self, request: web.Request, call: str) -> Session:
        """Return the call's session; or delay, fail or refuse the call, as the options say."""
        simulator = self._simulator
        options = simulator.options
        verb = getattr(options.dialect, f"{call}_verb")
        if request.method != verb:
            raise web.HTTPMethodNotAllowed(request.method, [verb])
        if options.latency_seconds:
            who = self._tenant(request) if options.latency_sigma else None
            await asyncio.sleep(simulator.wait(call, who or "", options.latency_seconds))
        tenant = self._tenant(request)
        simulator.stats.count(call, tenant)
        if options.down or simulator.chance(options.error_rate):
            simulator.stats.count("errors", tenant)
            raise web.HTTPServiceUnavailable
        if simulator.chance(options.throttle_rate):
            simulator.stats.count("errors", tenant)
            raise web.HTTPTooManyRequests(headers={"Retry-After": str(options.retry_after_seconds)})
        if tenant is None:
            simulator.stats.count("unauthorized")
            raise web.HTTPUnauthorized(headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return simulator.broker.session(tenant, _cookie(request))

    def _tenant(self, request: web.Request) -> str | None:
        """Return the tenant of the call's token, as long as that is good."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return None
        return self._simulator.rac.tenant_of(token, self._simulator.clock())

    async def _json(self, request: web.Request, session: Session) -> object:
        try:
            document: object = json.loads(await request.read())
        except (ValueError, RecursionError) as error:
            raise self._refused(session, web.HTTPBadRequest(text="the body is not JSON")) from error
        return document

    def _refused(self, session: Session, error: web.HTTPException) -> web.HTTPException:
        self._simulator.stats.count("refused", session.tenant)
        return error

    def _answer(
        self, request: web.Request, session: Session, status: int = 200, body: bytes | None = None
    ) -> web.Response:
        if self._simulator.chance(self._simulator.options.lost_answer_rate):
            self._simulator.stats.count("errors", session.tenant)
            raise web.HTTPServiceUnavailable
        headers = {} if body is None else {"Content-Type": _JSON}
        if _cookie(request) != session.id:
            headers["Set-Cookie"] = f"{COOKIE}={session.id}; Path=/; HttpOnly"
        return web.Response(body=body, status=status, headers=headers)


def _cookie(request: web.Request) -> str | None:
    """Return the session's cookie. `request.cookies` takes longer than all the rest of a call."""
    for part in request.headers.get("Cookie", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name == COOKIE:
            return value
    return None
