"""The console as a function in the cloud: identity from IAP alone, rights from SMARTLINK_ROLES."""

import json
from collections.abc import Mapping

from flask import Flask

from console.app import make_app
from console.gates import IapGate
from console.prefix import Prefix
from smartlink import bootstrap
from smartlink.operations.rights import parse_roles
from smartlink.operator_wiring import OperatorWiring
from smartlink.settings import SettingsError


def deployed_app(environ: Mapping[str, str]) -> Flask:
    """Makes the pages of this deployment. Raises SettingsError and InvalidError."""
    settings = bootstrap.settings()
    if not settings.iap_audience:
        message = (
            "SMARTLINK_IAP_AUDIENCE is not set, so nobody's identity could be verified: it is "
            "/projects/NUMBER/locations/REGION/services/SERVICE (terraform/README.md)"
        )
        raise SettingsError(message)
    roles = parse_roles(settings.roles, local=False)
    title = f"{settings.project} ({settings.environment})"
    declared = json.loads(settings.indexes or "{}")
    wiring = OperatorWiring(environ, title, declared=declared)
    gate = IapGate(settings.iap_audience, roles)
    app = make_app(wiring, gate, hosts=settings.console_hosts.split())
    app.wsgi_app = Prefix(app.wsgi_app, environ.get("K_SERVICE", "console"))  # type: ignore[method-assign]
    return app
