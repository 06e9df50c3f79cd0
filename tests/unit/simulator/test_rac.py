"""RAC over HTTP: tokens are issued, expire, are revoked."""

import base64
import json

import pytest

from infra.simulator.running import RunningSimulator

from .client import Client, Clock


def test_a_token_looks_like_racs(simulator: RunningSimulator, clock: Clock) -> None:
    """The claims that the facts name are there."""
    answer = Client(simulator, "globex").token().json()
    segment = answer["access_token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 600)
    assert claims["aud"] == "authorization_api"
    assert claims["iss"].endswith(".totvs.app/totvs.rac")
    assert claims["exp"] == int(clock.now) + 600
    assert claims["http://www.tnf.com/identity/claims/tenantId"] == "globex-guid"


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"scope": "everything"}, "invalid_scope"),
        ({"client_id": ""}, "invalid_request"),
    ],
)
def test_a_refusal_says_which_error_of_the_rfc(
    simulator: RunningSimulator, form: dict[str, str], error: str
) -> None:
    """Errors are RFC 6749's, with status 400."""
    answer = Client(simulator).token(**form)
    assert (answer.status_code, answer.json()["error"]) == (400, error)


def test_a_token_expires(acme: Client, clock: Clock) -> None:
    """The broker refuses it from its last second on."""
    clock.advance(599)
    assert acme.get().status_code == 204
    clock.advance(1)
    assert acme.get().status_code == 401
    assert acme.login().get().status_code == 204


def test_a_revoked_token_is_worthless_and_a_new_one_works(
    simulator: RunningSimulator, acme: Client
) -> None:
    """Revoking harms one tenant's tokens only."""
    globex = Client(simulator, "globex").login()
    assert simulator.revoke("acme") == 1
    assert acme.get().status_code == 401
    assert globex.get().status_code == 204
    assert acme.login().get().status_code == 204


def test_no_token_no_call(acme: Client) -> None:
    """401 says which scheme it wants."""
    del acme.http.headers["Authorization"]
    answer = acme.get()
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_rac_down_leaves_the_broker_up(simulator: RunningSimulator, acme: Client) -> None:
    """Tokens issued before go on working."""
    simulator.configure(rac_down=True)
    assert acme.token().status_code == 503
    assert acme.get().status_code == 204
