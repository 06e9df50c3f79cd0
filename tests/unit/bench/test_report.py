"""What the bench makes of its figures."""

import json

from tests.bench.ledger import Place
from tests.bench.report import Comparison, percentile
from tests.bench.workload import SIZE, offers


def comparison(goal: float) -> Comparison:
    rates = {"ours": [100.0, 400.0, 90.0], "other": [50.0, 100.0, 30.0]}
    return Comparison("a race", 10, rates, {"other": goal})


def test_a_ratio_is_that_of_the_same_round() -> None:
    """A machine that is busy in one round slows both: the ratio stays."""
    assert comparison(3).ratios("other") == [2, 4, 3]


def test_the_median_ratio_is_held_against_the_goal() -> None:
    assert comparison(3).met("other") is True
    assert comparison(3.01).met("other") is False
    assert Comparison("a race", 1, {"ours": [1.0], "other": [1.0]}).met("other") is None


def test_the_results_are_json_with_every_round() -> None:
    document = json.loads(json.dumps(comparison(3).json()))
    assert document["messagesPerSecond"]["ours"] == {"median": 100, "rounds": [100, 400, 90]}
    assert document["oursInTimesOf"]["other"] == {
        "median": 3,
        "rounds": [2, 4, 3],
        "expected": 3,
        "met": True,
    }


def test_every_message_has_two_kilobytes_and_an_id_of_its_own() -> None:
    made = offers(3)
    assert [len(offer.content.encode()) for offer in made] == [SIZE] * 3
    assert len({offer.id for offer in made}) == 3
    assert all(json.loads(it.content)["content"]["requestID"] == it.id for it in made)


def test_a_place_tells_messages_from_replies_in_one_collection() -> None:
    names = dict.fromkeys(["D-1", "U-D-1%2Freply%2F1"])
    assert list(Place("live", "D-").ids(names)) == ["1"]  # type: ignore[arg-type]
    assert list(Place("live", "U-D-", "%2Freply%2F1").ids(names)) == ["1"]  # type: ignore[arg-type]


def test_a_percentile_is_a_value_that_so_many_do_not_exceed() -> None:
    hundred = list(range(100, 0, -1))
    assert [percentile(hundred, share) for share in (0.5, 0.99, 1)] == [50, 99, 100]
    assert percentile([3, 1, 2], 0.5) == 2
