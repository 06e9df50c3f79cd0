"""A tenant's activation takes back what it made; its checks say where it breaks."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

import pytest

from smartlink.domain.pin import first_use
from smartlink.domain.tenant import ACCEPTANCE_TENANT, Tenant, TenantState
from smartlink.operations.activation import (
    ErpChecked,
    SecretStored,
    Step,
    TokenGiven,
    activate,
    rotate,
    switch,
)
from smartlink.operations.board import Board, Scope
from smartlink.operations.credentials import parse
from smartlink.operations.errors import (
    ActiveAlreadyError,
    ErpFaultsError,
    ForbiddenError,
    InvalidError,
    SetupError,
)
from smartlink.operations.health import Fix, tenant_checks
from smartlink.operations.tenants import Status, overview
from smartlink.ports import Refused, Unavailable
from tests.support.world import secret
from tests.unit.operations.desk import Desk

LOGIN = {"clientId": "id", "clientSecret": "s3cret"}


class Broker:
    """Refuses, or raises what it is given."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error
        self.commands: Sequence[str] = ()

    @contextmanager
    def session(self, _tenant: Tenant) -> Iterator["Broker"]:
        yield self

    def setup(self, commands: Sequence[str]) -> None:
        if self.error is not None:
            raise self.error
        self.commands = commands


def test_the_name_of_an_acceptance_is_nobody_s() -> None:
    """Whoever had it would send its credentials to a simulator."""
    desk = Desk(broker=Broker())
    login = parse(LOGIN, desk.deployment)
    steps: list[Step] = []
    with pytest.raises(InvalidError, match="choose another name"):
        activate(desk.deployment, ACCEPTANCE_TENANT, login, None, steps.append)
    assert not steps
    assert not desk.deployment.secrets.exists(ACCEPTANCE_TENANT)


@pytest.mark.parametrize("error", [Unavailable("set up the queue"), KeyboardInterrupt()])
def test_a_setup_that_fails_takes_the_secret_back(error: BaseException) -> None:
    desk = Desk(broker=Broker(error))
    steps: list[Step] = []
    with pytest.raises(SetupError) as raised:
        activate(desk.deployment, "acme", parse(LOGIN, desk.deployment), None, steps.append)
    assert raised.value.__cause__ is error
    assert raised.value.kept is None
    assert not desk.secrets.exists("acme")
    assert steps == [TokenGiven(None), SecretStored("acme")]


def test_a_secret_that_cannot_be_taken_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(broker=Broker(Unavailable("set up the queue")))

    def remove(_tenant: str) -> None:
        raise Refused("delete the secret of acme")

    monkeypatch.setattr(desk.secrets, "remove", remove)
    with pytest.raises(SetupError) as raised:
        activate(desk.deployment, "acme", parse(LOGIN, desk.deployment), None, lambda _: None)
    assert str(raised.value.kept) == "delete the secret of acme"


def test_nobody_is_activated_twice_under_one_name_or_two() -> None:
    desk = Desk(broker=Broker())
    desk.secrets.put("acme", secret())
    login = parse(LOGIN, desk.deployment)
    with pytest.raises(ActiveAlreadyError):
        activate(desk.deployment, "acme", login, None, lambda _: None)
    with pytest.raises(ForbiddenError, match="active already as tenant acme"):
        activate(desk.deployment, "other", login, None, lambda _: None)


@pytest.mark.parametrize(
    ("found", "steps"),
    [
        (ErpChecked(warnings=2), [ErpChecked(warnings=2)]),
        (ErpChecked(unchecked="no route"), [ErpChecked(unchecked="no route")]),
    ],
)
def test_an_erp_is_checked_before_anything_is_made(found: ErpChecked, steps: list[Step]) -> None:
    """What cannot be checked from here is told, and no reason to refuse."""
    desk = Desk(broker=Broker(Unavailable("set up the queue")))
    desk.secrets.put_erp("acme", b"the ERP's")
    told: list[Step] = []
    asked: list[bytes] = []

    def check(payload: bytes) -> ErpChecked:
        asked.append(payload)
        return found

    login = parse(LOGIN, desk.deployment)
    with pytest.raises(SetupError):
        activate(desk.deployment, "acme", login, None, told.append, check)
    assert told == [TokenGiven(None), *steps, SecretStored("acme")]
    assert asked == [b"the ERP's"]


def test_an_erp_with_faults_is_not_activated() -> None:
    desk = Desk(broker=Broker())
    desk.secrets.put_erp("acme", b"the ERP's")
    steps: list[Step] = []
    login = parse(LOGIN, desk.deployment)
    with pytest.raises(ErpFaultsError, match="has 3 faults, so acme is not activated"):
        activate(desk.deployment, "acme", login, None, steps.append, lambda _: ErpChecked(faults=3))
    assert steps == [TokenGiven(None)]
    assert not desk.secrets.exists("acme")


def test_a_tenant_without_an_erp_has_nothing_to_check() -> None:
    desk = Desk(broker=Broker(Unavailable("set up the queue")))
    steps: list[Step] = []
    login = parse(LOGIN, desk.deployment)
    with pytest.raises(SetupError):
        activate(desk.deployment, "acme", login, None, steps.append, lambda _: ErpChecked(faults=3))
    assert steps == [TokenGiven(None), SecretStored("acme")]


def test_broken_credentials_are_named_without_their_values() -> None:
    with pytest.raises(InvalidError) as raised:
        parse({"clientId": "id", "clientSecret": 5_551_234}, Desk().deployment)
    assert "clientSecret" in str(raised.value)
    assert "5551234" not in str(raised.value)


def test_checks_go_as_far_as_they_can() -> None:
    desk = Desk(broker=Broker(Unavailable("set up the queue")))
    desk.keep()
    desk.secrets.put("acme", secret())
    names = [(it.name, it.holds) for it in tenant_checks(desk.deployment, "acme")]
    assert names == [("acme: secret", True), ("acme: RAC", True), ("acme: broker", False)]
    desk.broker = Broker()
    assert all(it.holds for it in tenant_checks(desk.deployment, "acme"))
    desk.secrets.put("acme", secret(enabled=False))
    [off] = tenant_checks(desk.deployment, "acme")
    assert (off.holds, off.fix) == (True, Fix.ENABLE)
    desk.secrets.put("acme", secret("production"))
    [odd] = tenant_checks(desk.deployment, "acme")
    assert (odd.holds, odd.error) == (False, None)


@pytest.mark.parametrize("named", [None, "t-one"])
@pytest.mark.parametrize(
    ("call", "applied"),
    [("add", False), ("add", True), ("payload", False), ("touch", False), ("disable", False)],
)
def test_a_rotation_that_stops_midway_halts_nothing(
    call: str,
    applied: bool,  # noqa: FBT001
    named: str | None,
) -> None:
    """Whichever version is in force then, the name is pinned to its client. Tried again, the
    rotation ends, and the old client is known no more."""
    desk = Desk()
    desk.secrets.put("acme", secret(clientId="old"))
    desk.store.save_state("acme", TenantState(pin=first_use(named, "old")))
    new = parse({"clientId": "new", "clientSecret": "s"}, desk.deployment)
    rotating: list[bool] = []
    desk.secrets.faults.fail(
        call, Unavailable("down"), applied=applied, when=lambda _: bool(rotating)
    )

    def begin(step: Step) -> None:
        rotating.append(isinstance(step, TokenGiven))

    with pytest.raises(Unavailable):
        rotate(desk.deployment, "acme", new, begin)
    pin = desk.store.states(["acme"])["acme"].pin
    assert pin
    for client in ("old", "new"):
        assert pin.admits(None, client)
    assert not pin.admits(None, "other")

    rotate(desk.deployment, "acme", new, lambda _: None)
    assert b'"new"' in desk.secrets.payload("acme")
    assert desk.store.states(["acme"])["acme"].pin == first_use(named, "new")


@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("call", ["add", "touch", "disable"])
def test_a_switch_that_stopped_midway_is_seen_once_it_is_tried_again(
    call: str,
    enabled: bool,  # noqa: FBT001
) -> None:
    """The polls read a secret again when its etag changes: it has to, although the version that
    says so is there already."""
    desk = Desk()
    desk.secrets.put("acme", secret(enabled=not enabled))
    [before] = desk.secrets.entries()
    desk.secrets.faults.fail(call, Unavailable("down"), applied=call == "add")
    with pytest.raises(Unavailable):
        switch(desk.deployment, "acme", lambda _: None, enabled=enabled)
    switch(desk.deployment, "acme", lambda _: None, enabled=enabled)
    [after] = desk.secrets.entries()
    assert after.etag != before.etag
    assert json.loads(desk.secrets.payload("acme"))["enabled"] is enabled


def test_each_status_has_its_cause(monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk()
    desk.keep()
    monkeypatch.setattr(desk.store, "count_live", lambda *_: 0, raising=False)

    def status(tenant: str) -> Status:
        [found] = overview(desk.deployment, [tenant])
        return found.status

    assert (status("acme"), status("nobody")) == (Status.ORPHANED, Status.UNKNOWN)
    desk.secrets.put("acme", secret())
    assert status("acme") is Status.ACTIVE
    now = desk.now()
    desk.store.save_state("acme", TenantState(paused_until=now + timedelta(microseconds=1)))
    assert status("acme") is Status.PAUSED
    desk.store.save_state("acme", TenantState(paused_until=now))
    assert status("acme") is Status.ACTIVE
    desk.store.save_state("acme", TenantState(halted=now, paused_until=now + timedelta(hours=1)))
    assert status("acme") is Status.HALTED
    desk.secrets.put("acme", secret(enabled=False))
    assert status("acme") is Status.DISABLED
    desk.secrets.put("acme", b"{")
    assert status("acme") is Status.UNUSABLE
    assert len(Status) == 7, "each has been seen"


def test_a_list_of_tenants_reads_a_secret_again_when_it_changes() -> None:
    """Or after ten minutes. One that cannot be used is read at each look: somebody may be at it."""
    desk, board = Desk(), Board()
    read: list[str] = []
    payload = desk.secrets.payload

    def noted(tenant: str) -> bytes:
        read.append(tenant)
        return payload(tenant)

    desk.secrets.payload = noted  # type: ignore[method-assign]
    desk.store.count_live = lambda *_: 0  # type: ignore[method-assign]

    def looked(later: timedelta = timedelta(seconds=31)) -> tuple[list[Status], list[str]]:
        desk.time += later
        read.clear()
        rows, _ = board.tenants(desk.deployment, Scope(("acme", "globex")))
        return [it.status for it in rows], sorted(read)

    desk.secrets.put("acme", secret())
    desk.secrets.put("globex", b"{")
    statuses = [Status.ACTIVE, Status.UNUSABLE]
    assert looked() == (statuses, ["acme", "globex"])
    assert looked() == (statuses, ["globex"])
    desk.secrets.put("acme", secret(enabled=False))
    desk.secrets.put("globex", secret())
    assert looked() == ([Status.ACTIVE, Status.ACTIVE], ["globex"])  # no etag has changed
    assert looked() == ([Status.ACTIVE, Status.ACTIVE], [])
    desk.secrets.touch("globex")
    assert looked() == ([Status.ACTIVE, Status.ACTIVE], ["globex"])
    assert looked(timedelta(minutes=10)) == (
        [Status.DISABLED, Status.ACTIVE],
        ["acme", "globex"],
    )
    board.forget()
    assert looked(timedelta(0))[1] == ["acme", "globex"]
