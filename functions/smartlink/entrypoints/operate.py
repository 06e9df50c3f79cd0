"""The function `operate`: one step of a job that an operator made."""

import os
from functools import cache
from threading import Event
from typing import TYPE_CHECKING

import functions_framework
from cloudevents.http import CloudEvent

from smartlink import bootstrap
from smartlink.entrypoints.targets import delivery
from smartlink.loading import loading
from smartlink.settings import SettingsError

if TYPE_CHECKING:
    from smartlink.desk_wiring import DeskWiring
    from smartlink.operations.rights import Roles


@functions_framework.cloud_event
def operate(cloud_event: CloudEvent) -> None:
    """Works at the job that the push names, and asks for its next step."""
    with delivery(cloud_event) as (data, _):
        # What operators do is loaded by this function alone: the others' cold starts are spared.
        from smartlink.operations import operate as job  # noqa: PLC0415

        bootstrap.settings()  # also configures the logs
        desk = _desk()
        identity = job.decode_job(data)
        bounds = job.Bounds.of(desk.settings)
        verdict = job.step(desk, identity, _roles(), bootstrap.new_id, Event(), bounds)
        if verdict is job.Verdict.CONTINUES:
            job.publish(desk, identity)


@cache
@loading()
def _desk() -> "DeskWiring":
    from smartlink.desk_wiring import DeskWiring  # noqa: PLC0415

    return DeskWiring(os.environ)


@cache
def _roles() -> "Roles":
    from smartlink.operations.errors import InvalidError  # noqa: PLC0415
    from smartlink.operations.rights import parse_roles  # noqa: PLC0415

    settings = bootstrap.settings()
    try:
        return parse_roles(settings.roles, local=settings.local)
    except InvalidError as error:
        raise SettingsError(str(error)) from None
