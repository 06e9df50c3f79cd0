"""The functions of messages: each parses an envelope, calls a use case, translates the result.

A target imports the envelope of its own use case at its first call: the others do without.
"""

import base64
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import flask
import functions_framework
from cloudevents.http import CloudEvent
from flask import Request, Response
from werkzeug.datastructures import Headers

from smartlink import bootstrap
from smartlink.domain.traceparent import called_under
from smartlink.observability import ERROR, WARNING, bound, event, surprise, trace_fields
from smartlink.ports import PortError
from smartlink.services.dispatch import decode_dispatch
from smartlink.services.push import PushError
from smartlink.settings import SettingsError

# gunicorn ends a worker that is silent for longer than this variable says, and functions-framework
# reads the variable after it has loaded this module. Cloud Run sets it to the function's time-out.
# But an idle instance is frozen for far longer: at each thaw it would lose its worker and all that
# the worker has kept. The relay and Cloud Run end what runs too long.
os.environ["CLOUD_RUN_TIMEOUT_SECONDS"] = "0"

_PIECE = 65_536  # bytes


class EnvelopeError(PushError):
    """The call of the function carries no Pub/Sub message."""


@functions_framework.http
def poll(request: Request) -> Response:
    """Polls the tenants. Cloud Scheduler calls it each minute."""
    return _http(request, _poll)


@functions_framework.cloud_event
def poll_shard(cloud_event: CloudEvent) -> None:
    """Polls a shard of the tenants.

    It answers 503 while `poll` has another catalogue, so that Pub/Sub delivers the shard again.
    """
    from smartlink.services.polling.shard import OtherCatalogError, decode_shard  # noqa: PLC0415

    refused = False
    with delivery(cloud_event) as (data, _):
        try:
            bootstrap.poll().shard(decode_shard(data))
        except OtherCatalogError as error:  # not a failure: a deployment is under way
            event("shard_refused", str(error), WARNING)
            refused = True
    if refused:
        flask.abort(503)


@functions_framework.cloud_event
def consume(cloud_event: CloudEvent) -> None:
    """Consumes a batch of one tenant's messages of the command in SMARTLINK_COMMAND."""
    with delivery(cloud_event) as (data, call):
        dispatch = decode_dispatch(data)
        call.enter_context(bound(tenant=dispatch.tenant, command=dispatch.command))
        bootstrap.consume()(dispatch)


@functions_framework.http
def publish(request: Request) -> Response:
    """Stores a segment's message for a cloud app."""
    return _http(request, _publish)


def _poll(request: Request) -> Response:  # noqa: ARG001  (Scheduler's body says nothing)
    report = bootstrap.poll().tick()
    return _json(report.as_dict(), 503 if report.shards_lost else 200)


def _publish(request: Request) -> Response:
    from smartlink.services.publishing.publish import (  # noqa: PLC0415
        BODY_LIMIT,
        PublishError,
        parse_request,
    )

    if request.method != "POST":
        return _json(_problem("method", "use POST"), 405)
    body = request.stream.read(BODY_LIMIT + 1)
    if len(body) > BODY_LIMIT:
        return _json(_problem("body", f"at most {BODY_LIMIT} bytes are accepted"), 413)
    try:
        headers = request.headers
        trace = called_under(headers.get("traceparent"), headers.get("X-Cloud-Trace-Context"))
        published = bootstrap.publish()(parse_request(body), trace)
    except PublishError as error:
        event("publish_refused", f"{error.field}: {error}", WARNING, field=error.field)
        return _json(_problem(error.field, str(error)), 409 if error.conflict else 400)
    return _json({"id": published.id, "repeated": published.repeated}, 200)


def _http(request: Request, answer: Callable[[Request], Response]) -> Response:
    response = _answered(request, answer)
    # The framework reads, into memory, what is left of a body before it answers: drop it first.
    while request.stream.read(_PIECE):
        pass
    return response


def _answered(request: Request, answer: Callable[[Request], Response]) -> Response:
    with bound(**_trace(request.headers)):
        try:
            return answer(request)
        except SettingsError as error:
            event("settings_invalid", str(error), ERROR)
            return _json({"error": {"message": str(error)}}, 500)
        except PortError as error:
            event("call_failed", str(error), ERROR, kind=type(error).__name__)
            return _json({"error": {"message": str(error)}}, 503)
        except Exception as error:  # noqa: BLE001  (no detail of the error may reach the caller)
            surprise("call_failed", "Unexpected", error)
            return _json({"error": {"message": "an unexpected error; the log tells"}}, 500)


@contextmanager
def delivery(cloud_event: CloudEvent) -> Iterator[tuple[bytes, ExitStack]]:
    """Gives the data of a push, and a stack of contexts that end after the call was logged.

    An error is logged and raised again. Then Pub/Sub delivers the message again, and after some
    deliveries moves it to the dead-letter topic.
    """
    with ExitStack() as call:
        # The framework makes the event from the push's body only: the trace is in the request.
        call.enter_context(bound(**_trace(flask.request.headers)))
        try:
            pushed = _pushed(cloud_event)
            call.enter_context(bound(pubsubId=pushed.get("messageId")))
            yield _data(pushed), call
        except (SettingsError, PushError) as error:
            event("delivery_invalid", str(error), ERROR, kind=type(error).__name__)
            raise
        except PortError as error:
            event("call_failed", str(error), ERROR, kind=type(error).__name__)
            raise
        except Exception as error:
            surprise("call_failed", "Unexpected", error)
            raise


def _pushed(cloud_event: CloudEvent) -> Mapping[str, Any]:
    data = cloud_event.data
    message = data.get("message") if isinstance(data, dict) else None
    return message if isinstance(message, dict) else {}


def _data(pushed: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(pushed["data"], validate=True)
    except (KeyError, TypeError, ValueError):
        message = "the call carries no Pub/Sub message with data: push a topic to this function"
        raise EnvelopeError(message) from None


def _trace(headers: Headers) -> dict[str, object]:
    header = headers.get("traceparent") or headers.get("X-Cloud-Trace-Context")
    try:
        return trace_fields(header, bootstrap.settings().project)
    except SettingsError:
        return {}  # the call itself raises and logs the same error


def _problem(field: str, message: str) -> dict[str, object]:
    return {"error": {"field": field, "message": message}}


def _json(document: object, status: int) -> Response:
    return Response(json.dumps(document), status, mimetype="application/json")
