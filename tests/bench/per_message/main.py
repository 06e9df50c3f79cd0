"""The same job as a newcomer would write it: every message by itself, with the usual clients.

It has fewer guarantees than the relay: no claim, no fence, no retry, one session, one tenant.
"""

import base64
import json
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any

import functions_framework
import requests
from cloudevents.http import CloudEvent
from flask import Request
from google.cloud import firestore
from google.cloud.pubsub_v1 import PublisherClient
from google.cloud.pubsub_v1.types import BatchSettings

Json = dict[str, Any]


# Each message's steps. `tenant` is a document under which the collections lie.


def keep(tenant: Any, message: Json) -> None:  # noqa: ANN401  (Google publishes no types)
    """Store what arrived: a set."""
    arrived = {**message, "status": "pending", "attempts": 0, "receivedAt": datetime.now(UTC)}
    tenant.collection("messages").document(message["id"]).set(arrived)


def execute(tenant: Any, message_id: str, *, reply: bool) -> None:  # noqa: ANN401
    """Run it: a get, an update, a set (history), two logs, a delete and the reply's set."""
    live = tenant.collection("messages").document(message_id)
    message = live.get().to_dict()
    if message is None:
        return  # delivered twice
    started = datetime.now(UTC)
    live.update({"status": "running", "attempts": message["attempts"] + 1, "startedAt": started})
    answer = run(message["content"])
    ended = {"status": "done", "startedAt": started, "endedAt": datetime.now(UTC)}
    tenant.collection("history").document(message_id).set({**message, **ended})
    for text in ("Answered", "Executed"):
        line = {"messageId": message_id, "type": 0, "text": text, "at": datetime.now(UTC)}
        tenant.collection("logs").add(line)
    live.delete()
    if reply:
        content = {"messageId": message_id, "content": answer, "createdAt": datetime.now(UTC)}
        tenant.collection("replies").document(message_id).set(content)


def run(content: str) -> str:
    """Do what the bench's consumer does."""
    request = json.loads(content)["content"]
    return json.dumps({"requestID": request["requestID"], "status": "done"})


def send(tenant: Any, reply: Any, broker: "Broker") -> None:  # noqa: ANN401
    """Send a reply: a set (history) and a delete."""
    content = reply.to_dict()
    broker.call("POST", "/send/BenchReply", content["content"])
    tenant.collection("sent").document(reply.id).set({**content, "sentAt": datetime.now(UTC)})
    reply.reference.delete()


# The functions.


class Broker:
    """Smart Link, over one session."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._session = requests.Session()
        self._session.trust_env = False  # as in every contestant: no proxy is looked for
        self._expires = 0.0

    def call(self, verb: str, path: str, body: str | None = None) -> requests.Response:
        """Call it with a token that is good for a while."""
        if time.time() > self._expires:
            self._session.headers["Authorization"] = f"Bearer {self._token()}"
        url = f"{self._environ['SMARTLINK_BASE_URL']}/api/v1/link{path}"
        response = self._session.request(verb, url, data=body, timeout=30)
        response.raise_for_status()
        return response

    def _token(self) -> str:
        form = {
            "client_id": self._environ["BENCH_CLIENT_ID"],
            "client_secret": self._environ["BENCH_CLIENT_SECRET"],
            "grant_type": "client_credentials",
            "scope": "authorization_api",
        }
        url = self._environ["SMARTLINK_RAC_TOKEN_URL"]
        grant = requests.post(url, form, timeout=30)
        grant.raise_for_status()
        answer = grant.json()
        self._expires = time.time() + answer["expires_in"] - 90
        return str(answer["access_token"])


@cache
def _broker() -> Broker:
    return Broker(os.environ)


@cache
def _tenant() -> Any:  # noqa: ANN401
    return firestore.Client().collection("tenants").document(os.environ["BENCH_TENANT"])


@cache
def _publisher() -> Any:  # noqa: ANN401
    # By default it waits 10 ms for further messages: of no use to one at a time.
    return PublisherClient(BatchSettings(max_messages=1))


@functions_framework.http
def poll(_request: Request) -> Json:
    """Take in what waits: get, set, publish, ack."""
    received = 0
    topic = f"projects/{os.environ['GOOGLE_CLOUD_PROJECT']}/topics/{os.environ['BENCH_TOPIC']}"
    while (answer := _broker().call("GET", "/get")).content:
        got = answer.json()
        for message in got if isinstance(got, list) else [got]:
            kept = {name: message[name] for name in ("id", "type", "content")}
            keep(_tenant(), kept)
            data = json.dumps({"id": message["id"]}).encode()
            _publisher().publish(topic, data).result()
            ack = {"deliveryTag": message["deliveryTag"], "ack": True}
            _broker().call("POST", "/ack", json.dumps(ack))
            received += 1
    return {"received": received}


@functions_framework.cloud_event
def consume(event: CloudEvent) -> None:
    """Execute the message that a Pub/Sub message names."""
    data = json.loads(base64.b64decode(event.data["message"]["data"]))
    execute(_tenant(), data["id"], reply=True)


@functions_framework.http
def deliver(_request: Request) -> Json:
    """Send the replies that wait."""
    sent = 0
    for reply in _tenant().collection("replies").stream():
        send(_tenant(), reply, _broker())
        sent += 1
    return {"sent": sent}
