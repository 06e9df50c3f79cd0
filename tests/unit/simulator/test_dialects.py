"""What Smart Link Server wants is found out, whichever of the plausible dialects it speaks."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from infra.simulator.options import Dialect
from infra.simulator.running import RunningSimulator, running_simulator
from smartlink.adapters.http.connections import Bounds, Http
from smartlink.adapters.http.rac import RacTokens
from smartlink.adapters.http.raw_link import RawLink
from smartlink.adapters.http.smart_link import SmartLinkBroker
from smartlink.adapters.in_memory import InMemoryMessages
from smartlink.domain.tenant import Credentials, Tenant
from smartlink.operations.discover import Nack, NotOurOwnError, Verdict, discover
from smartlink.ports import Refused
from smartlink.settings import Paths, load_settings

LEASE = 60.0
ENVIRON = {
    "GOOGLE_CLOUD_PROJECT": "test",
    "SMARTLINK_ENVIRONMENT": "development",
    "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
}
DIALECTS: dict[str, dict[str, Any]] = {
    "as assumed": {},
    "every verb is PUT": {
        "setup_verb": "PUT", "get_verb": "PUT", "send_verb": "PUT", "ack_verb": "PUT",
    },
    "get by POST": {"get_verb": "POST"},
    "a list to set up": {"setup_form": "list"},
    "types to set up, by PUT": {"setup_form": "types", "setup_verb": "PUT"},
    "commands to set up": {"setup_form": "commands"},
    "a wrapped content": {"send_form": "content"},
    "a wrapped content, by its gRPC name": {"send_form": "MsgContent", "send_verb": "PUT"},
    "the content as data": {"send_form": "data"},
    "ack by path": {"ack_form": "path"},
    "ack by path, DELETE": {"ack_form": "path", "ack_verb": "DELETE"},
    "ack by query": {"ack_form": "query"},
    "ack by its gRPC name": {"ack_form": "MsgDeliveryTag"},
    "a bare tag": {"ack_form": "bare"},
    "tags are texts": {"tags": "text"},
    "messages in an object": {"wrapping": "messages"},
    "data in an object": {"wrapping": "data", "tags": "text"},
    "to itself by its own audience": {"loopback": "tenant"},
    "long polling": {"poll_seconds": 0.001},
}  # fmt: skip


class Clock:
    """The server's clock: a lease ends when the test says so."""

    def __init__(self) -> None:
        self.now = 1_800_000_000.0
        self._lock = threading.Lock()

    def __call__(self) -> float:
        with self._lock:
            return self.now

    def forward(self) -> None:
        with self._lock:
            self.now += LEASE + 1


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> Iterator[RunningSimulator]:
    with running_simulator(clock=clock) as running:
        running.add_tenant("acme", "client", "secret")
        running.configure(lease_seconds=LEASE, token_seconds=86_400)
        yield running


TENANT = Tenant(
    "acme",
    Credentials.model_validate(
        {"clientId": "client", "clientSecret": "secret", "environment": "development"}
    ),
)


def deployment(simulator: RunningSimulator, clock: Clock) -> Any:  # noqa: ANN401
    settings = load_settings(
        {
            **ENVIRON,
            "SMARTLINK_BASE_URL": simulator.url,
            "SMARTLINK_RAC_TOKEN_URL": simulator.rac_token_url,
        }
    )
    http = Http(Bounds.of(settings))

    def now() -> datetime:
        return datetime.fromtimestamp(clock(), UTC)

    tokens = RacTokens(http, settings.token_url, now)
    link = RawLink(http, settings.smart_link_url, tokens)
    store = InMemoryMessages()
    return SimpleNamespace(
        settings=settings, link=link, store=store, now=now, http=http, tokens=tokens
    )


@pytest.mark.parametrize("name", DIALECTS)
def test_each_dialect_is_discovered(name: str, simulator: RunningSimulator, clock: Clock) -> None:
    """And the relay works with what was found: a message sent, received and acked."""
    dialect = Dialect.model_validate({"loopback": "type", **DIALECTS[name]})
    simulator.configure(dialect=dialect)
    place = deployment(simulator, clock)
    found = discover(place, TENANT, clock.forward)
    assert found.verdicts == dict.fromkeys(("setup", "get", "send", "ack"), Verdict.WORKS)
    assert found.complete
    assert found.questions == []
    known = frozenset(place.settings.catalog.commands)
    queue = simulator.call(lambda it: it.broker.queue("acme"))
    assert queue.subscriptions == known
    assert (queue.leased, len(queue.waiting)) == (0, 0), "its own messages are gone"

    paths = Paths.model_validate(found.settings)
    broker = SmartLinkBroker(place.http, simulator.url, paths, place.tokens)
    with broker.session(TENANT) as session:
        session.setup([*known, "GreetCommand"])
        audience = "acme" if dialect.loopback == "tenant" else None
        session.send("GreetCommand", audience, '{"name": "Ána"}'.encode())
        (delivery,) = session.get()
        assert (delivery.type, delivery.content) == ("GreetCommand", '{"name": "Ána"}')
        assert delivery.tag is not None
        session.ack(delivery.tag)
    clock.forward()
    assert simulator.call(lambda it: len(it.broker.queue("acme").waiting)) == 0


def test_what_never_comes_back_is_not_called_working(
    simulator: RunningSimulator, clock: Clock
) -> None:
    """A 200 proves nothing; what is open is a question to TOTVS."""
    found = discover(deployment(simulator, clock), TENANT, clock.forward)
    assert found.verdicts["setup"] is Verdict.ACCEPTED
    assert found.verdicts["send"] is Verdict.ACCEPTED
    assert found.verdicts["ack"] is Verdict.UNTRIED
    assert not found.complete
    assert len(found.questions) == 4
    assert found.settings == {}


def test_an_ack_that_takes_nothing_is_not_called_working(
    simulator: RunningSimulator, clock: Clock
) -> None:
    simulator.configure(dialect=Dialect(loopback="type", ack_form="none"))
    found = discover(deployment(simulator, clock), TENANT, clock.forward)
    assert found.verdicts["ack"] is Verdict.ACCEPTED
    assert [it for it in found.questions if "acked" in it]


def test_it_stops_at_the_first_message_that_is_not_its_own(
    simulator: RunningSimulator, clock: Clock
) -> None:
    """That one stays in the queue, and nothing was sent or acked."""
    simulator.call(lambda it: it.broker.setup("acme", ["SGDPDataCommand"]))
    simulator.offer("acme", [{"type": "SGDPDataCommand", "content": "{}"}])
    with pytest.raises(NotOurOwnError, match="SGDPDataCommand"):
        discover(deployment(simulator, clock), TENANT, clock.forward)
    clock.forward()
    assert simulator.sent("acme") == []
    queue = simulator.call(lambda it: it.broker.queue("acme"))
    queue.recover(clock())
    assert queue.acked == 0
    assert [it.type for it in queue.waiting] == ["SGDPDataCommand"]


def test_what_is_shown_holds_no_value(simulator: RunningSimulator, clock: Clock) -> None:
    simulator.configure(dialect=Dialect(loopback="type"))
    shown: list[str] = []
    found = discover(
        deployment(simulator, clock), TENANT, clock.forward, lambda it: shown.append(str(it))
    )
    assert len(shown) == len(found.tried) > 10
    assert not [it for it in shown if "smartLinkDiscovery" in it]
    assert [it for it in shown if "<text of" in it]


NACKING = ("as assumed", "ack by query", "ack by its gRPC name", "tags are texts")


@pytest.mark.parametrize("name", NACKING)
def test_a_nack_that_goes_for_good_is_discovered(
    name: str, simulator: RunningSimulator, clock: Clock
) -> None:
    """And the relay nacks by it; where it goes, TOTVS alone can say."""
    dialect = {"loopback": "type", **DIALECTS[name], "nacked": "dead"}
    simulator.configure(dialect=Dialect.model_validate(dialect))
    place = deployment(simulator, clock)
    found = discover(place, TENANT, clock.forward)
    assert (found.nack, found.complete) == (Nack.GONE, True)
    [question] = found.questions
    assert "dead-letter queue" in question
    queue = simulator.call(lambda it: it.broker.queue("acme"))
    assert (queue.leased, len(queue.waiting)) == (0, 0), "its own messages are gone"
    before = len(queue.dead_letters)
    assert before == 1

    environ = {"SMARTLINK_PATHS": json.dumps(found.settings), "SMARTLINK_UNKNOWN_COMMAND": "nack"}
    paths = load_settings({**ENVIRON, **environ}).paths
    broker = SmartLinkBroker(place.http, simulator.url, paths, place.tokens)
    with broker.session(TENANT) as session:
        session.setup(["GreetCommand"])
        simulator.offer("acme", [{"type": "GreetCommand", "content": "{}"}])
        (delivery,) = session.get()
        assert delivery.tag is not None
        session.nack(delivery.tag)
    clock.forward()
    assert simulator.call(lambda it: len(it.broker.queue("acme").waiting)) == 0
    assert len(queue.dead_letters) == before + 1


@pytest.mark.parametrize(("nacked", "seen"), [("requeued", Nack.AGAIN), ("refused", Nack.REFUSED)])
def test_a_nack_that_rids_nobody_of_it_is_not_offered(
    nacked: str, seen: Nack, simulator: RunningSimulator, clock: Clock
) -> None:
    dialect = Dialect.model_validate({"loopback": "type", "nacked": nacked})
    simulator.configure(dialect=dialect)
    found = discover(deployment(simulator, clock), TENANT, clock.forward)
    assert found.nack is seen
    assert found.settings == {}
    assert found.questions == []
    queue = simulator.call(lambda it: it.broker.queue("acme"))
    assert (queue.leased, len(queue.waiting)) == (0, 0)


@pytest.mark.parametrize("name", ["ack by path", "a bare tag"])
def test_an_ack_without_a_place_for_it_has_no_nack(
    name: str, simulator: RunningSimulator, clock: Clock
) -> None:
    simulator.configure(dialect=Dialect.model_validate({"loopback": "type", **DIALECTS[name]}))
    found = discover(deployment(simulator, clock), TENANT, clock.forward)
    assert found.nack is Nack.UNTRIED


def test_a_nack_that_nobody_has_proven_is_refused(
    simulator: RunningSimulator, clock: Clock
) -> None:
    """Without a call to the broker."""
    place = deployment(simulator, clock)
    broker = SmartLinkBroker(place.http, simulator.url, Paths(), place.tokens)
    with broker.session(TENANT) as session, pytest.raises(Refused, match="no call is known"):
        session.nack(1)
    assert simulator.stats()["nack"] == simulator.stats()["ack"] == 0
