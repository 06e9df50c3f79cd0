"""Decides whether the demo's relay runs on the official emulators, or in one process without."""

import os
from contextlib import AbstractContextManager

from infra.local.demo.world import World, emulator_world
from infra.local.emulators import FIRESTORE_VARIABLE, PUBSUB_VARIABLE
from infra.local.errors import MissingPartError
from infra.local.sdk import find_toolkit
from infra.local.settings import LocalSettings
from infra.local.stack import Plan


def choose_world(settings: LocalSettings, plan: Plan) -> tuple[AbstractContextManager[World], str]:
    """Return the relay, which is not started yet, and a line that says how it runs."""
    reason = _why_not_emulators(settings)
    if reason is None:
        line = "Smart Link on the official emulators (Firestore, Pub/Sub), each function a process."
        return emulator_world(settings, plan), line
    # Its imports are not needed for the demo on emulators.
    from infra.local.demo.in_process_world import in_process_world  # noqa: PLC0415

    line = f"Smart Link in one process, on the in-memory adapters, without emulators: {reason}"
    return in_process_world(settings, plan), line


def _why_not_emulators(settings: LocalSettings) -> str | None:
    if not settings.emulators:
        return "SMARTLINK_LOCAL_EMULATORS is none."
    if os.environ.get(FIRESTORE_VARIABLE) and os.environ.get(PUBSUB_VARIABLE):
        return None
    try:
        find_toolkit()
    except MissingPartError as error:
        return str(error)
    return None
