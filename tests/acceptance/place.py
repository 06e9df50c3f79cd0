"""Places for probes: the emulators, servers that behave otherwise, and scripted answers."""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from infra.acceptance.assumptions import every_probe
from infra.acceptance.calls import Answer, Calls
from infra.acceptance.place import Place
from infra.acceptance.probe import Probe
from infra.local.checkout import CATALOG
from smartlink.settings import Settings, load_settings

INDEXES = json.loads(CATALOG.with_name("firestore.json").read_bytes())
PROBES = {probe.name: probe for probe in every_probe() if not probe.name.startswith("flow-")}
"""Those that ask Google; what becomes of the hundred messages has tests of its own."""
ASKED = [name for name, probe in PROBES.items() if not probe.cloud_only]
CLOUD_ONLY = [name for name, probe in PROBES.items() if probe.cloud_only]


def settings(project: str, **hosts: str) -> Settings:
    return load_settings(
        {
            "GOOGLE_CLOUD_PROJECT": project,
            "SMARTLINK_ENVIRONMENT": "development",
            "SMARTLINK_CONFIG_URI": "gs://config/totvsAppConfig_v2.json",
            "SMARTLINK_CATALOG": CATALOG.read_text(encoding="utf-8"),
            **{f"{service.upper()}_EMULATOR_HOST": host for service, host in hosts.items()},
        }
    )


class Time:
    """A clock that only waiting moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def clock(self) -> float:
        self.now += 0.01  # so that what waits for ever without waiting ends, too
        return self.now


def place_of(config: Settings, calls: Calls, *, local: bool, real_time: bool = False) -> Place:
    place = Place(config, calls, local=local, run=uuid.uuid4().hex[:12], indexes=INDEXES)
    time = Time()
    return place if real_time else replace(place, wait=time.wait, clock=time.clock)


def probe(name: str) -> Probe:
    return PROBES[name]


@dataclass(frozen=True)
class Request:
    service: str
    method: str
    path: str
    body: Any
    query: Mapping[str, str]


Send = Callable[[Request], Answer]
Twist = Callable[[Request, Send], Answer]


@dataclass
class Twisted:
    """A server that behaves otherwise than the one behind it."""

    calls: Calls
    twist: Twist

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        copy = body if isinstance(body, bytes) else json.loads(json.dumps(body))
        request = Request(service, method, path, copy, dict(query or {}))
        return self.twist(request, self._send)

    def _send(self, request: Request) -> Answer:
        return self.calls.call(
            request.service, request.method, request.path, request.body, query=request.query
        )

    def knock(self, url: str, token: str | None, body: object = None) -> int:
        return self.calls.knock(url, token, body)

    def identity_token(self, audience: str) -> str:
        return self.calls.identity_token(audience)


@dataclass
class Scripted:
    """Google as a script says it; what is not in the script is answered 404."""

    answers: dict[str, Any]  # "service METHOD path" → a body, an Answer, or what the query gets
    knocks: dict[tuple[str, bool], int] = field(default_factory=dict)  # URL, with a token
    token: str | Exception = "token"
    bodies: list[object] = field(default_factory=list)  # of the knocks

    def call(
        self,
        service: str,
        method: str,
        path: str,
        body: object = None,  # noqa: ARG002
        *,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        found = self.answers.get(f"{service} {method} {path}")
        if callable(found):
            found = found(query or {})
        if found is None:
            return Answer(404, {"error": {"status": "NOT_FOUND", "message": path}})
        return found if isinstance(found, Answer) else Answer(200, found)

    def knock(self, url: str, token: str | None, body: object = None) -> int:
        self.bodies.append(body)
        return self.knocks[url, token is not None]

    def identity_token(self, audience: str) -> str:  # noqa: ARG002
        if isinstance(self.token, Exception):
            raise self.token
        return self.token


_: tuple[type[Calls], ...] = (Twisted, Scripted)
