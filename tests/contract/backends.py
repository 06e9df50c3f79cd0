"""What the contract suite runs on: the twins in memory, and Google's emulators."""

import os
from contextlib import AbstractContextManager, ExitStack
from datetime import datetime
from typing import Protocol

import pytest
from google.cloud.firestore_v1 import types

from infra.local.errors import MissingPartError
from smartlink.adapters.firestore import documents
from smartlink.adapters.firestore.calls import Fill, FirestoreCalls
from smartlink.adapters.firestore.effects import FirestoreEffects
from smartlink.adapters.firestore.jobs import FirestoreJobs
from smartlink.adapters.firestore.store import Firestore
from smartlink.adapters.firestore.values import Raw
from smartlink.adapters.google.failures import Patience
from smartlink.domain.hourly import HourFigures
from smartlink.domain.message import LogLine
from smartlink.operations.ports import Jobs
from smartlink.ports import (
    Effects,
    HourlyFigures,
    LastGoodConfig,
    LogSink,
    Messages,
    RelayState,
    TenantStates,
)

BACKENDS = ("in-memory", "emulator")
AT_ONCE = Patience(timeout=30, deadline=60, delays=(0.0, 0.0))
"""Tries without waits: tests do not sleep."""


class Store(Messages, TenantStates, RelayState, LastGoodConfig, LogSink, HourlyFigures, Protocol):
    """Everything that Firestore keeps, and a look at the logs and the hours."""

    def logs(self, tenant: str) -> list[LogLine]: ...

    def hours(self, tenant: str) -> dict[datetime, HourFigures]: ...

    def make_unreadable(self, tenant: str, document: str) -> None: ...

    def take_date(self, tenant: str, document: str) -> None: ...


class OddEffects(Effects, Protocol):
    """What `once` remembers, and a hand that breaks it."""

    def make_unreadable(self, tenant: str, document: str) -> None: ...


class BreakableEffects(FirestoreEffects):
    """The real adapter, with a hand that breaks a document."""

    def make_unreadable(self, tenant: str, document: str) -> None:
        name = self._name(tenant, document)
        self._calls.write_each("break an effect", [_text_instead(name, "DataInicio")])


class OddJobs(Jobs, Protocol):
    """The jobs of operators, and a hand that breaks one."""

    def make_unreadable(self, job: str) -> None: ...


class BreakableJobs(FirestoreJobs):
    """The real adapter, with a hand that breaks a document."""

    def make_unreadable(self, job: str) -> None:
        self._calls.write_each("break a job", [_text_instead(self._name(job), "Situacao")])


class FirestoreStore(Firestore):
    """The real adapter, with a look at the logs."""

    def __init__(self, calls: FirestoreCalls) -> None:
        super().__init__(calls)
        self.calls = calls

    def logs(self, tenant: str) -> list[LogLine]:
        query = types.StructuredQuery.pb()()
        query.from_.add(collection_id=documents.LOGS)
        found = self.calls.query("read logs", f"{self.calls.root}/tenants/{tenant}", query)
        return [documents.get_log(item.fields) for item in found]

    def hours(self, tenant: str) -> dict[datetime, HourFigures]:
        query = types.StructuredQuery.pb()()
        query.from_.add(collection_id=documents.HOURS)
        found = self.calls.query("read hours", f"{self.calls.root}/tenants/{tenant}", query)
        return {documents.hour_of_id(it.id): documents.get_hour(it.fields) for it in found}

    def make_unreadable(self, tenant: str, document: str) -> None:
        name = self._in(tenant, documents.LIVE, document)
        self.calls.write_each("break a message", [_text_instead(name, "Situacao")])

    def take_date(self, tenant: str, document: str) -> None:
        name = self._in(tenant, documents.LIVE, document)
        self.calls.write_each("take its date", [_text_instead(name, "DataTentativaExec")])


def _text_instead(name: str, field: str) -> Fill:
    """As a person writes into a field, in the console."""

    def write(raw: Raw) -> None:
        raw.update.name = name
        raw.update.fields[field].string_value = "Suspensa"
        raw.update_mask.field_paths.append(field)
        raw.current_document.exists = True

    return write


def started(emulator: AbstractContextManager[str], stack: ExitStack) -> str:
    """Answer the emulator's address. A missing one skips on a person's machine, not in CI."""
    try:
        return stack.enter_context(emulator)
    except MissingPartError as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(str(error))
