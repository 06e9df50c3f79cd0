"""Tenants: their names, their secrets, and the pause of one that keeps failing."""

import json
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import timedelta

import pytest

from smartlink.domain.tenant import (
    FIRST_PAUSE,
    TenantError,
    TenantState,
    check_tenant_name,
    parse_credentials,
)
from smartlink.domain.token import TENANT_CLAIM, claimed_tenant
from tests.support.samples import MINUTE, NOW

SECRET = "canary-secret-529"
GOOD = {"clientId": "id", "clientSecret": SECRET, "environment": "production"}


def payload(**changes: object) -> bytes:
    document = {**GOOD, **changes}
    return json.dumps({name: value for name, value in document.items() if value != "-"}).encode()


@pytest.mark.parametrize("name", ["a", "7", "acme", "acme-rio_2", "a" * 63, "a--b", "0_0"])
def test_good_names(name: str) -> None:
    """Letters, digits, `-` and `_`, up to 63."""
    assert check_tenant_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "A", "acmé", "-a", "a-", "_a", "a_", "a" * 64, "a b", "a/b", "..", "a.b", "a\n", "\ud800"],
    ids=ascii,
)
def test_bad_names(name: str) -> None:
    """What could not stand in a secret's, a document's and an object's name alike."""
    with pytest.raises(TenantError, match="is no tenant name"):
        check_tenant_name(name)


def test_a_bad_name_is_quoted_in_part() -> None:
    """An error stays a line, whatever was given as a name."""
    with pytest.raises(TenantError) as refused:
        check_tenant_name("x" * 100_000)
    assert len(str(refused.value)) < 300


def test_a_good_secret() -> None:
    """Enabled unless it says otherwise; the tenant's id is optional."""
    tenant = parse_credentials("acme", payload(), "production")
    assert (tenant.name, tenant.enabled) == ("acme", True)
    assert tenant.credentials.client_secret.get_secret_value() == SECRET
    disabled = parse_credentials("acme", payload(enabled=False, tenantId="t"), "production")
    assert (disabled.enabled, disabled.credentials.tenant_id) == (False, "t")


def test_the_secret_is_in_no_repr() -> None:
    """Invariant 10: a tenant that lands in a log or an error shows no secret."""
    tenant = parse_credentials("acme", payload(), "production")
    assert SECRET not in f"{tenant!r} {tenant} {tenant.credentials!r} {tenant.credentials}"


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (payload(clientId="-"), "clientId"),
        (payload(clientId=""), "clientId"),
        (payload(clientId=7), "clientId"),
        (payload(clientSecret="-"), "clientSecret"),
        (payload(clientSecret=""), "clientSecret"),
        (payload(clientSecret=[SECRET]), "clientSecret"),
        (payload(clientSecret=SECRET * 1_000), "clientSecret"),
        (payload(environment="-"), "environment"),
        (payload(environment=SECRET), "environment"),
        (payload(tenantId=7), "tenantId"),
        (payload(enabled=SECRET), "enabled"),
        (payload(ClientSecret=SECRET), "ClientSecret"),
        (f'{{"clientSecret": "{SECRET}'.encode(), "payload"),
        (f'"{SECRET}"'.encode(), "payload"),
        (SECRET.encode(), "payload"),
        (SECRET.encode("utf-16"), "payload"),
        (b"", "payload"),
        (b"\xff", "payload"),
    ],
)
def test_a_bad_secret_is_named_by_field(data: bytes, field: str) -> None:
    """The error names the secret and the field; never a value of it."""
    with pytest.raises(TenantError) as refused:
        parse_credentials("acme", data, "production")
    text = str(refused.value)
    assert text.startswith("secret smartlink-tenant-acme: ")
    assert f" {field}: " in text
    assert SECRET not in text
    assert refused.value.__cause__ is None
    assert refused.value.__suppress_context__


@pytest.mark.parametrize("deployed", ["development", "staging"])
def test_credentials_of_another_environment_are_refused(deployed: str) -> None:
    """Invariant 11: a test base with production's credentials takes none of its messages."""
    with pytest.raises(TenantError, match=f"production.*{deployed}") as refused:
        parse_credentials("acme", payload(), deployed)  # type: ignore[arg-type]
    assert SECRET not in str(refused.value)


def test_the_pause_grows() -> None:
    """Two failures are borne; from the third on the broker is left alone, ever longer."""
    state = TenantState()
    pauses = []
    for _ in range(40):
        state = state.after_failure(NOW, "RAC is down")
        pauses.append(state.paused_until - NOW if state.paused_until else None)
    minutes = [None, None, 2, 4, 8, 16, *[30] * 34]
    assert pauses == [None if it is None else it * MINUTE for it in minutes]
    assert (state.failures, state.last_error, state.last_error_at) == (40, "RAC is down", NOW)


def test_a_pause_ends() -> None:
    """At its end the next tick tries again; one more failure pauses at once."""
    state = replace(TenantState(), failures=2).after_failure(NOW, "down")
    assert state.paused(NOW)
    assert state.paused(NOW + FIRST_PAUSE - timedelta(microseconds=1))
    assert not state.paused(NOW + FIRST_PAUSE)
    assert state.after_failure(NOW + FIRST_PAUSE, "down").paused(NOW + 2 * FIRST_PAUSE)


def test_a_success_ends_the_pause() -> None:
    """The failures count from the beginning again; the last error stays for who looks."""
    failed = replace(TenantState(), failures=2).after_failure(NOW, "down")
    state = failed.after_success(NOW + MINUTE)
    assert (state.failures, state.paused_until, state.last_error) == (0, None, "down")
    assert state.last_success == NOW + MINUTE


@pytest.mark.parametrize(("minutes", "written"), [(0, False), (1, False), (14, False), (15, True)])
def test_a_success_is_written_each_15_minutes(minutes: int, *, written: bool) -> None:
    """An idle tenant costs no write each minute."""
    state = TenantState().after_success(NOW)
    assert state.last_success == NOW
    again = state.after_success(NOW + minutes * MINUTE)
    assert (again is not state) is written


def test_a_returned_tenant_is_no_orphan() -> None:
    """Its secret is there again: the state says so at once."""
    state = replace(TenantState(), orphaned=True, last_success=NOW)
    assert not state.after_success(NOW).orphaned


def test_a_long_error_is_stored_short() -> None:
    """A state is small, whatever an error says."""
    assert len(TenantState().after_failure(NOW, "x" * 100_000).last_error or "") == 1_000


def test_sending_goes_until_one_fails_and_again_when_one_is_accepted() -> None:
    """Each in the order in which it was noted, also while a clock stands still or goes back."""
    state = TenantState()
    assert state.sends
    assert state.after_sent(NOW) is state, "nothing is written for what goes well"
    failed = state.after_failed_send(NOW)
    assert not failed.sends
    assert not failed.sent_since(NOW)
    sent = failed.after_sent(NOW - MINUTE)
    assert sent.sends
    assert sent.sent_since(NOW)
    assert sent.after_sent(NOW + MINUTE) is sent
    again = sent.after_failed_send(NOW)
    assert not again.sends
    assert again.send_failed is not None
    assert not again.sent_since(again.send_failed)


def test_a_state_that_was_stored_says_no_more_than_it_holds() -> None:
    """Whether it is stored is not part of it: nothing is written again for that."""
    assert TenantState(known=True) == TenantState(known=False)


def test_what_is_known_of_a_state_s_document_makes_no_other_state() -> None:
    """Nothing is saved for it."""
    assert TenantState(known=True, unreadable=("PausadoAte",)) == TenantState()


@pytest.mark.parametrize("zeros", ["00000000-0000-0000-0000-000000000000", "{" + "0" * 32 + "}"])
def test_a_guid_of_zeros_is_no_tenant_id(zeros: str) -> None:
    """It would make one customer of all who left it unset."""
    with pytest.raises(TenantError, match=r"tenantId: .*zeros"):
        parse_credentials("acme", payload(tenantId=zeros), "production")
    claims = json.dumps({TENANT_CLAIM: zeros}).encode()
    token = f"h.{urlsafe_b64encode(claims).decode().rstrip('=')}.s"
    assert claimed_tenant(token) is None
    blank = parse_credentials("acme", payload(tenantId=" "), "production")
    assert blank.credentials.tenant_id is None
