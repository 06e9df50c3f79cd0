"""What the release before wrote, this one reads; and what that one reads, this one still writes.

`tests/releases/<commit>` holds documents and Pub/Sub messages as that commit wrote them. The
readers of both releases take fields by name and pass over those that they do not know: that the
ones of 40eea28 read a claim with its decision, a pinned tenant and a shard with its catalogue was
tried once by hand, with its code.
"""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.cloud.firestore_v1 import types
from google.protobuf import json_format

from smartlink.adapters.firestore import documents as rm
from smartlink.domain.bucket import bucket_of
from smartlink.domain.message import DeadReason, Ending, Message, Result, State
from smartlink.services.dispatch import decode_dispatch, encode_dispatch
from smartlink.services.polling.shard import decode_shard
from tests.support.samples import owned

BEFORE = Path(__file__).parents[2] / "releases" / "40eea28"
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
LIVE = sorted(path.stem for path in BEFORE.glob("live-*.json"))


def before(name: str) -> Any:  # noqa: ANN401
    return json.loads((BEFORE / f"{name}.json").read_bytes())


def fields(name: str) -> Any:  # noqa: ANN401  (a protobuf map)
    return json_format.ParseDict({"fields": before(name)}, types.Document.pb()()).fields


def live(name: str) -> Message:
    return rm.get_live("D-m-1", fields(name))


def written(put: Any, value: object) -> dict[str, Any]:  # noqa: ANN401
    document = types.Document.pb()()
    put(document.fields, value)
    return dict(json_format.MessageToDict(document)["fields"])


def test_live_messages_are_read_whole() -> None:
    states = {name: (live(name).state, live(name).attempt, live(name).due) for name in LIVE}
    lease, later = NOW + timedelta(seconds=570), NOW + timedelta(minutes=10)
    assert states == {
        "live-dead": (State.DEAD, 2, None),
        "live-pending": (State.PENDING, 0, later),
        "live-running": (State.RUNNING, 2, lease),
        "live-shared": (State.RUNNING, 1, lease),
        "live-upstream": (State.PENDING, 0, NOW),
        "live-waiting": (State.WAITING, 1, later),
    }
    dead = live("live-dead")
    assert (dead.dead_reason, dead.error) == (DeadReason.REJECTED, "it does not fit")
    assert [it.result for it in dead.attempts] == [Result.RETRY]


def test_a_claim_of_before_decided_nothing() -> None:
    """So the sweep goes by its catalogue, as it did then."""
    claim = live("live-shared").claim
    assert claim is not None
    assert (claim.messages, claim.decided) == (3, None)


def test_a_history_record_and_a_log_line_are_read() -> None:
    ended = rm.get_history("D-m-1", fields("history"))
    assert (ended.ending, ended.message.attempt) == (Ending.DONE, 2)
    assert rm.get_log(fields("log")).text == "Dead: down"


def test_what_is_known_of_a_tenant_stays_known() -> None:
    """It has no pin yet: the first use gives it one."""
    state = rm.get_tenant(fields("tenant"))
    assert (state.commands, state.failures) == (("OtherCommand", "ProbeCommand"), 3)
    assert state.paused_until
    assert (state.pin, state.halted, state.adopted) == (None, None, None)


def test_the_relays_own_documents_are_read() -> None:
    assert rm.get_tick(fields("tick")).sequence == 2
    assert rm.get_config(fields("config")).data == b"{}"


@pytest.mark.parametrize("name", LIVE)
def test_a_live_message_is_written_as_before(name: str) -> None:
    """Nothing that the release before reads is missing or of another type."""
    now = written(rm.put_live, owned(live(name)))
    assert now.pop("Balde") == {"stringValue": bucket_of("acme")}
    assert now == before(name)


def test_history_log_state_tick_and_configuration_are_written_as_before() -> None:
    assert written(rm.put_history, rm.get_history("D-m-1", fields("history"))) == before("history")
    assert written(rm.put_tenant, rm.get_tenant(fields("tenant"))) == before("tenant")
    assert written(rm.put_tick, rm.get_tick(fields("tick"))) == before("tick")
    assert written(rm.put_config, rm.get_config(fields("config"))) == before("config")
    line = written(rm.put_log, ("a" * 32, rm.get_log(fields("log"))))
    assert line == before("log")


def test_a_dispatch_travels_between_the_releases() -> None:
    """Read whole, and written as before: a consumer of before can run it."""
    message = before("dispatch")
    dispatch = decode_dispatch(json.dumps(message["data"]).encode())
    assert [it.message.attempt for it in dispatch.messages] == [0, 1]
    assert (dispatch.policy.attempts, str(dispatch.policy.interval)) == (5, "2.5")
    envelope = encode_dispatch(dispatch)
    assert json.loads(envelope.data) == message["data"]
    assert envelope.attributes == message["attributes"]


def test_a_shard_travels_between_the_releases() -> None:
    """One of before says nothing of its catalogue; one of now has all that one of before had."""
    message = before("shard")
    shard = decode_shard(json.dumps(message["data"]).encode())
    assert (shard.catalog, shard.others) == ("", frozenset())
    assert shard.quota == {"acme": {"ProbeCommand": 3}}
    envelope = shard.encode()
    assert json.loads(envelope.data).items() >= message["data"].items()
    assert envelope.attributes == message["attributes"]
