"""Probes of Pub/Sub: redelivery and limits on topics of the run, and how the pushes are set."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from infra.acceptance.errors import DiffersError
from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe

_SERVICE = "pubsub"
_CLOUD = "the local stack's pushes carry no identity"
_NO_IAM = "the Pub/Sub emulator has no IAM"
_LEASE = 10  # seconds: the shortest ack deadline
_SOON = 60  # seconds within which a message must come (again)
_MOVED = 300  # seconds within which a message must be dead-lettered
_TICK = 0.5  # seconds between two pulls
_BYTES = 9_000_000  # as in adapters/google/pubsub.py
_MESSAGES = 1_000
_ATTEMPTS = 5  # deliveries before the dead-letter topic: the fewest that Pub/Sub takes
_LONGEST = 600  # seconds: the longest ack deadline

Json = Mapping[str, Any]


def _path(place: Place, kind: str, name: str) -> str:
    return f"/v1/projects/{place.settings.project}/{kind}/{name}"


def _make(place: Place, name: str, **more: object) -> None:
    """Make a topic of the run with a subscription of the same name."""
    topic, subscription = (_path(place, kind, name) for kind in ("topics", "subscriptions"))
    place.delete_later(_SERVICE, topic)
    place.call(_SERVICE, "PUT", topic, {}).needed("make a topic")
    place.delete_later(_SERVICE, subscription)
    document = {"topic": topic.removeprefix("/v1/"), "ackDeadlineSeconds": _LEASE, **more}
    place.call(_SERVICE, "PUT", subscription, document).needed("make a subscription")


def _publish(place: Place, name: str, *texts: bytes) -> None:
    messages = [{"data": base64.b64encode(text).decode()} for text in texts]
    path = f"{_path(place, 'topics', name)}:publish"
    answer = place.call(_SERVICE, "POST", path, {"messages": messages}).told("publish")
    need(f"publish: {answer.said}", holds=answer.ok)
    ids = len(answer.body["messageIds"])
    need(f"{ids} of {len(texts)} messages published", holds=ids == len(texts))


def _pull(place: Place, name: str, seconds: float) -> Json | None:
    """Pull a message; None if none comes within the time."""
    path = f"{_path(place, 'subscriptions', name)}:pull"
    end = place.clock() + seconds
    while True:
        # Without returnImmediately an empty subscription answers only after a minute or more.
        request = {"maxMessages": 1, "returnImmediately": True}
        body = place.call(_SERVICE, "POST", path, request).needed("pull")
        received: Sequence[Json] = body.get("receivedMessages", ())
        if received:
            return received[0]
        if place.clock() >= end:
            return None
        place.wait(_TICK)


def _nack(place: Place, name: str, received: Json) -> None:
    body = {"ackIds": [received["ackId"]], "ackDeadlineSeconds": 0}
    path = f"{_path(place, 'subscriptions', name)}:modifyAckDeadline"
    place.call(_SERVICE, "POST", path, body).needed("nack")


def _first(place: Place, name: str) -> Json:
    received = _pull(place, name, _SOON)
    if received is None:
        message = f"nothing came within {_SOON} s of its publication"
        raise DiffersError(message)
    return received


@probe(
    "pubsub-nack",
    assumes="A message that is nacked is delivered again.",
    relied="A function that answers 429 or 5xx gets its dispatch again (entrypoints/targets.py).",
    expected="the same message comes again",
)
def nack(place: Place) -> str:
    """Nack a message of the run and pull again."""
    name = f"{place.name}-nack"
    _make(place, name)
    _publish(place, name, b"nack")
    first = _first(place, name)
    _nack(place, name, first)
    again = _pull(place, name, _SOON)
    same = again is not None and again["message"]["messageId"] == first["message"]["messageId"]
    need(f"it did not come again within {_SOON} s", holds=same)
    return "it came again"


@probe(
    "pubsub-lease",
    assumes="A message that is neither acked nor nacked is delivered again after its ack deadline.",
    relied="A function that dies gets its dispatch again; the claim keeps it from running twice "
    "(services/claim.py).",
    expected=f"the same message comes again after the deadline of {_LEASE} s",
)
def lease(place: Place) -> str:
    """Pull a message of the run, let its deadline pass, and pull again."""
    name = f"{place.name}-lease"
    _make(place, name)
    _publish(place, name, b"lease")
    first = _first(place, name)
    began = place.clock()
    again = _pull(place, name, _SOON)
    seconds = place.clock() - began
    same = again is not None and again["message"]["messageId"] == first["message"]["messageId"]
    need(f"it did not come again within {_SOON} s", holds=same)
    return f"it came again after {seconds:.0f} s"


@probe(
    "pubsub-limit",
    assumes=f"A publish takes {_MESSAGES:,} messages, and {_BYTES:,} bytes.",
    relied="Dispatches are published in as few requests (adapters/google/pubsub.py).",
    expected="both requests are taken whole",
)
def limit(place: Place) -> str:
    """Publish the most messages, and the most bytes, that the relay publishes at once."""
    name = f"{place.name}-limit"
    _make(place, name)
    _publish(place, name, *(b"x" for _ in range(_MESSAGES)))
    _publish(place, name, b"x" * (_BYTES * 3 // 4))  # in JSON they travel as base64
    return f"{_MESSAGES:,} messages; {_BYTES:,} bytes"


@probe(
    "pubsub-dead-letter",
    assumes="After its last delivery attempt a message moves to the dead-letter topic, if "
    "Pub/Sub's agent may publish there and subscribe here.",
    relied="A dispatch that no function takes shows in the alert instead of coming for ever "
    "(terraform/pubsub.tf).",
    expected="the message is in the dead-letter topic",
)
def dead_letter(place: Place) -> str:
    """Nack a message of the run until it moves."""
    name, dead = f"{place.name}-live", f"{place.name}-dead"
    _make(place, dead)
    topic = _path(place, "topics", dead).removeprefix("/v1/")
    policy = {"deadLetterTopic": topic, "maxDeliveryAttempts": _ATTEMPTS}
    _make(place, name, deadLetterPolicy=policy)
    if not place.local:
        _grant(place, "topics", dead, "roles/pubsub.publisher")
        _grant(place, "subscriptions", name, "roles/pubsub.subscriber")
    _publish(place, name, b"dead")
    deliveries, moved = 0, None
    end = place.clock() + _MOVED
    # Pub/Sub counts the attempts approximately, and a new grant takes a while.
    while moved is None and place.clock() < end:
        received = _pull(place, name, _TICK)
        if received is not None:
            deliveries += 1
            _nack(place, name, received)
        if deliveries >= _ATTEMPTS:
            moved = _pull(place, dead, _TICK)
    seen = f"after {deliveries} deliveries it is {'there' if moved else 'not there'}"
    need(seen, holds=moved is not None)
    return seen


def _grant(place: Place, kind: str, name: str, role: str) -> None:
    binding = {"role": role, "members": [_agent(place)]}
    path = f"{_path(place, kind, name)}:setIamPolicy"
    body = {"policy": {"bindings": [binding]}}
    place.call(_SERVICE, "POST", path, body).needed(f"grant {role}")


def _agent(place: Place) -> str:
    return f"serviceAccount:service-{place.number}@gcp-sa-pubsub.iam.gserviceaccount.com"


def _subscription(place: Place, name: str) -> Json:
    path = _path(place, "subscriptions", name)
    body: Json = place.call(_SERVICE, "GET", path).needed(f"read the subscription {name}")
    return body


@probe(
    "pubsub-push-identity",
    assumes="A push to a function's URL carries a token of the pusher's account with that URL as "
    "its audience, and Cloud Run lets exactly that account in.",
    relied="Every dispatch and every shard (terraform/pubsub.tf).",
    expected="endpoint and audience are the function's URL, and the account is its invoker",
    cloud_only=_CLOUD,
)
def push_identity(place: Place) -> str:
    """Compare each push with its function and with who may call that."""
    for key, topic in place.pushed.items():
        push = _subscription(place, topic)["pushConfig"]
        token, url = push.get("oidcToken", {}), place.function(key)["serviceConfig"]["uri"]
        found = (push["pushEndpoint"], token.get("audience"))
        need(f"{topic}: endpoint and audience {found}, the URL {url}", holds=found == (url, url))
        name = place.function(key)["name"].rpartition("/")[2]
        service = f"/v2/projects/{place.settings.project}/locations/{place.region}/services/{name}"
        callers = place.members("run", service, "roles/run.invoker")
        account = f"serviceAccount:{token.get('serviceAccountEmail')}"
        need(f"{name}: called by {sorted(callers)}, not {account}", holds=callers == {account})
    return f"{len(place.pushed)} pushes"


@probe(
    "pubsub-pusher-tokens",
    assumes="Pub/Sub's agent makes the pusher's tokens with OpenID Token Creator on its account.",
    relied="Every dispatch and every shard (terraform/pubsub.tf: pusher).",
    expected="the agent has the role on each pusher",
    cloud_only=_NO_IAM,
)
def pusher_tokens(place: Place) -> str:
    """Look whether the agent has the role on the account of each push."""
    for topic in place.pushed.values():
        account = _subscription(place, topic)["pushConfig"]["oidcToken"]["serviceAccountEmail"]
        path = f"/v1/projects/{place.settings.project}/serviceAccounts/{account}"
        role = "roles/iam.serviceAccountOpenIdTokenCreator"
        members = place.members("iam", path, role, "POST")
        need(f"{account}: {sorted(members)}", holds=_agent(place) in members)
    return f"{len(place.pushed)} pushers"


@probe(
    "pubsub-ack-deadline",
    assumes="The ack deadline is also how long a push waits for its answer; at most 600 s.",
    relied="A function's time-out is shorter, so no push is repeated while it runs "
    "(terraform/pubsub.tf).",
    expected="each deadline is at least its function's time-out, and at most 600 s",
)
def ack_deadline(place: Place) -> str:
    """Compare each subscription's deadline with the catalogue's time-out."""
    catalog = place.settings.catalog
    seen = []
    for key, topic in place.pushed.items():
        timeout = catalog.pushed.get(key, catalog.functions.consume).timeout
        seconds = int(_subscription(place, topic).get("ackDeadlineSeconds", 0))
        text = f"{topic}: {seconds} s for a time-out of {timeout} s"
        need(text, holds=timeout <= seconds <= _LONGEST)
        seen.append(f"{seconds} s")
    return ", ".join(seen)


@probe(
    "pubsub-retention",
    assumes="A subscription without an expiry is never deleted, and keeps a message as long as "
    "its retention says.",
    relied="A deployment that is idle for a month still has its subscriptions "
    '(terraform/pubsub.tf: ttl = "").',
    expected="no expiry; 600 s for shards, a day for commands",
    cloud_only="the local stack sets neither",
)
def retention(place: Place) -> str:
    """Read expiry and retention of each push."""
    for key, topic in place.pushed.items():
        found = _subscription(place, topic)
        # Without any policy it would expire after 31 days; a policy without `ttl` is no expiry.
        expiry = found.get("expirationPolicy", {"ttl": "2678400s"}).get("ttl")
        wanted = "600s" if key == "poll_shard" else "86400s"
        kept = found.get("messageRetentionDuration")
        text = f"{topic}: expires after {expiry or 'never'}, keeps {kept}"
        need(text, holds=not expiry and kept == wanted)
    return f"{len(place.pushed)} subscriptions"


@probe(
    "pubsub-dead-letter-grants",
    assumes="Pub/Sub's agent dead-letters with Publisher on the dead-letter topic and Subscriber "
    "on the subscription; without either it does so silently never.",
    relied="The alert on the dead-letter topics (terraform/pubsub.tf: dead_letter).",
    expected="the agent has both roles for each push",
    cloud_only=_NO_IAM,
)
def dead_letter_grants(place: Place) -> str:
    """Look whether the agent has both roles."""
    for topic in place.pushed.values():
        policy = _subscription(place, topic).get("deadLetterPolicy", {})
        dead = f"/v1/{policy.get('deadLetterTopic')}"
        publishers = place.members(_SERVICE, dead, "roles/pubsub.publisher")
        path = _path(place, "subscriptions", topic)
        subscribers = place.members(_SERVICE, path, "roles/pubsub.subscriber")
        text = f"{topic}: publishers {sorted(publishers)}, subscribers {sorted(subscribers)}"
        need(text, holds=_agent(place) in publishers & subscribers)
    return f"{len(place.pushed)} subscriptions"


PROBES = (
    nack,
    lease,
    limit,
    dead_letter,
    push_identity,
    pusher_tokens,
    ack_deadline,
    retention,
    dead_letter_grants,
)
