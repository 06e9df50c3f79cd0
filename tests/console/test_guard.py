"""Who gets in, what each may see and do, and what every answer carries."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from google.auth import crypt, jwt

from console.app import make_app
from console.gates import IapGate, LocalGate
from console.prefix import Prefix
from smartlink.operations.ports import Identity
from smartlink.operations.rights import parse_roles
from tests.cli.place import Place
from tests.console.browser import ORIGIN, Browser, text_of
from tests.console.conftest import wired
from tests.console.test_pages import MESSAGE, PAGES

AsRoles = Callable[[object], Browser]
WRITES: tuple[tuple[str, dict[str, str]], ...] = (
    ("/message/content", {"tenant": "acme", "document": "D-dead-1"}),
    ("/message/export", {"tenant": "acme", "document": "D-dead-1"}),
    (
        "/message/act",
        {"tenant": "acme", "document": "D-dead-1", "action": "redrive", "reason": "x"},
    ),
    ("/selection", {"action": "redrive", "which": "all", "tenant": "acme"}),
    ("/jobs", {"action": "redrive", "which": "all", "tenant": "acme", "reason": "x", "shown": "9"}),
    ("/tenants/acme/check", {}),
    ("/tenants/acme/enable", {"reason": "x"}),
    ("/tenants/acme/disable", {"reason": "x"}),
    ("/tenants/acme/pause", {"reason": "x", "span": "1h"}),
    ("/tenants/acme/adopt", {"reason": "x"}),
    ("/tenants/acme/rotate", {"reason": "x", "clientId": "a", "clientSecret": "b"}),
    ("/activate", {"reason": "x", "tenant": "new", "clientId": "a", "clientSecret": "b"}),
    ("/configuration/check", {"text": "{}"}),
    ("/configuration/push", {"text": "{}", "reason": "x"}),
    ("/configuration/rollback", {"reason": "x"}),
    ("/person", {"reason": "x", "tenant": "acme", "kind": "CPF", "value": "52998224725"}),
)


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/static/console.css"])
def test_every_answer_is_shielded(browser: Browser, path: str) -> None:
    answer = browser.client.get(path)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer.headers["X-Frame-Options"] == "DENY"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    kept = "max-age" if path.startswith("/static") else "no-store"
    assert kept in answer.headers["Cache-Control"]


@pytest.mark.parametrize(("path", "fields"), WRITES)
def test_no_form_of_another_site_is_taken(
    browser: Browser, path: str, fields: dict[str, str]
) -> None:
    """Neither without the token, nor with another's, nor from another origin, nor as a GET."""
    token = browser.token()
    for headers, given in (
        ({"Origin": ORIGIN}, {}),
        ({"Origin": ORIGIN}, {"form_token": "x" * 43}),
        ({"Origin": "https://evil.example"}, {"form_token": token}),
        ({"Origin": "null"}, {"form_token": token}),
        ({}, {"form_token": token}),
        ({"Origin": ORIGIN, "Sec-Fetch-Site": "cross-site"}, {"form_token": token}),
    ):
        answer = browser.client.post(path, data={**fields, **given}, headers=headers)
        assert answer.status_code == 403, (headers, given)
    assert browser.client.get(path, query_string=fields).status_code in {200, 404, 405}
    assert not list(browser.deployment.audit.records(None))


NOTHING: tuple[object, ...] = ({}, {"viewer": []}, {"contents": ["*"]}, {"contents": ["acme"]})


@pytest.mark.parametrize("roles", NOTHING)
def test_by_default_nobody_sees_anything(as_roles: AsRoles, roles: object) -> None:
    browser = as_roles(roles)
    for path in PAGES:
        answer = browser.client.get(path)
        for name in ("acme", "globex", "dead-1"):
            own = text_of(answer.text).replace(path, "")
            assert name not in own or answer.status_code in {403, 404}, (path, name)


@pytest.mark.parametrize("role", ["viewer", "operator", "admin"])
def test_one_tenant_s_role_shows_that_tenant_alone(as_roles: AsRoles, role: str) -> None:
    """On lists, in counts, groups, searches, the audit; and a named other one does not exist."""
    browser = as_roles({role: ["globex"]})
    for path in PAGES:
        if "acme" in path:
            continue
        answer = browser.client.get(path)
        assert answer.status_code in {200, 403}, path
        assert "acme" not in answer.text, path
        assert "alert(1)" not in answer.text, path
    overview = text_of(browser.get("/"))
    assert "Mensagens vivas 8 " in overview
    for path in (MESSAGE, "/tenants/acme", "/messages?tenant=acme", "/errors?tenant=acme"):
        unknown = path.replace("acme", "nobody")
        for wanted in (path, unknown):
            assert browser.client.get(wanted).status_code == 404
        said = text_of(browser.client.get(path).text).replace("acme", "nobody")
        assert said == text_of(browser.client.get(unknown).text)


ALLOWED = {
    "viewer": (),
    "operator": ("/message/act", "/selection", "/jobs", "/tenants/acme/check"),
    "contents": ("/message/content", "/message/export", "/person"),
}


@pytest.mark.parametrize("role", [*ALLOWED, "admin-of-another"])
def test_each_act_needs_its_right(as_roles: AsRoles, role: str) -> None:
    """Refused before anything is done or recorded as done."""
    given: object = {role: ["acme"]}
    if role == "contents":
        given = {"viewer": ["acme"], "contents": ["acme"]}
    if role == "admin-of-another":
        given = {"admin": ["globex"], "contents": ["globex"], "viewer": ["acme"]}
    browser = as_roles(given)
    before = len(list(browser.deployment.audit.records(None)))
    for path, fields in WRITES:
        if path not in ALLOWED.get(role, ()):
            browser.post(path, 403, **fields)
            assert len(list(browser.deployment.audit.records(None))) == before, path


# Identity in the cloud

AUDIENCE = "/projects/1/locations/southamerica-east1/services/console"
KEY, OTHER_KEY = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def public(key: ec.EllipticCurvePrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def assertion(key: ec.EllipticCurvePrivateKey = KEY, kid: str = "k1", **claims: object) -> str:
    now = datetime.now(UTC)
    own: dict[str, object] = {
        "iss": "https://cloud.google.com/iap",
        "aud": AUDIENCE,
        "email": "ana@example.com",
        "iat": int((now - timedelta(seconds=10)).timestamp()),
        "exp": int((now + timedelta(minutes=5)).timestamp()),
        **claims,
    }
    signer = crypt.EsSigner.from_string(pem(key), kid)
    made: bytes = jwt.encode(signer, own)
    return made.decode()


def asked(place: Place, headers: dict[str, str], path: str = "/") -> int:
    roles = parse_roles(json.dumps({"ana@example.com": {"viewer": ["*"]}}), local=False)
    gate = IapGate(AUDIENCE, roles, keys=lambda: {"k1": public(KEY)})
    app = make_app(wired(place), gate)
    return app.test_client().get(path, headers=headers, base_url="https://c.run.app").status_code


def test_iap_s_signed_header_alone_says_who_is_there(place: Place) -> None:
    header = "X-Goog-IAP-JWT-Assertion"
    assert asked(place, {header: assertion()}) == 200
    past = int((datetime.now(UTC) - timedelta(hours=1)).timestamp())
    wrong = {
        "another key": assertion(OTHER_KEY),
        "an unknown key": assertion(kid="k2"),
        "another issuer": assertion(iss="https://accounts.google.com"),
        "another audience": assertion(aud="/projects/1/global/backendServices/2"),
        "too old": assertion(iat=past - 600, exp=past),
        "nobody": assertion(email=""),
        "no token": "nonsense",
        "no signature": assertion().rpartition(".")[0] + ".",
        "empty": "",
    }
    for name, value in wrong.items():
        assert asked(place, {header: value}) == 401, name
    claimed = {
        "X-Goog-Authenticated-User-Email": "accounts.google.com:ana@example.com",
        "Authorization": f"Bearer {assertion()}",
    }
    assert asked(place, claimed) == 401


@pytest.mark.parametrize("path", [*PAGES, "/nowhere", "/tenants/nobody", "/jobs/none"])
def test_whoever_iap_lets_pass_has_no_right_by_that(place: Place, path: str) -> None:
    """Who may look at no tenant sees nothing, not even what is of no tenant; and is told whom to
    ask."""
    roles = json.dumps(
        {
            "ana@example.com": {"viewer": ["*"]},
            "eva@example.com": {"contents": ["acme"]},
            "leo@example.com": {"viewer": []},
        }
    )
    gate = IapGate(AUDIENCE, parse_roles(roles, local=False), keys=lambda: {"k1": public(KEY)})
    wiring = wired(place)
    for name in ("rui", "eva", "leo"):
        stranger = {"X-Goog-IAP-JWT-Assertion": assertion(email=f"{name}@example.com")}
        client = make_app(wiring, gate).test_client()
        answer = client.get(path, headers=stranger, base_url="https://c.run.app")
        assert answer.status_code == 403, (name, path)
        seen = text_of(answer.text)
        for kept in (wiring.title, "acme", "globex", "totvsAppConfig", "SGDPDataCommand"):
            assert kept not in seen
        assert "peça a quem define `roles`" in seen


def test_a_stranger_does_not_learn_what_stands_here(place: Place) -> None:
    """Not by a page of an error either, nor under a name that somebody made lead to this
    machine."""
    wiring = wired(place)
    local = LocalGate(Identity("ana", verified=False), "127.0.0.1:8123")
    for gate in (local, IapGate(AUDIENCE, parse_roles("{}", local=False), keys=dict)):
        client = make_app(wiring, gate).test_client()
        for path in ("/", "/nowhere", "/static/none.css"):
            for base in ("http://127.0.0.1:8123", "http://evil.example:8123"):
                answer = client.get(path, base_url=base)
                assert answer.status_code in {401, 404}
                assert wiring.title not in answer.text
                assert place.project not in answer.text


# Identity on the operator's own machine


def test_the_printed_address_lets_one_browser_in_once(place: Place) -> None:
    gate = LocalGate(Identity("ana", verified=False), "127.0.0.1:8123")
    app = make_app(wired(place), gate)
    base = "http://127.0.0.1:8123"
    first, second = app.test_client(), app.test_client()
    assert first.get("/", base_url=base).status_code == 401
    assert first.get("/enter?token=wrong", base_url=base).status_code == 401
    path = gate.address.removeprefix(base)
    entered = first.get(path, base_url=base)
    assert entered.status_code == 303
    assert "HttpOnly" in entered.headers["Set-Cookie"]
    assert "SameSite=Strict" in entered.headers["Set-Cookie"]
    assert first.get("/", base_url=base).status_code == 200
    assert second.get(path, base_url=base).status_code == 401
    assert second.get("/", base_url=base).status_code == 401
    assert first.get("/", base_url="http://evil.example:8123").status_code == 401


# Both addresses of a function


@pytest.mark.parametrize(
    ("base", "path", "root"),
    [
        ("https://console-x.run.app", "/tenants", "/"),
        ("https://console-x.run.app", "/console/tenants", "/console/"),
        ("https://region-project.cloudfunctions.net", "/tenants", "/console/"),
        ("https://region-project.cloudfunctions.net", "/console/tenants", "/console/"),
    ],
)
def test_links_lead_back_by_the_address_that_was_asked(
    place: Place, base: str, path: str, root: str
) -> None:
    roles = parse_roles(json.dumps({"ana@example.com": {"viewer": ["*"]}}), local=False)
    app = make_app(wired(place), IapGate(AUDIENCE, roles, keys=lambda: {"k1": public(KEY)}))
    app.wsgi_app = Prefix(app.wsgi_app, "console")  # type: ignore[method-assign]
    headers = {"X-Goog-IAP-JWT-Assertion": assertion()}
    page = app.test_client().get(path, headers=headers, base_url=base)
    assert page.status_code == 200
    assert f'href="{root}tenants/acme"' in page.text
    assert f'href="{root}static/console.css"' in page.text
    name = path.removesuffix("tenants") + "static/console.css"
    for headers, status in (
        ({}, 200),
        ({"If-None-Match": "*"}, 304),
        ({"Range": "bytes=0-1"}, 206),
    ):
        file = app.test_client().get(name, headers=headers, base_url=base)
        assert file.status_code == status
        assert file.headers["X-Content-Type-Options"] == "nosniff"
        assert "default-src 'none'" in file.headers["Content-Security-Policy"]
    assert file.headers["Content-Type"].startswith("text/css")
    for nothing in ("static/../app.py", "static/%2e%2e/app.py", "static/none.css"):
        lost = app.test_client().get(path.removesuffix("tenants") + nothing, base_url=base)
        assert lost.status_code in {401, 404}
        assert lost.headers["Cache-Control"] == "no-store"
