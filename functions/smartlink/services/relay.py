"""Puts the poll's use cases together, on whatever adapters there are."""

from dataclasses import dataclass, field
from datetime import timedelta

from smartlink.ports import (
    Beside,
    Broker,
    Clock,
    Contents,
    LogSink,
    Messages,
    NewId,
    Publisher,
    TenantStates,
    Ticks,
    Turns,
    Wait,
)
from smartlink.services.config import Config
from smartlink.services.dispatch import Dispatcher
from smartlink.services.downstream import Downstream
from smartlink.services.identity import Identity
from smartlink.services.idleness import Idleness
from smartlink.services.in_flight import InFlight
from smartlink.services.known_commands import KnownCommands
from smartlink.services.leftovers import Leftovers
from smartlink.services.poll import Poll
from smartlink.services.recall import Recall
from smartlink.services.states import States
from smartlink.services.sweep import Sweep
from smartlink.services.tenant_turns import TenantTurns
from smartlink.services.tenants import Tenants
from smartlink.services.upstream import Upstream
from smartlink.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """The ports that a poll uses."""

    messages: Messages
    logs: LogSink
    states: TenantStates
    ticks: Ticks
    contents: Contents
    broker: Broker
    publisher: Publisher
    turns: Turns
    beside: Beside
    clock: Clock
    new_id: NewId
    wait: Wait
    in_flight: InFlight = field(default_factory=InFlight)


def make_poll(settings: Settings, outside: Outside, tenants: Tenants, config: Config) -> Poll:
    """The use case of `poll` and `poll_shard`."""
    messages, logs, clock = outside.messages, outside.logs, outside.clock
    catalog = settings.catalog
    dispatcher = Dispatcher(outside.publisher, catalog, settings.dispatch_batch)
    contents = outside.contents
    grace = timedelta(seconds=settings.grace_seconds)
    refresh = timedelta(seconds=settings.state_refresh_seconds)
    states = States(outside.states, messages, refresh)
    commands = KnownCommands(outside.ticks, catalog.commands, clock)
    turns = TenantTurns(
        settings=settings,
        clock=clock,
        tenants=tenants,
        states=states,
        messages=messages,
        broker=outside.broker,
        downstream=Downstream(
            messages, logs, contents, dispatcher, catalog, settings, clock, commands
        ),
        upstream=Upstream(
            messages,
            logs,
            contents,
            settings.retention,
            clock,
            outside.new_id,
            outside.wait,
            outside.in_flight,
        ),
        idleness=Idleness(timedelta(seconds=settings.idle_poll_seconds)),
        sweep=Sweep(messages, logs, contents, dispatcher, catalog, grace, clock, commands),
        identity=Identity(
            states, outside.states, tenants, outside.broker, clock, Recall(messages, clock), refresh
        ),
        commands=commands,
    )
    return Poll(
        settings=settings,
        clock=clock,
        tenants=tenants,
        states=states,
        config=config,
        publisher=outside.publisher,
        ticks=outside.ticks,
        retention=settings.retention,
        turns=outside.turns,
        beside=outside.beside,
        tenant_turns=turns,
        commands=commands,
        leftovers=Leftovers(messages, contents, outside.ticks, clock),
    )
