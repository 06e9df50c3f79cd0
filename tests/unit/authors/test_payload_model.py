"""`Payload`: a model that finds its fields in any casing."""

import pytest
from pydantic import Field, ValidationError

from smartlink.consumer import Payload


class Inner(Payload):
    userName: str  # noqa: N815  (as the app writes it)


class Request(Payload):
    requestID: str  # noqa: N815
    verify: bool = Field(default=False, alias="toVerify")
    people: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("body", "request_id", "verify"),
    [
        ({"requestID": "r"}, "r", False),
        ({"requestid": "r", "toverify": True}, "r", True),
        ({"REQUESTID": "r", "TOVERIFY": True}, "r", True),
        ({"RequestId": "r", "ToVerify": True, "Unknown": {"a": 1}}, "r", True),
        ({"requestID": "r", "REQUESTID": "other", "requestid": "third"}, "r", False),
        ({"REQUESTID": "other", "requestID": "r"}, "r", False),  # the exact name wins
    ],
)
def test_any_casing(body: dict[str, object], request_id: str, *, verify: bool) -> None:
    """Senders disagree on casing; what they add does not matter."""
    request = Request.model_validate(body)
    assert (request.requestID, request.verify) == (request_id, verify)


def test_nested_models_too() -> None:
    """As deep as the models go."""
    request = Request.model_validate({"REQUESTID": "r", "People": [{"USERNAME": "ana"}]})
    assert [person.userName for person in request.people] == ["ana"]


class Renamed(Payload):
    verify: bool = Field(default=False, validation_alias="toVerify")


class Open(Payload, extra="allow"):
    verify: bool = False


def test_pydantics_own_means_still_work() -> None:
    """No field is lost to the casing: neither one with a `validation_alias` nor an extra one."""
    assert Renamed.model_validate({"toVerify": True}).verify
    assert Open.model_validate({"VERIFY": True, "More": 1}).model_dump() == {
        "verify": True,
        "More": 1,
    }


def test_authors_may_use_a_fields_own_name() -> None:
    """In their tests they build it as any model."""
    assert Request(requestID="r", verify=True).verify  # type: ignore[call-arg]


@pytest.mark.parametrize("body", [None, 7, "text", [1], [["requestID", "r"]], {}, {7: "r"}])
def test_what_does_not_fit_is_an_error(body: object) -> None:
    """A body of another kind is pydantic's error, no surprise."""
    with pytest.raises(ValidationError):
        Request.model_validate(body)
