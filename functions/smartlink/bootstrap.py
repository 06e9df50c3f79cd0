"""The functions' composition: it makes the adapters to Google and TOTVS at their first use.

Each factory imports its own use case and the vendors' clients that this needs, so that a cold start
loads only what its function uses.
"""

import importlib
import uuid
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from smartlink import observability
from smartlink.adapters.threads import ThreadRunner, ThreadTurns, beside, end_process, wait
from smartlink.common_wiring import Adapters
from smartlink.loading import loading
from smartlink.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from smartlink.adapters.firestore.calls import FirestoreCalls
    from smartlink.adapters.firestore.effects import FirestoreEffects
    from smartlink.adapters.firestore.store import Firestore
    from smartlink.adapters.google.pubsub import PubSubPublisher
    from smartlink.adapters.google.secret_manager import SecretManager
    from smartlink.adapters.google.storage import BucketContents
    from smartlink.consumer import Consumer
    from smartlink.services.consuming.consume import Consume
    from smartlink.services.polling.poll import Poll
    from smartlink.services.publishing.publish import Publish


def now() -> datetime:
    """Returns the current time in UTC."""
    return datetime.now(UTC)


def new_id() -> str:
    """Makes a random id of 32 hexadecimal digits."""
    return uuid.uuid4().hex


@cache
def settings() -> Settings:
    """Returns the settings; the first call also configures the logs. Raises SettingsError."""
    observability.configure()
    loaded = load_settings()
    observability.traces_in(loaded.project)
    return loaded


@cache
@loading()
def poll() -> "Poll":
    """Makes the use case of `poll` and `poll_shard`."""
    from smartlink.adapters.google.storage import ConfigObject  # noqa: PLC0415
    from smartlink.adapters.http.connections import Bounds, Http  # noqa: PLC0415
    from smartlink.adapters.http.routed import make_broker, make_tokens  # noqa: PLC0415
    from smartlink.poll_wiring import PollAdapters, make_poll  # noqa: PLC0415
    from smartlink.services.in_flight import InFlight  # noqa: PLC0415

    config = settings()
    in_flight = InFlight(config.in_flight)
    http = Http(Bounds.of(config), in_flight=in_flight)
    idle_sessions = max(512, config.shard_tenants)  # idle sessions keep their cookies
    own = PollAdapters(
        config=ConfigObject(config.config_uri, config.project, config.storage_emulator),
        broker=make_broker(config, http, make_tokens(config, http, now), idle_sessions),
        publisher=_publisher(),
        turns=ThreadTurns(config.poll_threads, now),
        in_flight=in_flight,
    )
    return make_poll(config, _adapters(), own)


@cache
@loading()
def consume() -> "Consume":
    """Makes the use case of `consume`, for the command in SMARTLINK_COMMAND."""
    from smartlink.adapters.http.at_need import session_at_need  # noqa: PLC0415
    from smartlink.consume_wiring import ConsumeAdapters, make_consume  # noqa: PLC0415

    name, command = settings().consuming()
    own = ConsumeAdapters(
        erp=_secrets(),
        effects=_effects(),
        runner=ThreadRunner(),
        end_process=end_process,
        http=session_at_need,
        publisher=_publisher,
    )
    consumer = load_consumer(name, command.module)
    return make_consume(settings(), _adapters(), own, name, consumer)


@cache
@loading()
def publish() -> "Publish":
    """Makes the use case of `publish`."""
    from smartlink.publish_wiring import make_publish  # noqa: PLC0415

    return make_publish(settings(), _adapters())


def load_consumer(command: str, module: str) -> "Consumer":
    """Loads the consumer of a command from its module. Raises SettingsError, which says what is
    wrong."""
    from smartlink.consumer import Consumer  # noqa: PLC0415

    try:
        loaded = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        message = f"the catalogue's command {command} names {module}: there is no such module"
        raise SettingsError(message) from None
    found = [
        value
        for value in vars(loaded).values()
        if isinstance(value, Consumer) and value.command == command
    ]
    if len(found) != 1:
        message = f'{module} must hold one function stamped @consumer("{command}")'
        raise SettingsError(message)
    return found[0]


def _adapters() -> Adapters:
    return Adapters(
        store=_firestore(),
        contents=_contents(),
        secrets=_secrets(),
        beside=beside,
        clock=now,
        new_id=new_id,
        wait=wait,
    )


@cache
def _firestore() -> "Firestore":
    from smartlink.adapters.firestore.store import Firestore  # noqa: PLC0415

    return Firestore(_firestore_calls())


@cache
def _effects() -> "FirestoreEffects":
    from smartlink.adapters.firestore.effects import FirestoreEffects  # noqa: PLC0415

    return FirestoreEffects(_firestore_calls())


@cache
def _firestore_calls() -> "FirestoreCalls":
    from smartlink.adapters.firestore.calls import FirestoreCalls  # noqa: PLC0415

    config = settings()
    return FirestoreCalls(
        config.project, config.firestore_database, emulator=config.firestore_emulator
    )


@cache
def _publisher() -> "PubSubPublisher":
    from smartlink.adapters.google.pubsub import PubSubPublisher  # noqa: PLC0415

    return PubSubPublisher(settings().project, emulator=settings().pubsub_emulator)


@cache
def _secrets() -> "SecretManager":
    from smartlink.adapters.google.secret_manager import SecretManager  # noqa: PLC0415

    return SecretManager(settings().project, emulator=settings().secret_manager_emulator)


@cache
def _contents() -> "BucketContents":
    from smartlink.adapters.google.storage import BucketContents  # noqa: PLC0415

    return BucketContents(settings().bucket, settings().project, settings().storage_emulator)
