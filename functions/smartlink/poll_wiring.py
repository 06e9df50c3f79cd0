"""The composition of `poll` and `poll_shard` from the ports; see common_wiring.py."""

from dataclasses import dataclass, field
from datetime import timedelta

from smartlink.common_wiring import Adapters, make_tenants
from smartlink.ports import (
    Broker,
    ConfigSource,
    Publisher,
    Turns,
)
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
from smartlink.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class PollAdapters:
    """The further adapters of `poll` and `poll_shard`."""

    config: ConfigSource
    broker: Broker
    publisher: Publisher
    turns: Turns
    in_flight: InFlight = field(default_factory=InFlight)


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
    tenants = make_tenants(settings, adapters)
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
