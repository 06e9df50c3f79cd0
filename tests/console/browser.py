"""Looks at the pages without a browser, as Flask's test client does, and fills in their forms."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html.parser import HTMLParser
from typing import Any

from flask import Request, Response
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from console.app import make_app
from console.gates import Visitor
from smartlink.operations.ports import Identity
from smartlink.operations.rights import Roles
from smartlink.operator_wiring import OperatorWiring

ORIGIN = "http://localhost"


@dataclass
class KnownGate:
    """Lets in whoever the test says."""

    roles: Roles
    name: str = "ana@example.com"
    local: bool = True

    def enter(self, request: Request) -> Visitor | Response:
        del request
        return Visitor(Identity(self.name, verified=True), self.roles)


@dataclass
class Browser:
    """One person's browser."""

    client: FlaskClient
    deployment: OperatorWiring

    def get(self, path: str, status: int = 200) -> str:
        answer = self.client.get(path)
        assert answer.status_code == status, (path, answer.status_code, answer.text[:3_000])
        return answer.text

    def post(self, path: str, status: int = 200, **fields: Any) -> TestResponse:  # noqa: ANN401
        """Send a form as a page of ours would."""
        token = self.token()
        answer = self.client.post(
            path, data={"form_token": token, **fields}, headers={"Origin": ORIGIN}
        )
        assert answer.status_code == status, (
            path,
            answer.status_code,
            text_of(answer.text)[:3_000],
        )
        return answer

    def token(self) -> str:
        found = re.search(r'name="form_token" value="([^"]+)"', self.get("/"))
        assert found
        return found[1]


def browser_of(wiring: OperatorWiring, roles: Roles, name: str = "ana@example.com") -> Browser:
    app = make_app(wiring, KnownGate(roles, name))
    app.testing = False  # errors are answered, as for people
    return Browser(app.test_client(), wiring)


class _Text(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.parts: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.parts.append(data)


def text_of(page: str) -> str:
    """What a reader sees."""
    parser = _Text()
    parser.feed(page)
    return " ".join(" ".join(parser.parts).split())


def tags_of(page: str) -> Iterator[tuple[str, dict[str, str | None]]]:
    """Every tag with its attributes."""
    parser = _Text()
    parser.feed(page)
    yield from parser.tags
