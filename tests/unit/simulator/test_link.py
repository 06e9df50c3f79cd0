"""Smart Link over HTTP, as a client meets it."""

from collections.abc import Callable
from urllib.parse import quote

import pytest

from infra.simulator.running import RunningSimulator

from .client import Client, Clock

MakeClient = Callable[[str], Client]


def counts(simulator: RunningSimulator, *names: str) -> list[object]:
    stats = simulator.stats()
    return [stats[name] for name in names]


def test_a_message_is_leased_acked_and_gone(simulator: RunningSimulator, acme: Client) -> None:
    """The way of every message."""
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": "<a/>", "audience": "RM"}])
    assert acme.get().json() == {
        "id": "m1",
        "type": "X",
        "content": "<a/>",
        "audience": "RM",
        "deliveryTag": 1,
    }
    assert simulator.queues()["acme"]["leased"] == 1
    assert acme.ack(1).status_code == 200
    assert acme.get().status_code == 204
    queue = simulator.queues()["acme"]
    assert (queue["waiting"], queue["leased"], queue["acked"], queue["setup"]) == (0, 0, 1, True)
    assert counts(simulator, "token", "setup", "get", "ack", "nack", "emptyGets") == [
        1,
        1,
        2,
        1,
        0,
        1,
    ]


def test_a_nack_returns_the_message_under_the_next_tag(
    simulator: RunningSimulator, acme: Client
) -> None:
    """It is the same message."""
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": ""}])
    acme.ack(acme.get().json()["deliveryTag"], ack=False)
    again = acme.get().json()
    assert (again["id"], again["deliveryTag"]) == ("m1", 2)
    assert counts(simulator, "ack", "nack") == [0, 1]


def test_an_unacked_message_comes_back(
    simulator: RunningSimulator, acme: Client, clock: Clock
) -> None:
    """And its first tag is gone."""
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": ""}])
    acme.get()
    clock.advance(60)
    assert acme.ack(1).status_code == 410
    assert acme.get().json()["id"] == "m1"


def test_another_session_cannot_ack(
    simulator: RunningSimulator, acme: Client, client_of: MakeClient
) -> None:
    """Not with the same credential, nor with another tenant's."""
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": ""}])
    tag = acme.get().json()["deliveryTag"]
    assert client_of("acme").ack(tag).status_code == 404
    stranger = client_of("globex")
    stranger.http.cookies.update(acme.http.cookies)
    assert stranger.ack(tag).status_code == 404
    assert acme.ack(tag).status_code == 200


def test_clients_of_one_credential_compete(
    simulator: RunningSimulator, acme: Client, client_of: MakeClient
) -> None:
    """Pain 1: a test base with production's credentials takes production's messages."""
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": ""}])
    assert client_of("acme").get().json()["id"] == "m1"
    assert acme.get().status_code == 204


@pytest.mark.parametrize(
    ("form", "status", "body"),
    [("204", 204, ""), ("empty", 200, ""), ("null", 200, "null"), ("[]", 200, "[]")],
)
def test_nothing_has_four_forms(
    simulator: RunningSimulator, acme: Client, form: str, status: int, body: str
) -> None:
    """Which one a client meets is an option."""
    simulator.configure(empty_form=form)
    answer = acme.get()
    assert (answer.status_code, answer.text) == (status, body)


@pytest.mark.parametrize(
    ("names", "keys"),
    [
        ("camel", ["id", "type", "content", "audience", "deliveryTag"]),
        ("pascal", ["MsgId", "MsgType", "MsgContent", "MsgAud", "MsgDeliveryTag"]),
        ("lower", ["msgid", "msgtype", "msgcontent", "msgaud", "msgdeliverytag"]),
        ("msgCamel", ["msgId", "msgType", "msgContent", "msgAud", "msgDeliveryTag"]),
    ],
)
def test_the_envelope_has_several_spellings(
    simulator: RunningSimulator, acme: Client, names: str, keys: list[str]
) -> None:
    """The properties are the same."""
    simulator.configure(names=names)
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": "c"}])
    assert acme.get().json() == dict(zip(keys, ["m1", "X", "c", None, 1], strict=True))


def test_a_batch_is_a_list_also_of_one(simulator: RunningSimulator, acme: Client) -> None:
    """Up to `getBatch` messages, each with its own tag."""
    simulator.configure(get_batch=2)
    simulator.offer("acme", [{"id": name, "type": "X", "content": ""} for name in "abc"])
    assert [(message["id"], message["deliveryTag"]) for message in acme.get().json()] == [
        ("a", 1),
        ("b", 2),
    ]
    assert [(message["id"], message["deliveryTag"]) for message in acme.get().json()] == [("c", 3)]


def test_hostile_offers_arrive_as_they_are(simulator: RunningSimulator, acme: Client) -> None:
    """An id is made only where the key is absent and nobody said otherwise."""
    offered: list[dict[str, object]] = [
        {"type": "X", "content": "{"},
        {"id": None, "type": "X", "content": ""},
        {"withoutId": True, "type": "X", "content": "\x00\ud800"},
        {
            "id": "../a/__x__\n",
            "type": "X/Y",
            "content": "ção",
            "raw": {"content": {"not": "text"}, "extra": 1},
        },
    ]
    assert simulator.offer("acme", offered)["queued"] == 4
    made, null, without, hostile = (acme.get().json() for _ in offered)
    assert len(made["id"]) == 36
    assert null["id"] is None
    assert "id" not in without
    assert without["content"] == "\x00\ud800"
    assert hostile["id"] == "../a/__x__\n"
    assert (hostile["content"], hostile["extra"]) == ({"not": "text"}, 1)


def test_offers_before_setup_are_lost_unless_forced(
    simulator: RunningSimulator, client_of: MakeClient
) -> None:
    """A routed offer is lost also when its type is not subscribed."""
    client = client_of("acme")
    entry = {"type": "X", "content": ""}
    assert simulator.offer("acme", [entry])["lost"] == 1
    assert simulator.offer("acme", [entry], force=True)["queued"] == 1
    client.setup("Y")
    assert simulator.offer("acme", [entry])["queued"] == 1
    assert simulator.offer("acme", [entry], routed=True)["lost"] == 1
    assert counts(simulator, "lostBeforeSetup", "lostUnsubscribed") == [1, 1]


def test_an_acked_message_may_come_again(simulator: RunningSimulator, acme: Client) -> None:
    """Duplicates keep their id."""
    simulator.configure(duplicate_rate=1)
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": ""}])
    acme.ack(1 if acme.get().json()["id"] == "m1" else 0)
    assert acme.get().json()["id"] == "m1"
    acme.ack(2)
    assert acme.get().status_code == 204
    assert counts(simulator, "duplicates") == [1]


def test_what_clients_send_is_kept_as_is(simulator: RunningSimulator, acme: Client) -> None:
    """Type and audience come from the path, unescaped."""
    assert acme.send(f"{quote('A b', safe='')}/RM", 'não é JSON "'.encode()).status_code == 200
    assert acme.send("Plain", "").status_code == 200
    assert [
        (sent["type"], sent["audience"], sent["content"]) for sent in simulator.sent("acme")
    ] == [
        ("A b", "RM", 'não é JSON "'),
        ("Plain", None, ""),
    ]
    assert simulator.sent("globex") == []


@pytest.mark.parametrize("tag", ["1", True, None, 1.0])
def test_an_ack_must_be_well_formed(acme: Client, tag: object) -> None:
    """A delivery tag is a number, the verdict a boolean."""
    assert acme.ack(tag).status_code == 400
    assert acme.ack(1, ack="yes").status_code == 400
    assert acme.post("/setup", {"subscriptions": "X"}).status_code == 400


def test_down_answers_503_to_all_and_takes_nothing(
    simulator: RunningSimulator, acme: Client
) -> None:
    """Up again, everything is where it was."""
    simulator.offer("acme", [{"id": "m1", "type": "X", "content": ""}])
    simulator.configure(down=True)
    answers = [acme.get(), acme.send("X", ""), acme.ack(1), acme.setup("Y")]
    assert [answer.status_code for answer in answers] == [503] * 4
    assert acme.token().status_code == 200, "RAC is another service"
    simulator.configure(down=False)
    assert acme.get().json()["id"] == "m1"
    assert (simulator.sent(), counts(simulator, "errors")) == ([], [4])


def test_an_errors_share_is_drawn_from_the_seed(simulator: RunningSimulator, acme: Client) -> None:
    """The same seed gives the same faults."""
    simulator.configure(error_rate=0.5, seed=7)
    first = [acme.get().status_code for _ in range(12)]
    simulator.configure(seed=7)
    assert [acme.get().status_code for _ in range(12)] == first
    assert set(first) == {204, 503}


def test_throttling_says_when_to_come_back(simulator: RunningSimulator, acme: Client) -> None:
    """429 with Retry-After."""
    simulator.configure(throttle_rate=1, retry_after_seconds=9)
    answer = acme.get()
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "9")


def test_a_lost_answer_took_effect(simulator: RunningSimulator, acme: Client) -> None:
    """The caller sees 503, the message was sent."""
    simulator.configure(lost_answer_rate=1)
    assert acme.send("X", "c").status_code == 503
    assert len(simulator.sent("acme")) == 1


def test_a_refused_type_is_refused_for_good(simulator: RunningSimulator, acme: Client) -> None:
    """400, and nothing was taken."""
    simulator.configure(refuse_types=["X"])
    assert acme.send("X/SGDP", "c").status_code == 400
    assert simulator.sent() == []
