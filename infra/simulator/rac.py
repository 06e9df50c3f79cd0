"""RAC: issues bearer tokens, which expire, for credentials.

Assumptions (A): errors are those of RFC 6749, with the status 400 also for `invalid_client`;
several tokens of one client are valid at the same time; a token stays valid after a change of its
client's secret. A token has no signature, because nobody checks it.
"""

import base64
import hmac
import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

SCOPE = "authorization_api"
GRANT_TYPE = "client_credentials"
TENANT_CLAIM = "http://www.tnf.com/identity/claims/tenantId"
_PRUNE_AT = 10_000


class TokenRefusedError(Exception):
    """RAC refused to issue a token. `error` is the code of RFC 6749."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error
        self.description = description


class CredentialTakenError(Exception):
    """The client id already belongs to another tenant."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential of one tenant. `tenant_id` is the claim in its tokens."""

    tenant: str
    client_id: str
    client_secret: str = field(repr=False)
    tenant_id: str


class Rac:
    """The registered credentials, and the tokens that were issued for them."""

    def __init__(self) -> None:
        self._by_client: dict[str, Credential] = {}
        self._by_tenant: dict[str, Credential] = {}
        self._tokens: dict[str, tuple[str, float]] = {}

    def register(self, credential: Credential) -> None:
        """Add a tenant or replace its credential."""
        holder = self._by_client.get(credential.client_id)
        if holder is not None and holder.tenant != credential.tenant:
            message = f"clientId of {credential.tenant} already belongs to {holder.tenant}"
            raise CredentialTakenError(message)
        replaced = self._by_tenant.get(credential.tenant)
        if replaced is not None:
            del self._by_client[replaced.client_id]
        self._by_client[credential.client_id] = credential
        self._by_tenant[credential.tenant] = credential

    def remove(self, tenant: str) -> None:
        """Forget the tenant and its tokens."""
        credential = self._by_tenant.pop(tenant, None)
        if credential is not None:
            del self._by_client[credential.client_id]
        self.revoke(tenant)

    def revoke(self, tenant: str) -> int:
        """Revoke the tenant's tokens at once; return how many there were."""
        revoked = [token for token, (owner, _) in self._tokens.items() if owner == tenant]
        for token in revoked:
            del self._tokens[token]
        return len(revoked)

    def credential_of(self, tenant: str) -> Credential | None:
        """Return the credential of a tenant; None if it has none."""
        return self._by_tenant.get(tenant)

    def issue(
        self, form: Mapping[str, str], now: float, seconds: int, issuer: str
    ) -> dict[str, object]:
        """Issue a token for a request. Raises TokenRefusedError."""
        credential = self._authenticated(form)
        token = _token(credential, now, seconds, issuer)
        if len(self._tokens) >= _PRUNE_AT:
            self._tokens = {known: grant for known, grant in self._tokens.items() if grant[1] > now}
        self._tokens[token] = (credential.tenant, now + seconds)
        return {"access_token": token, "expires_in": seconds, "token_type": "Bearer"}

    def tenant_of(self, token: str, now: float) -> str | None:
        """Return the tenant of a valid token; None for any other token."""
        grant = self._tokens.get(token)
        return grant[0] if grant is not None and now < grant[1] else None

    def _authenticated(self, form: Mapping[str, str]) -> Credential:
        missing = [
            name for name in ("client_id", "client_secret", "grant_type") if not form.get(name)
        ]
        if missing:
            error = "invalid_request"
            raise TokenRefusedError(error, f"missing: {', '.join(missing)}")
        if form["grant_type"] != GRANT_TYPE:
            error = "unsupported_grant_type"
            raise TokenRefusedError(error, f"only {GRANT_TYPE} is supported")
        credential = self._by_client.get(form["client_id"])
        if credential is None or not _same(credential.client_secret, form["client_secret"]):
            error = "invalid_client"
            raise TokenRefusedError(error, "unknown client or wrong secret")
        if form.get("scope") != SCOPE:
            error = "invalid_scope"
            raise TokenRefusedError(error, f"the scope must be {SCOPE}")
        return credential


def _same(known: str, shown: str) -> bool:
    return hmac.compare_digest(known.encode(), shown.encode("utf-8", "surrogatepass"))


def _token(credential: Credential, now: float, seconds: int, issuer: str) -> str:
    claims = {
        "iss": issuer,
        "aud": SCOPE,
        "client_id": credential.client_id,
        TENANT_CLAIM: credential.tenant_id,
        "iat": int(now),
        "exp": int(now) + seconds,
        "jti": uuid.uuid4().hex,
    }
    return f"{_segment({'alg': 'none', 'typ': 'JWT'})}.{_segment(claims)}.simulated"


def _segment(value: Mapping[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
