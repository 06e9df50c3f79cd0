"""The composition of `consume` from the ports; see common_wiring.py."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from smartlink.common_wiring import Adapters
from smartlink.consumer import Consumer
from smartlink.ports import (
    Effects,
    EndProcess,
    ErpSecrets,
    Publisher,
    Runner,
)
from smartlink.services.consuming.calls import MakeSession
from smartlink.services.consuming.consume import Consume, Timeouts
from smartlink.services.consuming.follow import Follow
from smartlink.services.consuming.next_steps import NextSteps
from smartlink.services.consuming.own_secrets import OwnSecrets
from smartlink.services.consuming.titulares import Titulares
from smartlink.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumeAdapters:
    """The further adapters of `consume`."""

    erp: ErpSecrets
    effects: Effects
    runner: Runner
    end_process: EndProcess
    http: MakeSession
    publisher: Callable[[], Publisher]  # at need: few consumers continue a work


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
