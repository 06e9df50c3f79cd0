"""The function `console`. It loads the pages at its first call: no other function pays for them."""

import os
from functools import cache
from typing import TYPE_CHECKING

import functions_framework
from flask import Request
from werkzeug.wrappers import Response

from smartlink.loading import loading

if TYPE_CHECKING:
    from flask import Flask

_PIECE = 65_536  # bytes


@functions_framework.http
def console(request: Request) -> Response:
    """Serves the operators' pages to those whom IAP lets pass and SMARTLINK_ROLES names."""
    answer = Response.from_app(_app(), request.environ, buffered=True)
    # The framework reads, into memory, what is left of a body before it answers: drop it first.
    while request.stream.read(_PIECE):
        pass
    return answer


@cache
@loading()
def _app() -> "Flask":
    from console.deployed import deployed_app  # noqa: PLC0415

    return deployed_app(os.environ)
