"""Invariant 10, with canaries over the whole way: real HTTP adapters, real TPD consumers."""

import json
import logging
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from consumers.sgdp_data import answer_with_data
from smartlink.consumer import Consumer
from smartlink.observability import JsonFormatter
from smartlink.ports import PortError
from tests.hostile.corpus import entry, written
from tests.hostile.wire import TOKEN as GRANTED
from tests.hostile.wire import wired
from tests.secrets.canaries import (
    CLIENT_SECRET,
    CPF,
    NAME,
    PASSWORD,
    PERSONAL,
    SECRETS,
    TOKEN,
    Places,
    documents,
)
from tests.support.world import SECRET_ONE, World
from tests.unit.adapters.http_server import Reply

GOOD_TOKEN = Reply(body=json.dumps({"access_token": TOKEN, "expires_in": 3600}).encode())
ECHO = f"{CLIENT_SECRET} {TOKEN} {PASSWORD} {CPF} {NAME}".encode()
HEADER = f"{TOKEN} {PASSWORD}"
REQUEST = json.dumps(
    {
        "header": {"type": SECRET_ONE},
        "content": {"requestID": "r-1", "identifiers": {"CPF": CPF, "NAME": NAME}},
    }
)
DATABASES = [
    f"sqlite:////nowhere/{PASSWORD}/erp.db",
    f"postgresql://user:{PASSWORD}@nowhere/{PASSWORD}",
    f"nosuch://user:{PASSWORD}@nowhere",
    PASSWORD,
    "sqlite://",
]


class TpdWorld(World):
    """Its personal command is TPD's, on the real consumer."""

    def _consumer(self, command: str) -> Consumer:
        if command != SECRET_ONE:
            return super()._consumer(command)
        return Consumer(SECRET_ONE, answer_with_data.function, answer_with_data.payload)


@pytest.fixture
def printed(caplog: pytest.LogCaptureFixture) -> Callable[[], str]:
    """All that Cloud Logging would get, from every logger, at every level."""
    caplog.set_level(logging.DEBUG)
    return lambda: "\n".join([*map(JsonFormatter().format, caplog.records), caplog.text])


def seeded() -> World:
    world = TpdWorld()
    world.activate(clientSecret=CLIENT_SECRET)
    return world


def look_everywhere(world: World, places: Places, printed: str) -> None:
    places.look("Cloud Logging", printed)
    for place, text in documents(world).items():
        places.look(place, text)
    places.look("reprs", world.poll, world.settings, world.consume(SECRET_ONE), world.broker)


@pytest.mark.parametrize("database", DATABASES)
def test_an_erp_that_fails_shows_neither_its_url_nor_the_person(
    database: str, printed: Callable[[], str]
) -> None:
    """Through every attempt to the dead letter: no place but the payload's own holds a canary."""
    world, places = seeded(), Places()
    world.secrets.put_erp("acme", json.dumps({"databaseUrl": database, "map": "demo"}).encode())
    request = world.broker.offer("acme", SECRET_ONE, REQUEST)
    world.minutes(160)
    assert world.live()[request].dead_reason == "attempts-exhausted"
    look_everywhere(world, places, printed())
    assert places.sightings(*SECRETS, *PERSONAL) == []
    assert world.live()[request].content.text == REQUEST, "the payload's own"


@pytest.mark.parametrize(
    "failing",
    [
        Reply(400, ECHO),
        Reply(401, b'{"error": "' + ECHO + b'"}'),
        Reply(500, ECHO),
        Reply(200, ECHO),
        Reply(200, b'[{"access_token": {"' + ECHO + b'": 1}'),
        Reply(302, ECHO, {"Location": f"http://{PASSWORD}/{TOKEN}"}),
        Reply(200, ECHO, {"Content-Encoding": "gzip"}),
        Reply(200, ECHO, {"Content-Type": HEADER}, missing=9),
        Reply(429, ECHO, {"Retry-After": HEADER}),
    ],
    ids=range(9),
)
@pytest.mark.parametrize("of_rac", [True, False])
def test_a_server_that_echoes_secrets_is_not_quoted(
    failing: Reply,
    of_rac: bool,  # noqa: FBT001
    printed: Callable[[], str],
) -> None:
    """RAC's and the broker's errors, whatever they hold, end in a status or a kind of failure."""
    world, places = seeded(), Places()
    with wired(world) as wire:
        wire.token = GOOD_TOKEN
        world.publish(content=NAME)
        if of_rac:
            wire.token = failing
        else:
            wire.always = failing
        world.minutes(12)
        assert world.store.states(["acme"])["acme"].last_error
        look_everywhere(world, places, printed())
        assert places.sightings(*SECRETS, *PERSONAL) == []
        wire.token, wire.always = GRANTED, None
        world.minutes(40)
        assert wire.sent == [NAME.encode()]


def test_an_exception_of_the_broker_quotes_no_secret() -> None:
    """Neither its text nor its chain, formatted with every cause."""
    world = seeded()
    with wired(world) as wire:
        wire.token, wire.always = GOOD_TOKEN, Reply(403, ECHO, {"X": HEADER})
        world.minute()
        (tenant,) = [world.poll.tenants.tenant(it) for it in world.poll.tenants.entries()]
        with world.broker.session(tenant) as session, pytest.raises(PortError) as caught:
            session.send(SECRET_ONE, None, ECHO)
        places = Places()
        places.look("exception", "".join(traceback.format_exception(caught.value)))
        places.look("session", session, tenant)
        assert places.sightings(*SECRETS, *PERSONAL) == []


def test_success_leaves_no_canary_behind(tmp_path: Path, printed: Callable[[], str]) -> None:
    """The whole way of a personal request over real HTTP: answered, sent, ended. Nothing of it
    is in any document, the history included: that has the hash and the size."""
    from consumers.sgdp.engine import engine_for  # noqa: PLC0415
    from infra.people_tables import create_people_tables  # noqa: PLC0415

    url = f"sqlite:///{tmp_path}/{PASSWORD}.db"
    create_people_tables(engine_for(url))
    world, places = seeded(), Places()
    world.secrets.put_erp("acme", json.dumps({"databaseUrl": url, "map": "demo"}).encode())
    with wired(world) as wire:
        wire.token = GOOD_TOKEN
        wire.answers += [Reply(body=written(entry(REQUEST, MsgType=SECRET_ONE)))]
        world.minutes(4)
        assert len(wire.sent) == 1
        assert len(world.ended()) == 2
        assert world.live() == {}
        look_everywhere(world, places, printed())
        contents = [it.message.content for it in world.ended().values()]
        places.look("ended contents", [(it.text, it.object) for it in contents])
        assert places.sightings(*SECRETS, *PERSONAL) == []
        assert all(len(it.sha256) == 64 and it.size for it in contents)


def test_the_sighting_works() -> None:
    """A canary in any of its spellings is seen: a test that never fails shows nothing."""
    for text in (json.dumps({"a": CLIENT_SECRET}), repr(NAME), ascii(NAME), json.dumps(NAME)):
        places = Places()
        places.look("here", text)
        assert places.sightings(*SECRETS, *PERSONAL)
