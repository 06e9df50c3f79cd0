"""The identity token: fetched once, kept until shortly before it expires."""

import base64
import json
import subprocess
import sys

import pytest

from smartlink.publisher import IdentityToken

START = 1_800_000_000


def jwt(expires: int) -> str:
    claims = base64.urlsafe_b64encode(json.dumps({"exp": expires}).encode()).decode().rstrip("=")
    return f"header.{claims}.signature"


class Google:
    """Gives tokens of an hour, or what it was told to give."""

    def __init__(self, *tokens: str) -> None:
        self.now = float(START)
        self.asked: list[str] = []
        self._tokens = iter(tokens)

    def __call__(self, audience: str) -> str:
        self.asked.append(audience)
        return next(self._tokens, jwt(int(self.now) + 3_600 + len(self.asked)))

    def token(self) -> IdentityToken:
        return IdentityToken("https://publish", fetch=self, clock=lambda: self.now)


def test_it_is_kept_until_shortly_before_it_expires() -> None:
    """One call in 55 minutes, for the function's URL."""
    google = Google()
    token = google.token()
    first = token()
    google.now += 3_300
    assert token() == first
    google.now += 2
    assert token() != first
    assert google.asked == ["https://publish"] * 2


def test_a_refused_token_is_not_given_again() -> None:
    """Another one is fetched; a refusal of an older one changes nothing."""
    google = Google()
    token = google.token()
    first = token()
    second = token(first)
    assert second != first
    assert token(first) == second
    assert len(google.asked) == 2


@pytest.mark.parametrize("odd", ["opaque", "a.b.c", "a.e30.c", "a.W10.c", ""])
def test_what_is_no_jwt_is_not_kept(odd: str) -> None:
    """When it expires cannot be told."""
    google = Google(odd, odd)
    token = google.token()
    assert token() == token() == odd
    assert len(google.asked) == 2


def test_importing_loads_no_vendor() -> None:
    """The module costs what the relay's own rules cost; clients come with the first use."""
    code = (
        "import sys, threading, smartlink.publisher; print(threading.active_count(), [it for it in "
        "sys.modules if it.split('.')[0] in ('grpc', 'requests', 'urllib3', 'flask') "
        "or it.startswith(('google.auth', 'google.cloud.', 'google.oauth2', 'google.protobuf'))])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == "1 []"
