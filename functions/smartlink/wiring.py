"""The one composition: it makes the use cases from the ports.

The functions on Google Cloud (`bootstrap`), the demo in one process, the simulation and the tests
call it. They differ only in their adapters.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol

from smartlink.consumer import Consumer
from smartlink.ports import (
    Beside,
    Broker,
    Clock,
    ConfigSource,
    Contents,
    Effects,
    EndProcess,
    ErpSecrets,
    HourlyFigures,
    LastGoodConfig,
    LogSink,
    Messages,
    NewId,
    Publisher,
    RelayState,
    Runner,
    TenantSecrets,
    TenantStates,
    Turns,
    Wait,
)
from smartlink.services.consuming.calls import MakeSession
from smartlink.services.consuming.consume import Consume, Timeouts
from smartlink.services.consuming.follow import Follow
from smartlink.services.consuming.next_steps import NextSteps
from smartlink.services.consuming.own_secrets import OwnSecrets
from smartlink.services.consuming.titulares import Titulares
from smartlink.services.dispatch import Dispatcher
from smartlink.services.in_flight import InFlight
from smartlink.services.polling.broker_calls import BrokerCalls
from smartlink.services.polling.changes import Changes
from smartlink.services.polling.config import Config
from smartlink.services.polling.hourly import Hourly
from smartlink.services.polling.identity import Identity
from smartlink.services.polling.idleness import Idleness
from smartlink.services.polling.intakes import Intakes
from smartlink.services.polling.known_commands import KnownCommands
from smartlink.services.polling.leftovers import Leftovers
from smartlink.services.polling.pages import DuePages
from smartlink.services.polling.poll import Poll
from smartlink.services.polling.recall import Recall
from smartlink.services.polling.receiving import Downstream, Receiving
from smartlink.services.polling.sending import Sending, Upstream
from smartlink.services.polling.standing_jobs import StandingJobs
from smartlink.services.polling.states import States
from smartlink.services.polling.sweep import Sweep
from smartlink.services.polling.turns import TenantTurns
from smartlink.services.publishing.publish import Publish
from smartlink.services.tenants import Tenants
from smartlink.settings import Settings


class Store(Messages, LogSink, TenantStates, RelayState, LastGoodConfig, HourlyFigures, Protocol):
    """The database: all that is stored, except large contents and effects."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapters:
    """The adapters that every use case needs. Those of one use case are apart, so that a function
    loads no client that it does not use."""

    store: Store
    contents: Contents
    secrets: TenantSecrets
    beside: Beside
    clock: Clock
    new_id: NewId
    wait: Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAdapters:
    """The further adapters of `poll` and `poll_shard`."""

    config: ConfigSource
    broker: Broker
    publisher: Publisher
    turns: Turns
    in_flight: InFlight = field(default_factory=InFlight)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeAdapters:
    """The further adapters of `consume`."""

    erp: ErpSecrets
    effects: Effects
    runner: Runner
    end_process: EndProcess
    http: MakeSession
    publisher: Callable[[], Publisher]  # at need: few consumers continue a work


def make_poll(settings: Settings, adapters: Adapters, own: PollAdapters) -> Poll:
    """Makes the use case of `poll` and `poll_shard`."""
    store, contents, clock = adapters.store, adapters.contents, adapters.clock
    catalog = settings.catalog
    dispatcher = Dispatcher(own.publisher, catalog, settings.dispatch_batch)
    grace = timedelta(seconds=settings.grace_seconds)
    refresh = timedelta(seconds=settings.state_refresh_seconds)
    hourly = Hourly(store)
    states = States(store, store, refresh, hourly)
    commands = KnownCommands(store, catalog.commands, clock)
    tenants = _make_tenants(settings, adapters)
    identity = Identity(states, store, tenants, own.broker, clock, Recall(store, clock), refresh)
    idleness = Idleness(timedelta(seconds=settings.idle_poll_seconds))
    pages = DuePages(store, settings.due_page)
    calls = BrokerCalls(settings, clock, tenants, states, own.broker, identity, commands)
    intakes = Intakes(store, contents, states, catalog, clock, adapters.new_id)
    downstream = Downstream(store, store, contents, dispatcher, intakes, settings, clock, commands)
    upstream = Upstream(
        store,
        store,
        contents,
        settings.retention,
        clock,
        adapters.new_id,
        adapters.wait,
        own.in_flight,
    )
    turns = TenantTurns(
        clock=clock,
        tenants=tenants,
        identity=identity,
        states=states,
        pages=pages,
        calls=calls,
        sweep=Sweep(store, store, contents, dispatcher, intakes, grace, clock, commands),
        receiving=Receiving(settings.receivers, clock, calls, downstream, idleness, intakes),
        sending=Sending(settings, clock, calls, pages, states, upstream),
        idleness=idleness,
        hourly=hourly,
    )
    return Poll(
        settings=settings,
        clock=clock,
        tenants=tenants,
        states=states,
        config=Config(own.config, store),
        publisher=own.publisher,
        relay_state=store,
        retention=settings.retention,
        turns=own.turns,
        beside=adapters.beside,
        tenant_turns=turns,
        commands=commands,
        changes=Changes(store),
        leftovers=Leftovers(store, contents, store, clock),
        standing_jobs=StandingJobs(store, own.publisher, _operate_topic(settings), clock),
    )


def _operate_topic(settings: Settings) -> str | None:
    operate = settings.catalog.functions.operate
    return operate.topic if operate is not None else None


def make_consume(
    settings: Settings, adapters: Adapters, own: ConsumeAdapters, command: str, consumer: Consumer
) -> Consume:
    """Makes the use case of `consume` for one command of the catalogue."""
    entry = settings.catalog.commands[command]
    refresh = timedelta(seconds=settings.tenants_refresh_seconds)
    return Consume(
        command=command,
        consumer=consumer,
        entry=entry,
        messages=adapters.store,
        contents=adapters.contents,
        erp=own.erp,
        effects=own.effects,
        runner=own.runner,
        timeouts=Timeouts.of(settings.catalog, command),
        retention=settings.retention,
        clock=adapters.clock,
        new_id=adapters.new_id,
        wait=adapters.wait,
        end_process=own.end_process,
        titulares=Titulares(own.erp, adapters.clock),
        copies=settings.copies,
        follow=Follow(
            adapters.store,
            adapters.store,
            own.publisher,
            entry.topic,
            settings.dispatch_batch,
            adapters.clock,
        ),
        secrets=OwnSecrets(command, entry.secrets, own.erp, adapters.clock, refresh),
        http=own.http,
        next_steps=NextSteps(
            adapters.store,
            adapters.store,
            own.publisher,
            entry.topic,
            timedelta(seconds=settings.grace_seconds),
            settings.dispatch_batch,
        ),
    )


def make_publish(settings: Settings, adapters: Adapters) -> Publish:
    """Makes the use case of `publish`."""
    tenants = _make_tenants(settings, adapters)
    return Publish(tenants, adapters.store, adapters.contents, adapters.clock, adapters.new_id)


def _make_tenants(settings: Settings, adapters: Adapters) -> Tenants:
    return Tenants(
        adapters.secrets,
        settings.environment,
        adapters.clock,
        timedelta(seconds=settings.tenants_refresh_seconds),
        timedelta(seconds=settings.payload_refresh_seconds),
        adapters.beside,
    )
