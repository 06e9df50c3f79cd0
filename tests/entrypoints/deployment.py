"""The real targets under functions-framework, on in-memory adapters."""

import base64
import json
import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import functions_framework
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from smartlink import bootstrap
from smartlink.consumer import Consumer, Context, Returned, consumer
from smartlink.ports import Envelope
from tests.support.world import COMMAND, World
from tests.unit.runtime.log_lines import LogLines

MAIN = Path(__file__).parents[2] / "functions" / "main.py"
EVENTS = Path(__file__).parents[1] / "events"
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"
CANARY = "canary-529"
_CACHED = ("settings", "consume", "publish")

Behave = Callable[[str, Context], Returned]


def recorded(name: str) -> dict[str, Any]:
    """A push as Pub/Sub sends it, from `tests/events`."""
    document: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_bytes())
    return document


def push(envelope: Envelope) -> dict[str, Any]:
    """The push of what the relay published."""
    document = recorded("dispatch")
    document["message"]["data"] = base64.b64encode(envelope.data).decode()
    document["message"]["attributes"] = dict(envelope.attributes)
    return document


@dataclass(slots=True)
class Deployment:
    """The functions of one deployment, all in this process."""

    world: World
    monkeypatch: pytest.MonkeyPatch
    logs: LogLines = field(default_factory=LogLines)
    behave: Behave = field(default=lambda content, context: None)  # noqa: ARG005
    stamped: Consumer | None = None  # instead of one that behaves so

    def start(self, **variables: str) -> "Deployment":
        """Sets the environment, and puts the world in the place of the vendors' clients."""
        patch, world = self.monkeypatch, self.world
        environment = {
            "GOOGLE_CLOUD_PROJECT": "project",
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": "gs://bucket/totvsAppConfig_v2.json",
            "SMARTLINK_CATALOG": world.catalog_json,
            "SMARTLINK_COMMAND": COMMAND,
            **variables,
        }
        for name, value in environment.items():
            patch.setenv(name, value)
        patch.setattr(bootstrap, "_firestore", lambda: world.store)
        patch.setattr(bootstrap, "_effects", lambda: world.effects)
        patch.setattr(bootstrap, "_contents", lambda: world.contents)
        patch.setattr(bootstrap, "_secrets", lambda: world.secrets)
        patch.setattr(bootstrap, "_publisher", lambda: world.publisher)
        patch.setattr(bootstrap, "poll", lambda: world.poll)
        patch.setattr(bootstrap, "now", world.clock)
        module = ModuleType(f"consumers.{COMMAND.lower()}")
        module.probe = self.stamped or self._consumer()  # type: ignore[attr-defined]
        patch.setitem(sys.modules, module.__name__, module)
        self.forget()
        return self

    def _consumer(self) -> object:
        @consumer(COMMAND)
        def run(content: str, context: Context) -> Returned:
            self.world.ran.append((context.tenant, context.message_id))
            return self.behave(content, context)

        return run

    @staticmethod
    def forget() -> None:
        """A cold start."""
        for name in _CACHED:
            getattr(bootstrap, name).cache_clear()

    def client(self, target: str) -> FlaskClient:
        """The target, served as the cloud serves it; the environment it writes is put back."""
        patch = self.monkeypatch
        for variable in ("FUNCTION_TARGET", "FUNCTION_SIGNATURE_TYPE"):
            patch.setenv(variable, "")
        patch.delenv("FUNCTION_SIGNATURE_TYPE")
        patch.setattr(sys, "path", [*sys.path])
        logging.getLogger(target).handlers.clear()
        app: Flask = functions_framework.create_app(target, str(MAIN))  # type: ignore[no-untyped-call]
        return app.test_client()

    def call(self, target: str, method: str = "POST", **request: Any) -> TestResponse:  # noqa: ANN401
        """One request, with the trace that Google's front end adds to each."""
        headers: Mapping[str, str] = {"traceparent": TRACEPARENT} | request.pop("headers", {})
        with redirect_stdout(self.logs.stream):
            return self.client(target).open(method=method, headers=headers, **request)
