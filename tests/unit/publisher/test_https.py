"""Publishing over HTTPS: what is accepted, refused, tried again; against the real function too."""

import base64
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.credentials import Credentials
from google.auth.exceptions import RefreshError

from smartlink.ports import Unavailable
from smartlink.publisher import Accepted, Publisher, PublishRefused, PublishUnavailable
from tests.entrypoints.deployment import Deployment
from tests.support.world import World
from tests.unit.adapters.http_server import Answering, HttpServer, Reply, Seen, closed_port, in_turn
from tests.unit.runtime.log_lines import loggers_restored

GOOD: Any = {"tenant": "acme", "type": "OrderPlaced", "content": {"order": 7}}
OK = Reply(200, b'{"id": "7", "repeated": false}')


class Numbered(Credentials):
    """Numbers each token; one lasts until it is refused."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.fetched = 0

    def refresh(self, request: object) -> None:  # noqa: ARG002 - as google-auth calls it
        self.fetched += 1
        self.token = f"token-{self.fetched}"


class Caller:
    """A publisher of the function at a URL; `slept` holds the waits it asked for."""

    def __init__(self, url: str) -> None:
        self.slept: list[float] = []
        self.credentials = Numbered()
        self.publisher = Publisher(
            url,
            credentials=self.credentials,
            timeout=(1, 1),
            waits=(0.5, 2),
            sleep=self.slept.append,
        )

    def publish(self, **more: Any) -> Accepted:  # noqa: ANN401
        with self.publisher as publisher:
            return publisher.publish(**{**GOOD, **more})


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    deployment = Deployment(World(), monkeypatch)
    with loggers_restored():
        yield deployment.start()
    deployment.forget()


def function(deployment: Deployment) -> Answering:
    """The real function's answers."""

    def answer(seen: Seen) -> Reply:
        answered = deployment.call("publish", seen.verb, data=seen.body)
        return Reply(answered.status_code, answered.data)

    return answer


def carried(seen: Seen) -> str:
    """The token that a call carried."""
    return {name.lower(): text for name, text in seen.headers.items()}["authorization"]


def bodies(server: HttpServer) -> list[dict[str, Any]]:
    return [json.loads(seen.body) for seen in server.seen]


def test_a_message_goes_through_the_function(deployment: Deployment) -> None:
    """It is in the outbox with all that was said, and the same id again is the same message."""
    around = {"id": "order/7", "audience": "APP", "correlation_id": "c-1"}
    with HttpServer(function(deployment)) as server:
        assert Caller(server.url).publish(**around) == Accepted("order/7", repeated=False)
        assert Caller(server.url).publish(**around) == Accepted("order/7", repeated=True)
    message = deployment.world.live()["order/7"]
    assert (message.type, message.audience, message.correlation_id) == ("OrderPlaced", "APP", "c-1")
    assert message.content.text == '{"order":7}'


def test_the_function_may_refuse(deployment: Deployment) -> None:
    """A conflict, or a tenant that is not active: with the field, and the fix in its words."""
    with HttpServer(function(deployment)) as server:
        Caller(server.url).publish(id="7")
        with pytest.raises(PublishRefused, match="id: another message has this id") as refused:
            Caller(server.url).publish(id="7", content="other")
        with pytest.raises(PublishRefused, match="activate it first") as unknown:
            Caller(server.url).publish(tenant="nobody")
    assert (refused.value.field, refused.value.status, refused.value.conflict) == ("id", 409, True)
    assert (unknown.value.field, unknown.value.status, unknown.value.conflict) == (
        "tenant",
        400,
        False,
    )


def test_a_lost_answer_harms_nothing(deployment: Deployment) -> None:
    """The call took effect, its answer was lost: the next try, with the same id, finds it done."""
    real, calls = function(deployment), iter([True])

    def losing(seen: Seen) -> Reply:
        answered = real(seen)
        return Reply(hang_up=True) if next(calls, False) else answered

    with HttpServer(losing) as server:
        accepted = Caller(server.url).publish()
    assert accepted.repeated
    assert list(deployment.world.live()) == [accepted.id]


def test_a_store_that_is_down_for_a_moment(deployment: Deployment) -> None:
    """503, then accepted."""
    deployment.world.store.faults.fail("create", Unavailable("down"))
    with HttpServer(function(deployment)) as server:
        assert not Caller(server.url).publish().repeated
    assert len(deployment.world.live()) == 1


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"tenant": "No Tenant"}, "tenant"),
        ({"type": ""}, "type"),
        ({"type": None}, "type"),
        ({"audience": ".."}, "audience"),
        ({"correlation_id": "\n"}, "correlationId"),
        ({"content": 7}, "content"),
        ({"content": {"at": object()}}, "content"),
        ({"content": "\ud800"}, "content"),
        ({"content": [float("nan")]}, "content"),
        ({"content": "x" * 13_000_000}, "body"),
        ({"id": "D-m/reply/1"}, "id"),
        ({"subject": "x"}, "subject"),
    ],
)
def test_what_can_never_be_accepted_is_not_sent(changes: Any, field: str) -> None:  # noqa: ANN401
    """By the function's own rules, with the field: nothing leaves, not even for a token."""
    caller = Caller(f"http://127.0.0.1:{closed_port()}")
    with pytest.raises(PublishRefused) as refused:
        caller.publish(**changes)
    assert refused.value.field == field
    assert refused.value.status is None
    assert not caller.credentials.fetched


@pytest.mark.parametrize(
    "trouble", [Reply(429), Reply(500), Reply(502), Reply(503), Reply(504), Reply(hang_up=True)]
)
def test_what_may_work_later_is_tried_again(trouble: Reply) -> None:
    """After the waits, under the id of the first try, though the caller gave none."""
    with HttpServer(in_turn(trouble, trouble, OK)) as server:
        caller = Caller(server.url)
        caller.publish()
        assert caller.slept == [0.5, 2]
        assert len({body["id"] for body in bodies(server)}) == 1
        assert len(bodies(server)) == 3


@pytest.mark.parametrize(("after", "waited"), [("7", 7), ("900", 20), ("Mon, 02 Mar", 0.5)])
def test_retry_after_is_kept_to(after: str, waited: float) -> None:
    """Within reason."""
    with HttpServer(in_turn(Reply(429, headers={"Retry-After": after}), OK)) as server:
        caller = Caller(server.url)
        caller.publish()
    assert caller.slept == [waited]


def test_trouble_that_lasts() -> None:
    """The error holds the id under which to publish again, and what the last try met."""
    with HttpServer(in_turn(*[Reply(503)] * 3)) as server:
        with pytest.raises(PublishUnavailable, match="answered 503: publish it again") as failed:
            Caller(server.url).publish()
        assert [body["id"] for body in bodies(server)] == [failed.value.id] * 3


def test_nobody_listens() -> None:
    """The same, and neither URL nor content is told."""
    with pytest.raises(PublishUnavailable, match=r"did not answer .ConnectionError") as failed:
        Caller(f"http://127.0.0.1:{closed_port()}").publish(id="7")
    assert failed.value.id == "7"
    assert "127.0.0.1" not in str(failed.value)


def test_each_call_carries_the_token() -> None:
    """One that is refused is replaced, once."""
    with HttpServer(in_turn(Reply(401), OK)) as server:
        Caller(server.url).publish()
        tokens = [carried(seen) for seen in server.seen]
    assert tokens == ["Bearer token-1", "Bearer token-2"]


@pytest.mark.parametrize("status", [401, 403])
def test_a_caller_that_may_not(status: int) -> None:
    """Refused, with the role to grant; trying again is of no use."""
    with HttpServer(in_turn(Reply(status), Reply(status))) as server:
        caller = Caller(server.url)
        with pytest.raises(PublishRefused, match=r"roles/run\.invoker") as refused:
            caller.publish()
    assert (refused.value.field, refused.value.status) == ("authorization", status)
    assert caller.slept == []


@pytest.mark.parametrize(
    "answer",
    [Reply(404), Reply(302, headers={"Location": "/x"}), Reply(200, b"<p>"), Reply(400, b"[]")],
)
def test_a_url_that_is_not_the_functions(answer: Reply) -> None:
    """It is named; no redirect is followed."""
    with HttpServer(in_turn(answer)) as server:
        with pytest.raises(PublishRefused) as refused:
            Caller(server.url).publish()
        assert len(server.seen) == 1
    assert refused.value.field == "url"


def test_a_netrc_does_not_replace_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the machine's owner calls by hand is not what the code calls as."""
    (tmp_path / "netrc").write_text("default login me password mine\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with HttpServer(in_turn(OK)) as server:
        Caller(server.url).publish()
        assert carried(server.seen[0]) == "Bearer token-1"


def part(claims: dict[str, object]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def test_google_auth_finds_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the service account that the environment names, for the function's URL, and only once."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    token = f"{part({'alg': 'RS256'})}.{part({'exp': int(time.time()) + 3_600})}.{part({})}"
    issued = Reply(
        200, json.dumps({"id_token": token}).encode(), {"Content-Type": "application/json"}
    )
    with HttpServer(in_turn(issued)) as google, HttpServer(in_turn(OK, OK)) as server:
        account = {
            "type": "service_account",
            "client_email": "segment@project.iam.gserviceaccount.com",
            "private_key": pem.decode(),
            "token_uri": google.url,
        }
        (tmp_path / "account.json").write_text(json.dumps(account))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "account.json"))
        with Publisher(server.url) as publisher:
            publisher.publish(**GOOD)
            publisher.publish(**GOOD)
        assert [carried(seen) for seen in server.seen] == [f"Bearer {token}"] * 2
        (asked,) = google.seen
        [assertion] = parse_qs(asked.body.decode())["assertion"]
        claims = assertion.split(".")[1]
        asserted = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
        assert asserted["target_audience"] == server.url


def test_no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """It will never work: refused, with what to do."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nothing/there.json")
    with pytest.raises(PublishRefused, match="run as a service account"):
        Publisher("http://127.0.0.1:1").publish(**GOOD)


def test_no_token_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the metadata server it may work later."""
    caller = Caller("http://127.0.0.1:1")

    def fail(request: object) -> None:
        raise RefreshError(str(request))

    monkeypatch.setattr(caller.credentials, "refresh", fail)
    with pytest.raises(PublishUnavailable, match=r"no identity token \(RefreshError\): publish it"):
        caller.publish()


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
