"""As lean as it gets on the same emulators and broker: what is left when nothing is promised.

The same documents in bare commits of whole batches, from templates; the broker over requests'
keep-alive connections; one Pub/Sub message a batch, pushed into a function that settles it, in as
many processes as the relay's consumers have. No claim, no fence, no history read, no log, no
consumer, and of a content nothing is parsed.

With `BENCH_PROMISES` it makes the calls of the relay's promises too, as leanly: it reads whether a
message is in the history before it creates it, claims it where it is as created, and deletes it
where it is as claimed. What is left between that and the relay is the relay's own code.
"""

import base64
import json
import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from urllib.parse import urlencode, urlsplit

import functions_framework
import grpc
from flask import Request
from google.cloud.firestore_v1 import types
from google.pubsub_v1 import types as pubsub

from smartlink.adapters.firestore import documents as rm
from smartlink.adapters.firestore.values import Raw
from smartlink.domain import lifecycle
from smartlink.domain.message import Claim, Content, Ended, Ending, LogLine, LogType, Result
from tests.bench.lean_http import LeanHttp

RECEIVERS = 8  # as the relay's
BATCH = 100
_LINK = "/api/v1/link"
_OWNER = (("authorization", "Bearer owner"),)
_PROMISES = bool(os.environ.get("BENCH_PROMISES"))


@dataclass(frozen=True, slots=True)
class Templates:
    """The relay's own documents, filled by its own code once."""

    live: Raw
    claimed: Raw
    history: Raw
    log: Raw
    reply: Raw


def _templates() -> Templates:
    now = datetime.now(UTC)
    later = now + timedelta(days=90)
    content = Content(sha256="0" * 64, size=2_048, text="")
    live = lifecycle.received(
        message_id="", command="BenchCommand", content=content, now=now, due=now
    )
    claim = Claim(id=uuid.uuid4().hex, messages=BATCH, started=now)
    claimed = lifecycle.claimed(live, claim, lease=timedelta(minutes=2))
    done = lifecycle.with_attempt(live, Result.DONE, now, None)
    line = LogLine("", LogType.INFORMATION, "Executed in attempt 1 of 5; 1 replies", now, later)
    small = Content(sha256="0" * 64, size=70, text="")
    reply = lifecycle.to_send(message_id="", message_type="BenchReply", content=small, now=now)
    change = types.Write.pb()(update_mask={"field_paths": rm.STATE_FIELDS})
    rm.put_state(change.update.fields, claimed)
    created = [types.Write.pb()(current_document={"exists": False}) for _ in range(4)]
    rm.put_live(created[0].update.fields, live)
    rm.put_history(created[1].update.fields, Ended(done, Ending.DONE, now, later))
    rm.put_log(created[2].update.fields, ("", line))
    rm.put_live(created[3].update.fields, reply)
    return Templates(created[0], change, *created[1:])


class Store:
    """Firestore and Pub/Sub without their clients: the stubs of two methods."""

    def __init__(self) -> None:
        project = os.environ["GOOGLE_CLOUD_PROJECT"]
        self._database = f"projects/{project}/databases/(default)"
        self._root = f"{self._database}/documents/tenants/{os.environ['BENCH_TENANT']}"
        self._topic = f"projects/{project}/topics/{os.environ['BENCH_TOPIC']}"
        self._templates = _templates()
        firestore = grpc.insecure_channel(os.environ["FIRESTORE_EMULATOR_HOST"])
        self._commit = firestore.unary_unary(
            "/google.firestore.v1.Firestore/Commit",
            request_serializer=_serialized,
            response_deserializer=types.CommitResponse.pb().FromString if _PROMISES else None,
        )
        self._read = firestore.unary_stream(
            "/google.firestore.v1.Firestore/BatchGetDocuments", request_serializer=_serialized
        )
        self._publish = grpc.insecure_channel(os.environ["PUBSUB_EMULATOR_HOST"]).unary_unary(
            "/google.pubsub.v1.Publisher/Publish", request_serializer=_serialized
        )

    def create(self, batch: list[dict[str, Any]]) -> None:
        """Create the live documents; keep their times where a claim needs them."""
        if _PROMISES:
            names = [f"{self._root}/{rm.HISTORY}/D-{message['id']}" for message in batch]
            ended = types.BatchGetDocumentsRequest.pb()(database=self._database, documents=names)
            list(self._read(ended, metadata=_OWNER))
        request = types.CommitRequest.pb()(database=self._database)
        for message in batch:
            self._add(request, self._templates.live, rm.LIVE, "D-", message)
        for message, at in zip(batch, self._committed(request), strict=False):
            message["created"] = [at.seconds, at.nanos]

    def _claim(self, batch: list[dict[str, Any]]) -> list[Raw]:
        """Lease the live ones where nobody has touched them; answer the new times."""
        request = types.CommitRequest.pb()(database=self._database)
        for message in batch:
            write = request.writes.add()
            write.CopyFrom(self._templates.claimed)
            write.update.name = f"{self._root}/{rm.LIVE}/D-{message['id']}"
            seconds, nanos = message["created"]
            write.current_document.update_time.FromNanoseconds(seconds * 1_000_000_000 + nanos)
        return self._committed(request)

    def settle(self, batch: list[dict[str, Any]]) -> None:
        """Delete the live ones; create history, two log lines and a reply of each."""
        claimed = self._claim(batch) if _PROMISES else []
        request = types.CommitRequest.pb()(database=self._database)
        for number, message in enumerate(batch):
            delete = request.writes.add(delete=f"{self._root}/{rm.LIVE}/D-{message['id']}")
            if claimed:
                delete.current_document.update_time.CopyFrom(claimed[number])
            self._add(request, self._templates.history, rm.HISTORY, "D-", message)
            for _ in range(2):
                write = request.writes.add()
                write.CopyFrom(self._templates.log)
                identity = uuid.uuid4().hex
                write.update.name = f"{self._root}/{rm.LOGS}/{identity}"
                write.update.fields["ID"].string_value = identity
                write.update.fields["IDMENSAGEM"].string_value = message["id"]
            answer = {"id": message["id"], "content": '{"requestID": "", "status": "done"}'}
            self._add(request, self._templates.reply, rm.LIVE, "U-", answer)
        self._committed(request)

    def _committed(self, request: Raw) -> list[Raw]:
        answer = self._commit(request, metadata=_OWNER)
        return [result.update_time for result in answer.write_results] if _PROMISES else []

    def _add(
        self, request: Raw, template: Raw, collection: str, kind: str, item: dict[str, Any]
    ) -> None:
        write = request.writes.add()
        write.CopyFrom(template)
        write.update.name = f"{self._root}/{collection}/{kind}{item['id']}"
        fields = write.update.fields
        fields["ID"].string_value = item["id"]
        fields["Conteudo"].string_value = item["content"]

    def publish(self, batch: list[dict[str, Any]]) -> None:
        """Publish the batch with its contents, as the relay does."""
        request = pubsub.PublishRequest.pb()(topic=self._topic)
        kept = ("id", "content", "created")
        data = [{name: it[name] for name in kept if name in it} for it in batch]
        request.messages.add(data=json.dumps(data).encode())
        self._publish(request)


def _serialized(request: Raw) -> bytes:
    data: bytes = request.SerializeToString()
    return data


class Session:
    """One connection to the broker."""

    def __init__(self, token: str) -> None:
        self._http = LeanHttp(os.environ["SMARTLINK_BASE_URL"].rstrip("/"))
        self._headers = {"Authorization": f"Bearer {token}"}

    def get(self) -> list[dict[str, Any]]:
        """What `get` answers."""
        body = self._call("GET", "/get")
        got = json.loads(body) if body else []
        return got if isinstance(got, list) else [got]

    def ack(self, tag: int) -> None:
        """Ack one delivery."""
        self._call("POST", "/ack", b'{"deliveryTag": %d, "ack": true}' % tag)

    def _call(self, verb: str, path: str, body: bytes | None = None) -> bytes:
        return self._http.call(verb, _LINK + path, self._headers, body)[1]


@cache
def _store() -> Store:
    return Store()


@cache
def _sessions() -> list[Session]:
    url = urlsplit(os.environ["SMARTLINK_RAC_TOKEN_URL"])
    form = {
        "client_id": os.environ["BENCH_CLIENT_ID"],
        "client_secret": os.environ["BENCH_CLIENT_SECRET"],
        "grant_type": "client_credentials",
        "scope": "authorization_api",
    }
    http = LeanHttp(f"{url.scheme}://{url.netloc}")
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    _, body = http.call("POST", url.path, headers, urlencode(form).encode())
    token = json.loads(body)["access_token"]
    return [Session(token) for _ in range(RECEIVERS)]


def _receive(session: Session) -> int:
    """Receive until nothing is left: gather, create, ack, publish."""
    received = 0
    more = True
    while more:
        batch: list[dict[str, Any]] = []
        while len(batch) < BATCH and more:
            got = session.get()
            batch += got
            more = bool(got)
        if batch:
            _store().create(batch)
            for message in batch:
                session.ack(message["deliveryTag"])
            _store().publish(batch)
            received += len(batch)
    return received


@functions_framework.http
def poll(_request: Request) -> dict[str, int]:
    """Take in all that waits."""
    with ThreadPoolExecutor(RECEIVERS) as receivers:
        return {"received": sum(receivers.map(_receive, _sessions()))}


@functions_framework.http
def consume(request: Request) -> str:
    """Settle what a push brings."""
    push = json.loads(request.get_data())
    _store().settle(json.loads(base64.b64decode(push["message"]["data"])))
    return ""
