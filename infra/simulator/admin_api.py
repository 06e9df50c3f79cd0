"""The simulator's own HTTP API, under `/simulator`.

It is for tenants, offers, TPD's requests, options and counts.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import web
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from infra.simulator.rac import Credential, CredentialTakenError
from infra.simulator.simulator import RequestTakenError, Simulator, UnknownTenantError
from infra.simulator.tpd import Ask

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class TenantEntry(BaseModel):
    """A credential to register. Without `tenant_id` the tenant's name is used."""

    model_config = ConfigDict(extra="forbid", alias_generator=to_camel, hide_input_in_errors=True)

    tenant: str
    client_id: str
    client_secret: str
    tenant_id: str | None = None


class OfferEntry(BaseModel):
    """Messages to put into the queue. See `Simulator.offer`."""

    model_config = ConfigDict(extra="forbid")

    tenant: str
    messages: list[dict[str, object]]
    force: bool = False
    routed: bool = False


_TENANTS: Final = TypeAdapter(list[TenantEntry])
_ASKS: Final = TypeAdapter(list[Ask])


@web.middleware
async def explain_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a wrong request with the reason."""
    try:
        return await handler(request)
    except ValidationError as error:
        return web.json_response(
            {"error": json.loads(error.json(include_url=False, include_input=False))}, status=400
        )
    except ValueError as error:
        return web.json_response({"error": f"not JSON: {error}"}, status=400)
    except UnknownTenantError as error:
        return web.json_response({"error": str(error)}, status=404)
    except (CredentialTakenError, RequestTakenError) as error:
        return web.json_response({"error": str(error)}, status=409)


class AdminApi:
    """The handlers of one simulator."""

    def __init__(self, simulator: Simulator) -> None:
        self._simulator = simulator

    def application(self) -> web.Application:
        """Build the application that is mounted under `/simulator`."""
        application = web.Application(middlewares=[explain_errors])
        application.add_routes(
            [
                web.get("/options", self.options),
                web.put("/options", self.configure),
                web.post("/tenants", self.add_tenants),
                web.delete("/tenants/{tenant}", self.remove_tenant),
                web.post("/tenants/{tenant}/revoke", self.revoke),
                web.post("/offer", self.offer),
                web.post("/requests", self.ask),
                web.get("/requests", self.requests),
                web.get("/unmatched", self.unmatched),
                web.get("/sent", self.sent),
                web.get("/queues", self.queues),
                web.get("/stats", self.stats),
                web.post("/reset", self.reset),
            ]
        )
        return application

    async def options(self, _: web.Request) -> web.Response:
        """Read the options in force."""
        return web.json_response(self._simulator.options.model_dump(by_alias=True))

    async def configure(self, request: web.Request) -> web.Response:
        """Change the options that the body names."""
        changes = TypeAdapter(dict[str, object]).validate_python(await request.json())
        return web.json_response(self._simulator.configure(changes).model_dump(by_alias=True))

    async def add_tenants(self, request: web.Request) -> web.Response:
        """Register one credential, or a list."""
        entries = _TENANTS.validate_python(_listed(await request.json()))
        for entry in entries:
            tenant_id = entry.tenant_id or entry.tenant
            self._simulator.rac.register(
                Credential(entry.tenant, entry.client_id, entry.client_secret, tenant_id)
            )
        return web.json_response({"tenants": [entry.tenant for entry in entries]}, status=201)

    async def remove_tenant(self, request: web.Request) -> web.Response:
        """Forget a tenant."""
        self._simulator.remove_tenant(request.match_info["tenant"])
        return web.Response(status=204)

    async def revoke(self, request: web.Request) -> web.Response:
        """Revoke a tenant's tokens."""
        return web.json_response({"revoked": self._simulator.revoke(request.match_info["tenant"])})

    async def offer(self, request: web.Request) -> web.Response:
        """Queue raw messages."""
        entry = OfferEntry.model_validate(await request.json())
        return web.json_response(
            self._simulator.offer(
                entry.tenant, entry.messages, force=entry.force, routed=entry.routed
            )
        )

    async def ask(self, request: web.Request) -> web.Response:
        """Open one TPD request, or a list."""
        asks = _ASKS.validate_python(_listed(await request.json()))
        return web.json_response({"requestIds": self._simulator.ask(asks)}, status=201)

    async def requests(self, request: web.Request) -> web.Response:
        """List TPD's requests; the query may name `tenant` and `status`."""
        return web.json_response(
            self._simulator.requests(request.query.get("tenant"), request.query.get("status"))
        )

    async def unmatched(self, _: web.Request) -> web.Response:
        """List the newest answers that belong to no request, with the reason."""
        return web.json_response(list(self._simulator.tpd.unmatched))

    async def sent(self, request: web.Request) -> web.Response:
        """List what clients sent; the query may name `tenant`."""
        return web.json_response(self._simulator.sent(request.query.get("tenant")))

    async def queues(self, _: web.Request) -> web.Response:
        """Describe the queues."""
        return web.json_response(self._simulator.queues())

    async def stats(self, _: web.Request) -> web.Response:
        """Read the counts."""
        return web.json_response(self._simulator.statistics())

    async def reset(self, _: web.Request) -> web.Response:
        """Reset the simulator, with the options that were given at the start."""
        self._simulator.reset()
        return web.Response(status=204)


def _listed(document: object) -> object:
    return document if isinstance(document, list) else [document]
