"""The four functions. Each parses its envelope, calls one use case, translates the verdict."""

import base64
import binascii
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import functions_framework
from cloudevents.http import CloudEvent
from flask import Request, Response

from smartlink import bootstrap
from smartlink.observability import ERROR, WARNING, bound, event, surprise, trace_fields
from smartlink.ports import PortError
from smartlink.services.dispatch import DispatchError, decode_dispatch
from smartlink.services.publish import BODY_LIMIT, PublishError, parse_request
from smartlink.services.shard import ShardError, decode_shard
from smartlink.settings import SettingsError


class EnvelopeError(ValueError):
    """The call of a Pub/Sub function carries no Pub/Sub message."""


@functions_framework.http
def poll(request: Request) -> Response:
    """Cloud Scheduler's call, each minute."""
    return _http(request, _poll)


@functions_framework.cloud_event
def poll_shard(cloud_event: CloudEvent) -> None:
    """A shard of the tenants."""
    with _delivery(cloud_event) as data:
        bootstrap.poll().shard(decode_shard(data))


@functions_framework.cloud_event
def consume(cloud_event: CloudEvent) -> None:
    """A batch of one tenant's messages, for the command in SMARTLINK_COMMAND."""
    with _delivery(cloud_event) as data:
        dispatch = decode_dispatch(data)
        with bound(tenant=dispatch.tenant, command=dispatch.command):
            bootstrap.consume()(dispatch)


@functions_framework.http
def publish(request: Request) -> Response:
    """A segment's message for a cloud app."""
    return _http(request, _publish)


def _poll(request: Request) -> Response:  # noqa: ARG001  (Scheduler's body says nothing)
    report = bootstrap.poll().tick()
    return _json(report.as_dict(), 503 if report.shards_lost else 200)


def _publish(request: Request) -> Response:
    if request.method != "POST":
        return _json(_problem("method", "use POST"), 405)
    length = request.content_length
    if length is not None and length > BODY_LIMIT:
        text = f"it has {length} bytes; at most {BODY_LIMIT} are accepted"
        return _json(_problem("body", text), 413)
    try:
        published = bootstrap.publish()(parse_request(request.stream.read(BODY_LIMIT + 1)))
    except PublishError as error:
        event("publish_refused", f"{error.field}: {error}", WARNING, field=error.field)
        return _json(_problem(error.field, str(error)), 409 if error.conflict else 400)
    return _json({"id": published.id, "repeated": published.repeated}, 200)


def _http(request: Request, answer: Callable[[Request], Response]) -> Response:
    header = request.headers.get("traceparent") or request.headers.get("X-Cloud-Trace-Context")
    try:
        with bound(**trace_fields(header, bootstrap.settings().project)):
            return answer(request)
    except SettingsError as error:
        event("settings_invalid", str(error), ERROR)
        return _json({"error": {"message": str(error)}}, 500)
    except PortError as error:
        event("call_failed", str(error), ERROR, kind=type(error).__name__)
        return _json({"error": {"message": str(error)}}, 503)
    except Exception as error:  # noqa: BLE001  (the edge: nothing of it may reach the caller)
        surprise("call_failed", "Unexpected", error)
        return _json({"error": {"message": "an unexpected error; the log tells"}}, 500)


@contextmanager
def _delivery(cloud_event: CloudEvent) -> Iterator[bytes]:
    """A Pub/Sub delivery's data. What goes wrong is logged and raised: it is delivered again,
    and after some deliveries it lies in the dead-letter topic."""
    attributes = cloud_event.data.get("message", {}) if isinstance(cloud_event.data, dict) else {}
    try:
        fields = trace_fields(cloud_event.get("traceparent"), bootstrap.settings().project)
        with bound(pubsubId=attributes.get("messageId"), **fields):
            yield _data(cloud_event)
    except (SettingsError, EnvelopeError, DispatchError, ShardError) as error:
        event("delivery_invalid", str(error), ERROR, kind=type(error).__name__)
        raise
    except PortError as error:
        event("call_failed", str(error), ERROR, kind=type(error).__name__)
        raise
    except Exception as error:
        surprise("call_failed", "Unexpected", error)
        raise


def _data(cloud_event: CloudEvent) -> bytes:
    try:
        return base64.b64decode(cloud_event.data["message"]["data"], validate=True)
    except (KeyError, TypeError, ValueError, binascii.Error):
        message = "the call carries no Pub/Sub message with data: push a topic to this function"
        raise EnvelopeError(message) from None


def _problem(field: str, message: str) -> dict[str, object]:
    return {"error": {"field": field, "message": message}}


def _json(document: object, status: int) -> Response:
    return Response(json.dumps(document), status, mimetype="application/json")
