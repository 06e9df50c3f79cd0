"""Reads what a bearer token of RAC claims."""

import json
from base64 import urlsafe_b64decode
from collections.abc import Mapping

from smartlink.domain.identity import is_no_id
from smartlink.domain.json_bytes import unmarked

TENANT_CLAIM = "http://www.tnf.com/identity/claims/tenantId"
_JWT_PARTS = 3


def claimed_tenant(token: str) -> str | None:
    """Returns the tenant id that a token names; None if it names none. All zeros name none."""
    claim = claims_of(token).get(TENANT_CLAIM)
    if isinstance(claim, list) and len(claim) == 1:
        claim = claim[0]
    named = str(claim).strip() if claim else ""
    return None if is_no_id(named) else named


def claims_of(token: str) -> Mapping[str, object]:
    """Returns the claims of a JWT; none for a token that is not a JWT.

    It does not check the signature: the broker does.
    """
    parts = token.split(".")
    if len(parts) != _JWT_PARTS:
        return {}
    try:
        claims = json.loads(unmarked(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))))
    except (ValueError, RecursionError):
        return {}
    return claims if isinstance(claims, dict) else {}
