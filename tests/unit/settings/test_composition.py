"""The composition root: every use case can be put together, at no call to the outside."""

import socket
from collections.abc import Iterator

import pytest

from smartlink import bootstrap
from smartlink.services.consuming.consume import Consume
from smartlink.services.polling.poll import Poll
from smartlink.services.publishing.publish import Publish
from tests.unit.runtime.log_lines import loggers_restored

_CACHED = (
    "settings",
    "poll",
    "consume",
    "publish",
    "_effects",
    "_firestore",
    "_firestore_calls",
    "_publisher",
    "_secrets",
    "_contents",
)


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A function's environment, with emulators that nobody runs, and no way to reach anything."""
    variables = {
        "GOOGLE_CLOUD_PROJECT": "project",
        "SMARTLINK_ENVIRONMENT": "development",
        "SMARTLINK_CONFIG_URI": "gs://bucket/totvsAppConfig_v2.json",
        "SMARTLINK_COMMAND": "SGDPDataCommand",
        **{
            f"{service}_EMULATOR_HOST": "127.0.0.1:1"
            for service in ("FIRESTORE", "PUBSUB", "STORAGE", "SECRET_MANAGER")
        },
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    def refuse(*_: object) -> None:
        pytest.fail("putting it together called the outside")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with loggers_restored():
        yield
    for name in _CACHED:
        getattr(bootstrap, name).cache_clear()


def test_each_use_case_is_put_together_once() -> None:
    """With the real adapters; a warm process makes nothing twice."""
    made = bootstrap.poll(), bootstrap.consume(), bootstrap.publish()
    assert [type(use_case) for use_case in made] == [Poll, Consume, Publish]
    again = bootstrap.poll(), bootstrap.consume(), bootstrap.publish()
    assert all(one is other for one, other in zip(made, again, strict=True))


def test_the_clocks_of_a_consumer() -> None:
    """Invariant 6: message < call < lease; a message may start at the beginning of a call."""
    timeouts = bootstrap.consume().timeouts
    assert timeouts.message < timeouts.call < timeouts.lease
    assert timeouts.start_by(bootstrap.now()) > bootstrap.now()


def test_the_clock_knows_its_time_zone_and_ids_are_random() -> None:
    """Datetimes are aware, always."""
    assert bootstrap.now().utcoffset() is not None
    ids = {bootstrap.new_id() for _ in range(100)}
    assert len(ids) == 100
    assert {len(one) for one in ids} == {32}
