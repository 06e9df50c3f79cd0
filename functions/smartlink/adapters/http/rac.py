"""Fetches tokens from RAC by OAuth 2.0 client credentials.

We assume that RAC's errors are those of RFC 6749, section 5.2; no public source says so.
"""

from collections import OrderedDict
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import Annotated
from urllib.parse import urlencode

from pydantic import BaseModel, Field, StringConstraints, ValidationError

from smartlink.adapters.http.connections import (
    Answer,
    Call,
    Http,
    HttpSession,
    SessionPool,
    split_url,
)
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.pin import same_tenant_id
from smartlink.domain.tenant import Tenant
from smartlink.domain.token import claimed_tenant
from smartlink.ports import (
    CALL_SECONDS,
    AnotherTenant,
    Clock,
    CredentialsRefused,
    PortError,
    Refused,
    Tokens,
    Unavailable,
)

_SCOPE = "authorization_api"
_MARGIN = timedelta(seconds=90)
_DEFAULT_LIFE, _LONGEST_LIFE = 300.0, 86_400.0  # seconds
_ANSWERED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)
_CREDENTIAL_ERRORS = frozenset({"invalid_client", "unauthorized_client", "invalid_grant"})
_OTHER_ERRORS = frozenset({"invalid_request", "unsupported_grant_type", "invalid_scope"})
_HEADERS = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_IDLE = 32  # connections: as many as poll has threads
KEPT = 16_384  # tenants; whoever polls more of them in turn asks RAC again for the oldest

_Token = Annotated[
    str, StringConstraints(pattern=r"^[\x21-\x7e]+$", min_length=1, max_length=16_384)
]


class _Granted(BaseModel):
    access_token: Annotated[_Token, Field(repr=False)]
    expires_in: Annotated[float | None, Field(allow_inf_nan=False)] = None

    @property
    def life(self) -> timedelta:
        """Returns how long the token is valid: 1 s to 1 day, 5 minutes if RAC does not say."""
        seconds = _DEFAULT_LIFE if self.expires_in is None else self.expires_in
        return timedelta(seconds=min(max(seconds, 1.0), _LONGEST_LIFE))


class _Denied(BaseModel):
    error: str


@dataclass(frozen=True, slots=True)
class _Kept:
    token: str = field(repr=False)
    until: datetime
    tenant_id: str | None  # the tenant id that the token names


class RacTokens:
    """Keeps each token until 90 s before its end; if it is valid for under 3 minutes, half that
    time.

    Callers that want the same tenant's token at the same time share one fetch, and its failure.
    """

    def __init__(self, http: Http, url: str, clock: Clock) -> None:
        origin, self._path = split_url(url)
        self._sessions = SessionPool(lambda: HttpSession(http, origin, cookies=False), _IDLE)
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()
        self._fetches: dict[tuple[str, str], Future[_Kept]] = {}
        self._lock = Lock()

    def token(
        self, tenant: Tenant, refused: str | None = None, seconds: float = CALL_SECONDS
    ) -> str:
        """Returns a bearer token, but never the one that the broker has just refused.

        Raises Unavailable, CredentialsRefused, AnotherTenant, or Refused.
        """
        kept = self._any_token(tenant, refused, seconds)
        try:
            _check_tenant(tenant, kept.tenant_id)
        except Refused:
            self._drop((tenant.name, tenant.credentials.client_id), kept.token)
            raise
        return kept.token

    def _any_token(self, tenant: Tenant, refused: str | None, seconds: float) -> _Kept:
        key = (tenant.name, tenant.credentials.client_id)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None:
                if kept.token != refused and self._clock() < kept.until:
                    return kept
                del self._kept[key]
            fetch = self._fetches.get(key)
            mine = fetch is None
            if fetch is None:
                fetch = self._fetches[key] = Future()
        if mine:
            self._run(key, tenant, fetch, seconds)
        fetched = fetch.result()
        if fetched.token == refused:
            self._drop(key, fetched.token)
            message = f"RAC gave tenant {tenant.name} again the token that the broker refuses"
            raise Refused(message)
        return fetched

    def _run(
        self, key: tuple[str, str], tenant: Tenant, fetch: Future[_Kept], seconds: float
    ) -> None:
        asked = self._clock()
        granted: _Granted | None = None
        failure: PortError | None = None
        try:
            granted = self._fetch(tenant, seconds)
        except PortError as error:
            failure = error
        finally:
            with self._lock:
                del self._fetches[key]
                if granted is not None:
                    fetch.set_result(self._keep(key, granted, asked))
                elif failure is not None:
                    fetch.set_exception(failure)
                else:
                    fetch.cancel()  # after an unexpected error, nobody waits for ever

    def _keep(self, key: tuple[str, str], granted: _Granted, asked: datetime) -> _Kept:
        until = asked + granted.life - min(_MARGIN, granted.life / 2)
        token = granted.access_token
        kept = self._kept[key] = _Kept(token, until, claimed_tenant(token))
        if len(self._kept) > KEPT:
            self._kept.popitem(last=False)
        return kept

    def _drop(self, key: tuple[str, str], token: str) -> None:
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.token == token:
                del self._kept[key]

    def _fetch(self, tenant: Tenant, seconds: float) -> _Granted:
        credentials = tenant.credentials
        form = {
            "client_id": credentials.client_id,
            "client_secret": credentials.client_secret.get_secret_value(),
            "grant_type": "client_credentials",
            "scope": _SCOPE,
        }
        with self._sessions.lease("", seconds) as session:
            answer = session.call(
                Call(
                    name=f"RAC, for tenant {tenant.name},",
                    verb="POST",
                    path=self._path,
                    headers=_HEADERS,
                    body=urlencode(form).encode(),
                    answered=_ANSWERED,
                )
            )
        if answer.status in _ANSWERED:
            raise _denied(tenant.name, answer)
        return _granted(tenant.name, answer)


def _granted(name: str, answer: Answer) -> _Granted:
    body = unmarked(answer.body)
    if body.lstrip().startswith(b"<"):
        message = (
            f"RAC's answer for tenant {name} is a page that is not RAC's: is a proxy or a gateway "
            f"in between?"
        )
        raise Unavailable(message)
    try:
        return _Granted.model_validate_json(body)
    except ValidationError as error:
        problems = ", ".join(
            f"{'.'.join(map(str, item['loc'])) or 'body'} ({item['type']})"
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        message = f"RAC gave tenant {name} no usable token: {problems}"
        raise Refused(message) from None


def _denied(name: str, answer: Answer) -> Refused:
    try:
        code = _Denied.model_validate_json(unmarked(answer.body)).error
    except ValidationError:
        code = ""
    if code in _CREDENTIAL_ERRORS:
        message = f"RAC refuses the credentials of tenant {name} ({code}): rotate them"
        return CredentialsRefused(message)
    told = f" ({code})" if code in _OTHER_ERRORS else ""
    message = f"RAC answered {answer.status} for tenant {name}{told}"
    return Refused(message)


def _check_tenant(tenant: Tenant, theirs: str | None) -> None:
    """Raises if the token names another tenant id than the secret or the pin of the name.

    A kept token is checked too, because the secret may have changed meanwhile.
    """
    if not theirs:
        return
    own = tenant.credentials.tenant_id
    told = f"RAC's token for tenant {tenant.name} is made out to tenantId {theirs[:80]!r}, but "
    if own and not same_tenant_id(theirs, own):
        message = f"{told}its secret names {own!r}"
        raise Refused(message)
    if tenant.pinned and not same_tenant_id(theirs, tenant.pinned):
        message = f"{told}the name is that of {tenant.pinned!r}"
        raise AnotherTenant(message)


_: type[Tokens] = RacTokens
