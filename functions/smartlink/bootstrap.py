"""The composition root: every use case with its adapters, made when first called for.

A vendor's client is imported by the factory that needs it, so that a cold start pays only for
what its function uses.
"""

import importlib
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING, TypeVar

from smartlink import observability
from smartlink.loading import loading
from smartlink.settings import Settings, SettingsError, load_settings

if TYPE_CHECKING:
    from smartlink.adapters.firestore import Firestore
    from smartlink.adapters.firestore_calls import FirestoreCalls
    from smartlink.adapters.firestore_effects import FirestoreEffects
    from smartlink.adapters.pubsub import PubSubPublisher
    from smartlink.adapters.secret_manager import SecretManager
    from smartlink.adapters.storage import BucketContents
    from smartlink.consumer import Consumer
    from smartlink.services.consume import Consume
    from smartlink.services.poll import Poll
    from smartlink.services.publish import Publish
    from smartlink.services.tenants import Tenants

_Result = TypeVar("_Result")


def now() -> datetime:
    """The clock."""
    return datetime.now(UTC)


def new_id() -> str:
    """A random id of 32 hexadecimal digits."""
    return uuid.uuid4().hex


@cache
def settings() -> Settings:
    """The settings; the first call also turns on the logs."""
    observability.configure()
    return load_settings()


@cache
@loading()
def poll() -> "Poll":
    """The use case of `poll` and `poll_shard`."""
    from smartlink.adapters.http import Bounds, Http  # noqa: PLC0415
    from smartlink.adapters.rac import RacTokens  # noqa: PLC0415
    from smartlink.adapters.smart_link import SmartLinkBroker  # noqa: PLC0415
    from smartlink.adapters.storage import ConfigObject  # noqa: PLC0415
    from smartlink.adapters.threads import ThreadTurns, beside, wait  # noqa: PLC0415
    from smartlink.services.config import Config  # noqa: PLC0415
    from smartlink.services.in_flight import InFlight  # noqa: PLC0415
    from smartlink.services.relay import Outside, make_poll  # noqa: PLC0415

    config = settings()
    bounds = Bounds(
        connect_seconds=config.connect_seconds,
        read_seconds=config.read_seconds,
        silence_seconds=config.silence_seconds,
        response_limit=config.response_limit,
    )
    in_flight = InFlight(config.in_flight)
    http = Http(bounds, in_flight=in_flight)
    tokens = RacTokens(http, config.token_url, now)
    store = _firestore()
    outside = Outside(
        messages=store,
        logs=store,
        states=store,
        ticks=store,
        contents=_contents(),
        broker=SmartLinkBroker(
            http,
            config.smart_link_url,
            config.paths,
            tokens,
            idle_sessions=max(512, config.shard_tenants),  # with their cookies
        ),
        publisher=_publisher(),
        turns=ThreadTurns(config.poll_threads, now),
        beside=beside,
        clock=now,
        new_id=new_id,
        wait=wait,
        in_flight=in_flight,
    )
    source = ConfigObject(config.config_uri, config.project, config.storage_emulator)
    return make_poll(config, outside, _tenants(), Config(source, store))


@cache
@loading()
def consume() -> "Consume":
    """The use case of `consume`, for the command in SMARTLINK_COMMAND."""
    from smartlink.adapters.threads import ThreadRunner, end_process, wait  # noqa: PLC0415
    from smartlink.services.consume import Consume, Timeouts  # noqa: PLC0415

    config = settings()
    name, command = config.consuming()
    return Consume(
        command=name,
        consumer=load_consumer(name, command.module),
        entry=command,
        messages=_firestore(),
        contents=_contents(),
        erp=_secrets(),
        effects=_effects(),
        runner=ThreadRunner(),
        timeouts=Timeouts.of(config.catalog, name),
        retention=config.retention,
        clock=now,
        new_id=new_id,
        wait=wait,
        end_process=end_process,
    )


@cache
@loading()
def publish() -> "Publish":
    """The use case of `publish`."""
    from smartlink.services.publish import Publish  # noqa: PLC0415

    return Publish(_tenants(), _firestore(), _contents(), now, new_id)


def load_consumer(command: str, module: str) -> "Consumer":
    """The consumer of a command, in its module. Raises SettingsError, which says what is amiss."""
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


@cache
def _firestore() -> "Firestore":
    from smartlink.adapters.firestore import Firestore  # noqa: PLC0415

    return Firestore(_firestore_calls())


@cache
def _effects() -> "FirestoreEffects":
    from smartlink.adapters.firestore_effects import FirestoreEffects  # noqa: PLC0415

    return FirestoreEffects(_firestore_calls())


@cache
def _firestore_calls() -> "FirestoreCalls":
    from smartlink.adapters.firestore_calls import FirestoreCalls  # noqa: PLC0415

    config = settings()
    return FirestoreCalls(
        config.project, config.firestore_database, emulator=config.firestore_emulator
    )


@cache
def _publisher() -> "PubSubPublisher":
    from smartlink.adapters.pubsub import PubSubPublisher  # noqa: PLC0415

    return PubSubPublisher(settings().project, emulator=settings().pubsub_emulator)


@cache
def _secrets() -> "SecretManager":
    from smartlink.adapters.secret_manager import SecretManager  # noqa: PLC0415

    return SecretManager(settings().project, emulator=settings().secret_manager_emulator)


@cache
def _contents() -> "BucketContents":
    from smartlink.adapters.storage import BucketContents  # noqa: PLC0415

    return BucketContents(settings().bucket, settings().project, settings().storage_emulator)


@cache
def _tenants() -> "Tenants":
    from smartlink.services.tenants import Tenants  # noqa: PLC0415

    config = settings()
    return Tenants(
        _secrets(),
        config.environment,
        now,
        timedelta(seconds=config.tenants_refresh_seconds),
        timedelta(seconds=config.payload_refresh_seconds),
        _beside,
    )


def _beside(work: Callable[[], _Result]) -> Callable[[], _Result]:
    from smartlink.adapters.threads import beside  # noqa: PLC0415

    return beside(work)
