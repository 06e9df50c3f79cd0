"""Tokens: kept, renewed, shared between callers, and never told."""

import json
import traceback
from base64 import urlsafe_b64encode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Event
from urllib.parse import parse_qs

import pytest

from smartlink.adapters.http.connections import Bounds, Http
from smartlink.adapters.http.rac import KEPT, RacTokens
from smartlink.domain.tenant import Credentials, Tenant
from smartlink.domain.token import claimed_tenant, claims_of
from smartlink.ports import AnotherTenant, CredentialsRefused, PortError, Refused, Unavailable
from smartlink.settings import Settings
from tests.unit.adapters.http_server import Answering, HttpServer, Reply, Seen, closed_port, in_turn

SECRET = "canary-c2e7&=+"
BOUNDS = Bounds(
    connect_seconds=5,
    read_seconds=5,
    response_limit=100_000,
    retry_after_seconds=0,
    backoff_seconds=0,
)


class SetClock:
    """A clock that stands until it is set forward."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def forward(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def tenant(name: str = "acme", tenant_id: str | None = None) -> Tenant:
    secret = {
        "clientId": f"{name}-client",
        "clientSecret": SECRET,
        "environment": "development",
        "tenantId": tenant_id,
    }
    return Tenant(name, Credentials.model_validate(secret))


def rac(server: HttpServer, clock: SetClock | None = None) -> RacTokens:
    return RacTokens(Http(BOUNDS), f"{server.url}/totvs.rac/connect/token", clock or SetClock())


def granted(value: str = "token-1", expires_in: object = 3_600) -> Reply:
    answer = {"access_token": value, "expires_in": expires_in, "token_type": "Bearer"}
    return Reply(body=json.dumps(answer).encode())


def numbered(expires_in: float = 3_600) -> Answering:
    """A new token for each request: token-1, then token-2, and so on."""
    count = iter(range(1, 1_000))
    return lambda _: granted(f"token-{next(count)}", expires_in)


def jwt(claims: object) -> str:
    parts = ({"alg": "RS256"}, claims)
    encoded = [urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]
    return ".".join([*encoded, "c2ln"])


def test_the_form_is_what_rac_wants() -> None:
    """The grant of client credentials, with every character of the secret escaped."""
    with HttpServer(numbered()) as server:
        assert rac(server).token(tenant()) == "token-1"
    (seen,) = server.seen
    assert (seen.verb, seen.path) == ("POST", "/totvs.rac/connect/token")
    assert seen.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert parse_qs(seen.body.decode()) == {
        "client_id": ["acme-client"],
        "client_secret": [SECRET],
        "grant_type": ["client_credentials"],
        "scope": ["authorization_api"],
    }


def test_a_token_is_kept_until_90_seconds_before_its_end() -> None:
    """One fetch serves every call until then, and none after."""
    clock = SetClock()
    with HttpServer(numbered(expires_in=3_600)) as server:
        tokens = rac(server, clock)
        assert tokens.token(tenant()) == "token-1"
        clock.forward(3_600 - 91)
        assert tokens.token(tenant()) == "token-1"
        clock.forward(1)
        assert tokens.token(tenant()) == "token-2"


@pytest.mark.parametrize(
    ("expires_in", "kept"),
    [(60, 30), (-5, 0.5), (None, 210), (10**30, 86_400 - 90), ("600", 510)],
)
def test_odd_lives_are_clamped(expires_in: object, kept: float) -> None:
    """A short life is used by half, a long one for a day; without one it is short."""
    clock = SetClock()
    with HttpServer(in_turn(granted("one", expires_in), granted("two"))) as server:
        tokens = rac(server, clock)
        assert tokens.token(tenant()) == "one"
        clock.forward(kept - 0.1)
        assert tokens.token(tenant()) == "one"
        clock.forward(0.1)
        assert tokens.token(tenant()) == "two"


def test_tenants_have_their_own_tokens() -> None:
    """A tenant never gets another's token; changed credentials get a new one."""
    with HttpServer(lambda seen: granted(parse_qs(seen.body.decode())["client_id"][0])) as server:
        tokens = rac(server)
        assert tokens.token(tenant("acme")) == "acme-client"
        assert tokens.token(tenant("zeta")) == "zeta-client"
        moved = Tenant("acme", tenant("other").credentials)
        assert tokens.token(moved) == "other-client"
        assert len({seen.connection for seen in server.seen}) == 1


def test_no_cookie_passes_from_tenant_to_tenant() -> None:
    """Invariant 11: the connection is shared, so RAC's cookies are not taken."""
    cookie = {"Set-Cookie": "identity=acme"}
    with HttpServer(lambda _: Reply(400, b"{}", headers=cookie)) as server:
        tokens = rac(server)
        for name in ("acme", "zeta"):
            with pytest.raises(Refused):
                tokens.token(tenant(name))
    assert [seen.headers.get("Cookie") for seen in server.seen] == [None, None]


def test_the_tokens_of_the_largest_shard_are_kept() -> None:
    """Polled in turn, the tenants of a larger one would all ask RAC again at each tick."""
    bounds = Settings.model_fields["shard_tenants"].metadata
    [most] = [it.le for it in bounds if getattr(it, "le", None) is not None]
    assert most <= KEPT


def test_a_refused_token_is_renewed_once() -> None:
    """Whoever was refused gets another token; of several who were, only the first fetches."""
    with HttpServer(numbered()) as server:
        tokens = rac(server)
        old = tokens.token(tenant())
        assert tokens.token(tenant(), refused=old) == "token-2"
        assert tokens.token(tenant(), refused=old) == "token-2"
        assert tokens.token(tenant()) == "token-2"
        assert len(server.seen) == 2


def test_a_refused_token_is_never_given_again() -> None:
    """RAC itself may give it again: then there is no token."""
    with HttpServer(lambda _: granted("stale")) as server:
        tokens = rac(server)
        assert tokens.token(tenant()) == "stale"
        with pytest.raises(Refused, match="again"):
            tokens.token(tenant(), refused="stale")
        assert tokens.token(tenant()) == "stale", "asked for anew, by whom it was not refused"
        assert len(server.seen) == 3


def test_concurrent_callers_share_one_fetch() -> None:
    """A tenant's receivers start at once: RAC is asked once."""
    go = Event()

    def slow(_: Seen) -> Reply:
        go.wait(10)
        return granted()

    with HttpServer(slow) as server, ThreadPoolExecutor(9) as pool:
        tokens = rac(server)
        waiting = [pool.submit(tokens.token, tenant()) for _ in range(8)]
        pool.submit(go.set)
        assert {item.result() for item in waiting} == {"token-1"}
        assert len(server.seen) == 1


def test_a_tenant_does_not_wait_for_another() -> None:
    """RAC hanging for one tenant leaves the others' tokens alone."""
    go = Event()

    def answering(seen: Seen) -> Reply:
        if b"slow" in seen.body:
            go.wait(10)
        return granted()

    with HttpServer(answering) as server, ThreadPoolExecutor(1) as pool:
        tokens = rac(server)
        slow = pool.submit(tokens.token, tenant("slow"))
        assert tokens.token(tenant("quick")) == "token-1"
        assert not slow.done()
        go.set()
        assert slow.result() == "token-1"


@pytest.mark.parametrize("status", [400, 401])
@pytest.mark.parametrize("code", ["invalid_client", "unauthorized_client", "invalid_grant"])
def test_refused_credentials_name_the_fix(status: int, code: str) -> None:
    """The operator learns which tenant and what to do, and a later call asks again."""
    body = json.dumps({"error": code, "error_description": SECRET}).encode()
    with HttpServer(in_turn(Reply(status, body), granted())) as server:
        tokens = rac(server)
        with pytest.raises(CredentialsRefused, match=r"tenant acme .*: rotate them"):
            tokens.token(tenant())
        assert tokens.token(tenant()) == "token-1"


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, b'{"error": "invalid_scope"}'),
        Reply(400, b'{"error": "canary-c2e7"}'),
        Reply(401, b"<html>canary-c2e7</html>"),
        Reply(403),
        Reply(404),
    ],
)
def test_other_refusals_are_not_blamed_on_the_credentials(reply: Reply) -> None:
    """A wrong URL or scope is no reason to rotate a secret."""
    with HttpServer(lambda _: reply) as server, pytest.raises(Refused) as raised:
        rac(server).token(tenant())
    assert type(raised.value) is Refused
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(500),
        Reply(302, headers={"Location": "http://127.0.0.1:1/"}),
        Reply(407),
        Reply(body=b"<!doctype html><title>canary-c2e7</title>"),
        Reply(body=b"\xef\xbb\xbf \r\n<html>"),
    ],
)
def test_rac_down_is_unavailable(reply: Reply) -> None:
    """Faults of the server and of the network may pass, as may whatever stands before it."""
    with HttpServer(lambda _: reply) as server, pytest.raises(Unavailable) as raised:
        rac(server).token(tenant())
    assert "canary" not in str(raised.value)


def test_a_byte_order_mark_before_an_answer_is_skipped() -> None:
    """Some servers of .NET write one, before a token and before a refusal."""
    mark = b"\xef\xbb\xbf"
    body = mark + b'{"access_token": "token-9", "expires_in": 3600}'
    with HttpServer(lambda _: Reply(body=body)) as server:
        assert rac(server).token(tenant()) == "token-9"
    refusal = Reply(400, mark + b'{"error": "invalid_client"}')
    with HttpServer(lambda _: refusal) as server, pytest.raises(CredentialsRefused):
        rac(server).token(tenant())


def test_nobody_listening_is_unavailable() -> None:
    """The address may be served again."""
    nowhere = RacTokens(Http(BOUNDS), f"http://127.0.0.1:{closed_port()}/t", SetClock())
    with pytest.raises(Unavailable):
        nowhere.token(tenant())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"access_token": ""}',
        b'{"access_token": 7}',
        b'{"access_token": "a b"}',
        b'{"access_token": "a\\r\\nX-Injected: 1"}',
        '{"access_token": "é"}'.encode(),
        b'{"access_token": "a", "expires_in": NaN}',
        b'{"access_token": "a", "expires_in": "soon"}',
        b'{"access_token": "%s"}' % (b"x" * 20_000),
        b"\xff\xfe",
        b"[" * 50_000,
    ],
)
def test_an_unusable_token_is_refused(body: bytes) -> None:
    """What cannot stand in a header, or has no end, is no token."""
    with (
        HttpServer(lambda _: Reply(body=body)) as server,
        pytest.raises(Refused, match="no usable token"),
    ):
        rac(server).token(tenant())


CLAIM = "http://www.tnf.com/identity/claims/tenantId"


def test_a_token_made_out_to_another_tenant_is_refused() -> None:
    """Invariant 11: credentials pasted into the wrong tenant's secret do nothing."""
    with (
        HttpServer(lambda _: granted(jwt({CLAIM: "id-of-zeta"}))) as server,
        pytest.raises(Refused, match=r"'id-of-zeta'.*'id-of-acme'"),
    ):
        rac(server).token(tenant(tenant_id="id-of-acme"))


@pytest.mark.parametrize(
    "token",
    [jwt({CLAIM: "ID-OF-ACME"}), jwt({}), jwt([]), jwt({CLAIM: None}), "opaque", "a.b.c", "a.é.c"],
)
def test_a_token_that_names_no_other_tenant_passes(token: str) -> None:
    """The claim is compared where there is one, whatever its casing."""
    token = token.encode("ascii", "ignore").decode()
    with HttpServer(lambda _: granted(token)) as server:
        assert rac(server).token(tenant(tenant_id="id-of-acme")) == token


GUID = "0b1f22d4-5a7e-4c53-9a10-2f6f3c1f9d11"


@pytest.mark.parametrize("written", [GUID.upper(), f"{{{GUID}}}", GUID.replace("-", "")])
def test_a_tenant_id_is_one_however_it_is_written(written: str) -> None:
    with HttpServer(lambda _: granted(jwt({CLAIM: written}))) as server:
        assert rac(server).token(replace(tenant(tenant_id=GUID), pinned=f"urn:uuid:{GUID}"))


@pytest.mark.parametrize("asks", [{"tenant_id": "id-of-zeta"}, {"pinned": "id-of-zeta"}])
def test_a_kept_token_is_compared_too_and_not_kept(asks: dict[str, str]) -> None:
    """What the secret names, or the name is pinned to, may change while it is kept; RAC is asked
    again then, for it may name the right one by now."""
    names = iter(["id-of-acme", "id-of-acme", "id-of-zeta"])
    pinned = asks.get("pinned")
    changed = replace(tenant(tenant_id=asks.get("tenant_id")), pinned=pinned)
    with HttpServer(lambda _: granted(jwt({CLAIM: next(names)}))) as server:
        tokens = rac(server)
        tokens.token(tenant())
        for _ in range(2):
            with pytest.raises(AnotherTenant if pinned else Refused, match="'id-of-zeta'"):
                tokens.token(changed)
        assert tokens.token(changed)
    assert len(server.seen) == 3


def test_callers_that_share_a_fetch_are_each_compared_with_their_own() -> None:
    begun, go_on = Event(), Event()

    def slowly(_: Seen) -> Reply:
        begun.set()
        go_on.wait(5)
        return granted(jwt({CLAIM: "id-of-acme"}))

    with HttpServer(slowly) as server, ThreadPoolExecutor(2) as threads:
        tokens = rac(server)
        right = threads.submit(tokens.token, tenant(tenant_id="id-of-acme"))
        assert begun.wait(5)
        wrong = threads.submit(tokens.token, tenant(tenant_id="id-of-zeta"))
        go_on.set()
        assert right.result()
        with pytest.raises(Refused, match="id-of-zeta"):
            wrong.result()


@pytest.mark.parametrize(
    ("claim", "named"),
    [
        ("t-one", "t-one"),
        (" t-one ", "t-one"),
        (["t-one"], "t-one"),
        (17, "17"),
        ("", None),
        ("  ", None),
        (None, None),
        ([], None),
    ],
)
def test_what_a_token_names(claim: object, named: str | None) -> None:
    assert claimed_tenant(jwt({CLAIM: claim})) == named


@pytest.mark.parametrize(
    "reply",
    [
        Reply(400, f'{{"error": "{SECRET}"}}'.encode()),
        Reply(200, f'{{"access_token": "{SECRET} \\n"}}'.encode()),
        Reply(500, SECRET.encode()),
        Reply(hang_up=True),
    ],
)
def test_failures_tell_no_secret(reply: Reply) -> None:
    """Invariant 10: neither the secret nor a token shows in an error or its traceback."""
    with HttpServer(lambda _: reply) as server:
        tokens = rac(server)
        with pytest.raises(PortError) as raised:
            tokens.token(tenant())
    shown = "".join(traceback.format_exception(raised.value)) + repr(tokens) + repr(vars(tokens))
    assert "canary" not in shown


def test_reprs_tell_no_token() -> None:
    """What is kept does not show its token."""
    with HttpServer(lambda _: granted("canary")) as server:
        tokens = rac(server)
        tokens.token(tenant())
    assert "canary" not in repr(tokens) + repr(vars(tokens))


def test_a_tenant_id_is_read_from_claims_of_any_length() -> None:
    """Base64 without its padding, as JWT has it."""
    for length in range(1, 20):
        claims = {"tenantId": "x" * length}
        header, payload, signature = jwt(claims).split(".")
        for end in range(4):
            assert claims_of(f"{header[end:]}.{payload}.{signature}") == claims


def test_who_was_asked_for_longest_ago_is_forgotten_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is room for so many tenants' tokens only."""
    monkeypatch.setattr("smartlink.adapters.http.rac.KEPT", 2)
    with HttpServer(lambda _: granted()) as server:
        tokens = rac(server)
        for name in ("one", "two", "three", "three", "two", "one"):
            tokens.token(tenant(name))
    asked = [parse_qs(seen.body.decode())["client_id"][0] for seen in server.seen]
    assert asked == ["one-client", "two-client", "three-client", "one-client"]


def test_a_refused_token_takes_no_newer_one_along() -> None:
    """While it is compared, another call has fetched the next one, or dropped it already."""
    clock = SetClock()
    with HttpServer(in_turn(granted("old"), granted("new"), granted("none"))) as server:
        tokens = rac(server, clock)
        key = ("acme", "acme-client")
        tokens._drop(key, "old")  # noqa: SLF001
        assert tokens.token(tenant()) == "old"
        assert tokens.token(tenant(), refused="old") == "new"
        tokens._drop(key, "old")  # noqa: SLF001
        assert tokens.token(tenant()) == "new"
