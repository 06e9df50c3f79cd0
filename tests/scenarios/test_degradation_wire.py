"""RAC and the broker at the other end of a bad wire: what the operator sees, and that it ends.

Real HTTP sessions, real sockets; only the clock of the relay is moved by hand.
"""

import ssl
import subprocess
import time
from pathlib import Path

import pytest

from smartlink.domain.tenant import TenantState
from tests.hostile.corpus import entry, written
from tests.hostile.wire import BOUNDS, TOKEN, Wire, wired
from tests.scenarios.conftest import Logged
from tests.unit.adapters.http_server import Reply

GOOD = entry("{}", 99, MsgId="good")
INVALID_CLIENT = b'{"error": "invalid_client"}'
BUSY_SECONDS = 3  # that a busy machine may add
DRIP = Reply(body=b" ", endless=True, pause=0.05)


def state(wire: Wire) -> TenantState:
    return wire.world.store.states(["acme"])["acme"]


def works_again(wire: Wire) -> None:
    """Within the longest pause, by itself: what waited goes out, what comes is executed."""
    wire.token, wire.always = TOKEN, None
    wire.answers[:] = [Reply(body=written(GOOD))]
    wire.world.minutes(32)
    assert ("acme", "good") in wire.world.ran
    assert wire.sent == [b"waiting"]
    assert wire.world.live() == {}
    assert (state(wire).failures, state(wire).paused_until) == (0, None)


@pytest.mark.parametrize(
    ("token", "told"),
    [
        (Reply(503), "503"),
        (Reply(429), "429"),
        (Reply(hang_up=True), "RAC"),
        (Reply(401, INVALID_CLIENT), "rotate them"),
        (Reply(400, INVALID_CLIENT), "rotate them"),
        (Reply(400, b"<html>"), "400"),
        (DRIP, "RAC"),
    ],
    ids=["503", "429", "hangs up", "401", "400", "no JSON", "slow-loris"],
)
def test_rac_that_gives_no_token(token: Reply, told: str, logged: Logged) -> None:
    """`tenant_failed` at each tick, `tenant_paused` from the third on, and in `UltimoErro` what
    to do: refused credentials say so. The reply that waits loses no attempt."""
    with wired() as wire:
        wire.token = token
        wire.world.publish(content="waiting", id="w")
        wire.world.minutes(3)
        assert len(logged("tenant_failed")) == 3
        assert len(logged("tenant_paused")) == 1
        assert told in (state(wire).last_error or "")
        assert wire.world.live()["w"].attempt == 0
        works_again(wire)
        assert len(logged("tenant_recovered")) == 1


@pytest.mark.parametrize(
    ("always", "told"),
    [
        (Reply(500), "500"),
        (Reply(503, headers={"Retry-After": "3600"}), "503"),
        (Reply(429, headers={"Retry-After": "1"}), "429"),
        (Reply(hang_up=True), "Smart Link"),
        (Reply(200, b"[", missing=10), "Smart Link"),
        (DRIP, "Smart Link"),
        (Reply(401), "the token that the broker refuses"),
    ],
    ids=["500", "503", "429 storm", "hangs up", "cut off", "slow-loris", "401"],
)
def test_a_broker_that_does_not_serve(always: Reply, told: str, logged: Logged) -> None:
    """The same: failed, paused, told in `UltimoErro`; and no call costs more than its time-out."""
    with wired() as wire:
        wire.world.publish(content="waiting", id="w")
        wire.always = always
        began = time.monotonic()
        wire.world.minutes(3)
        longest = BOUNDS.read_seconds + BOUNDS.silence_seconds
        assert time.monotonic() - began < len(wire.seen) * longest + BUSY_SECONDS
        assert len(logged("tenant_failed")) == 3
        assert len(logged("tenant_paused")) == 1
        assert told in (state(wire).last_error or "")
        assert wire.world.live()["w"].attempt == 0
        works_again(wire)


_FAILURES = {"500": Reply(500), "503": Reply(503), "hangs up": Reply(hang_up=True), "silent": DRIP}


@pytest.mark.parametrize("failed", _FAILURES.values(), ids=_FAILURES)
@pytest.mark.parametrize(
    ("call", "receives", "sends"),
    [("send", True, False), ("get", False, True), ("ack", False, True), ("one", True, True)],
)
def test_a_broker_that_does_not_serve_one_call(
    failed: Reply,
    call: str,
    receives: bool,  # noqa: FBT001
    sends: bool,  # noqa: FBT001
    logged: Logged,
) -> None:
    """Whatever it serves goes on: whoever cannot be sent does not keep from receiving, whoever
    cannot be received does not keep from sending, and one message keeps nobody from anything.
    What is stored runs once. Once all is served again, all goes through."""
    with wired() as wire:
        wire.world.minute()
        path, body = ("/send/", b"poison") if call == "one" else (f"/{call}", b"")
        wire.fails = lambda seen: failed if path in seen.path and body in seen.body else None
        wire.world.publish(content="poison", id="poison")
        for number in range(3):
            wire.world.publish(content=f"good {number}", id=f"g{number}")
            tagged = entry("{}", number + 1, MsgId=f"in{number}")
            wire.answers[:] = [Reply(body=written(tagged))]
            wire.world.minute()
        if receives:
            assert sorted(wire.world.ran) == [("acme", f"in{number}") for number in range(3)]
        if sends:
            assert {f"good {number}".encode() for number in range(3)} <= set(wire.sent)
            assert [it for it in wire.world.live() if it.startswith("g")] == []
        assert not logged("tenant_paused")
        assert {it.attempt for it in wire.world.live().values()} <= {0, 1}

        wire.fails = lambda _: None
        wire.answers[:] = [Reply(body=written(entry("{}", 9, MsgId="last")))]
        wire.world.minutes(32)
        assert ("acme", "last") in wire.world.ran
        assert wire.world.live() == {}


def test_a_certificate_that_nobody_signed(tmp_path: Path, logged: Logged) -> None:
    """The token is not even asked for; `UltimoErro` says why. Nothing is sent to
    whoever that is."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    made = ["openssl", "req", "-x509", "-subj", "/CN=127.0.0.1", *curve, *files]
    subprocess.run(made, check=True, capture_output=True)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate, key)
    with wired(tls=tls) as wire:
        wire.world.minutes(3)
        assert wire.seen == []
        assert "certificate is not to be trusted" in (state(wire).last_error or "")
        assert len(logged("tenant_paused")) == 1
        with wired(wire.world) as fixed:
            fixed.world.publish(content="waiting", id="w")
            works_again(fixed)
