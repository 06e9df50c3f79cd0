"""`tenants …`: RM's wizard, and what follows it."""

import base64
import json
import os
import pty
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from consumers.sgdp.maps import named_map
from infra.local.rest import Rest
from infra.people import create_people_database
from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager
from smartlink.domain.pin import fingerprint, first_use
from smartlink.domain.tenant import TenantState
from smartlink.ports import NotFound
from tests.cli.place import COMMAND, PATIENCE, Place, environment, golden
from tests.cli.samples import NOW, dead, pending

SECRET = "very-secret-value"


def credentials(client: str, **more: str) -> str:
    return json.dumps({"clientId": client, "clientSecret": SECRET, **more})


@pytest.fixture
def client(place: Place) -> Iterator[str]:
    """A client id that RAC knows, of the tenant id `tid-<client>`."""
    name = f"client-{uuid.uuid4().hex[:8]}"
    place.make_buckets()
    place.hosts.simulator.add_tenant(name, name, SECRET, f"tid-{name}")
    yield name
    place.hosts.simulator.configure(down=False)
    place.hosts.simulator.remove_tenant(name)


def subscribed(place: Place, client: str) -> frozenset[str]:
    return place.hosts.simulator.call(
        lambda simulator: simulator.broker.queue(client).subscriptions or frozenset()
    )


def activate(place: Place, tenant: str, client: str, *more: str) -> None:
    ran = place.run(
        "tenants", "activate", tenant, "--from-file", "-", *more, text=credentials(client)
    )
    assert ran.code == 0, ran.err
    assert SECRET not in ran.out + ran.err


def test_activate_from_stdin_to_the_first_poll(place: Place, client: str) -> None:
    """Token, secret, setup and poll: each says what happened, and the queue exists."""
    ran = place.run("tenants", "activate", "acme", "--from-file", "-", text=credentials(client))
    assert ran.code == 0, ran.err
    golden("tenants_activate", ran.out.replace(client, "CLIENT"))
    payload = json.loads(place.secrets.payload("acme"))
    assert payload["tenantId"] == f"tid-{client}"
    assert place.hosts.simulator.queues()[client]
    assert place.store.states(["acme"])["acme"].last_success is not None
    other = place.run("tenants", "activate", "other", "--from-file", "-", text=credentials(client))
    assert other.code == 4
    assert "are active already as tenant acme" in other.err


def test_activate_asks_without_echo(place: Place, client: str) -> None:
    """At a terminal both are asked for, and neither is shown."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [COMMAND, "tenants", "activate", "acme"],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(place.folder, {"TERM": "dumb"}),
        start_new_session=True,
    ) as process:
        os.close(theirs)
        seen = b""
        # The blank after a prompt comes once the echo is off: what is typed before is dropped.
        answers = {b"clientId: ": client, b"clientSecret: ": SECRET, b"your name): ": "A customer"}
        for prompt, answer in answers.items():
            while prompt not in seen:
                seen += os.read(ours, 1_000)
            os.write(ours, f"{answer}\n".encode())
        with suppress(OSError):  # Linux ends a terminal so
            while part := os.read(ours, 1_000):
                seen += part
        assert process.wait(PATIENCE) == 0, seen
    assert SECRET.encode() not in seen
    assert b"First poll" in seen
    [deed] = place.run("audit", "--json").json
    assert deed["reason"] == "A customer"


def test_a_failed_step_leaves_nothing(place: Place, client: str) -> None:
    """Wrong credentials, another environment, a broker that is down: no secret stays."""
    wrong = json.dumps({"clientId": client, "clientSecret": "wrong"})
    foreign = credentials(client, environment="production")
    refused = place.run("tenants", "activate", "acme", "--from-file", "-", text=wrong)
    assert refused.code == 4
    assert "RAC refuses the credentials of tenant acme (invalid_client): check " in refused.err
    other = place.run("tenants", "activate", "acme", "--from-file", "-", text=foreign)
    assert other.code == 4
    assert "credentials of production" in other.err
    place.hosts.simulator.configure(down=True)
    down = place.run("tenants", "activate", "acme", "--from-file", "-", text=credentials(client))
    assert down.code == 1
    assert "Setup failed, the secret was deleted again" in down.err
    assert place.secrets.entries() == []


def test_rotate_disable_enable_check(place: Place, client: str) -> None:
    """Each adds a version and disables the older ones; the etag tells the functions."""
    versions = OperatorSecretManager(place.project, emulator=place.hosts.secrets)
    activate(place, "acme", client)
    etag = place.secrets.entries()[0].etag
    place.hosts.simulator.add_tenant(client, client, "newer", f"tid-{client}")
    bad = place.run("tenants", "rotate", "acme", "--from-file", "-", text=credentials(client))
    assert bad.code == 4
    assert json.loads(place.secrets.payload("acme"))["clientSecret"] == SECRET
    newer = json.dumps({"clientId": client, "clientSecret": "newer"})
    good = place.run("tenants", "rotate", "acme", "--from-file", "-", text=newer)
    assert good.code == 0, good.err
    assert json.loads(place.secrets.payload("acme"))["clientSecret"] == "newer"
    assert place.secrets.entries()[0].etag != etag
    assert versions.enabled_versions("acme") == ["2"]
    etag = place.secrets.entries()[0].etag
    assert place.run("tenants", "check", "acme").code == 0
    assert place.run("tenants", "disable", "acme").code == 0
    assert json.loads(place.secrets.payload("acme"))["enabled"] is False
    assert versions.enabled_versions("acme") == ["3"]
    assert place.secrets.entries()[0].etag != etag
    assert place.run("tenants", "list", "--json").json[0]["status"] == "disabled"
    assert place.run("tenants", "enable", "acme").code == 0
    assert versions.enabled_versions("acme") == ["4"]
    place.hosts.simulator.configure(down=True)
    failing = place.run("tenants", "check", "acme")
    assert failing.code == 1
    assert "✗ acme: broker: The broker (Smart Link Server) is down" in " ".join(failing.out.split())


def test_a_rotation_pins_both_clients_and_then_the_new_one(place: Place, client: str) -> None:
    """Whichever version of the secret a function still has, its name is not halted."""
    activate(place, "acme", client)
    pin = place.store.states(["acme"])["acme"].pin
    assert pin
    assert (pin.tenant_id, pin.clients) == (f"tid-{client}", (fingerprint(client),))
    newer = f"{client}-newer"
    place.hosts.simulator.add_tenant(newer, newer, SECRET, f"TID-{client}".upper())
    ran = place.run("tenants", "rotate", "acme", "--from-file", "-", text=credentials(newer))
    place.hosts.simulator.remove_tenant(newer)
    assert ran.code == 0, ran.err
    pin = place.store.states(["acme"])["acme"].pin
    assert pin
    assert (pin.tenant_id, pin.clients) == (f"tid-{client}", (fingerprint(newer),))


def test_a_rotation_that_fails_leaves_the_pin_as_it_was(place: Place, client: str) -> None:
    activate(place, "acme", client)
    before = place.store.states(["acme"])["acme"].pin
    wrong = json.dumps({"clientId": client, "clientSecret": "wrong"})
    assert place.run("tenants", "rotate", "acme", "--from-file", "-", text=wrong).code == 4
    assert place.store.states(["acme"])["acme"].pin == before


def test_a_name_with_messages_is_not_given_to_another_customer(place: Place, client: str) -> None:
    """Neither by activate nor by rotate, until the messages are gone or it is adopted: then it
    says who said so, when and why."""
    old = TenantState(pin=first_use("t-old", "old-client"), commands=("SGDPDataCommand",))
    place.store.save_state("acme", old)
    place.keep("acme", dead("1"))
    given = ("tenants", "activate", "acme", "--from-file", "-")
    refused = place.run(*given, text=credentials(client))
    assert refused.code == 4
    assert "belongs to tenant id t-old, whose messages still live" in refused.err
    assert f"tenant id tid-{client}" in refused.err
    assert place.secrets.entries() == []
    silent = place.run("tenants", "adopt", "acme", "--reason", " ")
    assert silent.code == 2
    adopted = place.run("tenants", "adopt", "acme", "--reason", "Merged on the 3rd", "--json")
    assert adopted.code == 0, adopted.err
    told = adopted.json["adopted"]
    assert " ana: tenant id t-old is now whoever comes next: Merged on the 3rd" in told
    activate(place, "acme", client)
    state = place.store.states(["acme"])["acme"]
    assert state.adopted == told
    assert state.pin
    assert state.pin.tenant_id == f"tid-{client}"
    assert told[:30] in place.run("tenants", "show", "acme").out


def test_a_halted_tenant_shows_and_is_adopted(place: Place, client: str) -> None:
    """By the credentials that its secret holds; RAC says whose they are."""
    activate(place, "acme", client)
    place.keep("acme", pending("1"))
    state = place.store.states(["acme"])["acme"]
    halted = replace(state, pin=first_use("t-old", "old"), halted=NOW, last_error="Halted: …")
    place.store.save_state("acme", halted)
    listed, shown, checked = place.run_all(
        "tenants list --json", "tenants show acme", "tenants check acme"
    )
    assert listed.json[0]["status"] == "halted"
    assert listed.json[0]["haltedSince"]
    assert "tenant id t-old" in shown.out
    assert "Halted since" in shown.out
    assert checked.code == 1
    assert "✗ acme: identity" in checked.out
    assert place.run("tenants", "adopt", "acme", "--reason", "the same").code == 0
    state = place.store.states(["acme"])["acme"]
    assert state.halted is None
    assert state.pin == first_use(f"tid-{client}", client)
    assert place.run("tenants", "list", "--json").json[0]["status"] == "active"


def test_there_is_nothing_to_adopt_where_nobody_is_pinned(place: Place) -> None:
    place.keep("acme", pending("1"))
    ran = place.run("tenants", "adopt", "acme", "--reason", "why not")
    assert ran.code == 3
    assert "belongs to nobody yet" in ran.err


def test_a_checkout_sets_up_what_the_deployed_polls_know(place: Place, client: str) -> None:
    """An older one unsubscribes no command that it does not know."""
    now = datetime.now(UTC)
    place.store.note_commands(["SGDPDataCommand", "BroughtCommand"], now, timedelta(minutes=10))
    activate(place, "acme", client)
    assert "BroughtCommand" in subscribed(place, client)
    place.run("tenants", "check", "acme")
    assert "BroughtCommand" in subscribed(place, client)


def test_tenants_at_a_glance(place: Place, client: str) -> None:
    """State, last success, waiting, dead, paused until; a tenant without its secret too."""
    activate(place, "acme", client)
    place.keep("acme", pending("1"), pending("2"), dead("3"))
    state = TenantState(last_success=NOW, commands=("SGDPDataCommand",), failures=4)
    place.store.save_state("acme", state)
    place.store.save_state("gone", TenantState(last_success=NOW))
    listed, shown, missing = place.run_all("tenants list", "tenants show acme", "tenants show no")
    golden("tenants_list", listed.out)
    golden("tenants_show", shown.out)
    assert missing.code == 3


def test_doctor_speaks_of_dead_messages_pauses_and_queues(place: Place, client: str) -> None:
    """Each with what to do."""
    activate(place, "acme", client)
    fine = {it["check"]: it for it in place.run("doctor", "--json").json}
    for name in ("audit", "ticks", "dead messages", "queues", "jobs", "acme: broker"):
        assert fine[name]["ok"], fine[name]
    now = datetime.now(UTC)
    state = place.store.states(["acme"])["acme"]
    place.store.save_state(
        "acme", replace(state, failures=9, paused_until=now + timedelta(hours=1))
    )
    place.store.save_state("gone", TenantState())
    place.store.note_commands(["SGDPDataCommand"], now - timedelta(hours=2), timedelta())
    place.keep("acme", dead("1"), dead("2"), pending("3"))
    place.keep("gone", dead("4"))
    place.hosts.simulator.configure(down=True)
    ran = place.run("doctor", "--json")
    place.hosts.simulator.configure(down=False)
    assert ran.code == 1
    checks = {it["check"]: it for it in ran.json}
    told = {
        "dead messages": "3 messages (2 of acme, 1 of gone) are dead (Morta)",
        "queues": "1 messages (1 of acme) are due for more than 15m: the queue grows",
        "ticks": "none for 2h",
    }
    for name, text in told.items():
        assert (checks[name]["ok"], text in checks[name]["text"]) == (False, True), checks[name]
    assert all(it["fix"] for name, it in checks.items() if name in told)
    broken = next(it for it in ran.json if it["check"].startswith("acme: ") and not it["ok"])
    assert "is down or out of reach" in broken["text"]
    paused = {it["check"]: it for it in place.run("doctor", "--json").json}["acme: pause"]
    assert paused["fix"] == "it goes on by itself; at once with smartlink tenants enable acme"


def put_erp(place: Place, tenant: str, payload: object) -> None:
    url = f"http://{place.hosts.secrets}/v1/projects/{place.project}/secrets"
    labelled = {"replication": {"automatic": {}}, "labels": {"smartlink": "erp"}}
    Rest().call("POST", f"{url}?secretId=smartlink-erp-{tenant}", labelled)
    data = base64.b64encode(json.dumps(payload).encode()).decode()
    version = {"payload": {"data": data}}
    Rest().call("POST", f"{url}/smartlink-erp-{tenant}:addVersion", version)


def test_activate_checks_the_erp(place: Place, client: str) -> None:
    """A map with faults is refused before anything is made, unless that is asked for."""
    url = f"sqlite:///{place.folder / 'erp.db'}"
    create_people_database(url, count=30)
    data_map = named_map("demo")
    assert isinstance(data_map, dict)
    del data_map["tables"]["people"]["columns"]["phone"]
    put_erp(place, "acme", {"databaseUrl": url, "map": data_map})
    call = ("tenants", "activate", "acme", "--from-file", "-")
    ran = place.run(*call, text=credentials(client))
    assert ran.code == 4
    assert "The ERP of acme has 1 faults, so acme is not activated" in ran.err
    assert "tpd check --tenant acme" in ran.err
    with pytest.raises(NotFound):
        place.secrets.payload("acme")
    shown = place.run("tpd", "check", "--tenant", "acme", "--json")
    assert shown.code == 1
    assert [it["place"] for it in shown.json["findings"] if it["level"] == "fault"] == [
        "people.phone"
    ]
    ran = place.run(*call, "--without-erp-check", text=credentials(client))
    assert ran.code == 0, ran.err


def test_activate_tells_of_an_erp_that_is_right_or_out_of_reach(place: Place, client: str) -> None:
    """Out of reach is what a database behind a firewall is: no reason to refuse."""
    url = f"sqlite:///{place.folder / 'erp.db'}"
    create_people_database(url, count=30)
    put_erp(place, "acme", {"databaseUrl": url, "map": "demo"})
    ran = place.run("tenants", "activate", "acme", "--from-file", "-", text=credentials(client))
    assert ran.code == 0, ran.err
    assert "ERP: map and database checked: no faults, 0 warnings" in ran.out
    far = "postgresql+psycopg://u:pw7@127.0.0.1:9/erp"
    put_erp(place, "other", {"databaseUrl": far, "map": "demo"})
    place.hosts.simulator.add_tenant("far", f"{client}-2", SECRET, f"tid-{client}-2")
    again = credentials(f"{client}-2")
    ran = place.run("tenants", "activate", "other", "--from-file", "-", text=again)
    place.hosts.simulator.remove_tenant("far")
    assert ran.code == 0, ran.err
    assert "ERP: not checked (the database does not answer: OperationalError" in ran.out
    assert "pw7" not in ran.out + ran.err
