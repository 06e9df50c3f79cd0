"""A client whose call got no answer is followed by a new one; who still uses it is not harmed."""

from collections.abc import Iterator
from itertools import count

import pytest
from google.api_core import exceptions

from smartlink.adapters.google.grpc_channel import Reconnecting


class Client:
    def __init__(self, number: int) -> None:
        self.number = number
        self.closed = 0

    @property
    def transport(self) -> "Client":
        return self

    def close(self) -> None:
        self.closed += 1


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def reconnecting(clock: Clock) -> Reconnecting[Client]:
    numbers = count(1)
    return Reconnecting(lambda: Client(next(numbers)), clock)


def test_a_client_stays_while_its_calls_are_answered(reconnecting: Reconnecting[Client]) -> None:
    with reconnecting.client() as first:
        pass
    with reconnecting.client() as second:
        assert second is first
    assert not first.closed


@pytest.mark.parametrize("error", [exceptions.ServiceUnavailable, exceptions.NotFound, ValueError])
def test_an_answer_that_is_an_error_is_an_answer(
    reconnecting: Reconnecting[Client], error: type[Exception]
) -> None:
    """And of a broken connection gRPC knows by itself."""
    with pytest.raises(error), reconnecting.client() as first:
        raise error("")
    with reconnecting.client() as second:
        assert second is first
    assert not first.closed


def test_after_silence_there_is_a_new_client(reconnecting: Reconnecting[Client]) -> None:
    """And the old one, on which nothing runs, is closed."""
    with pytest.raises(exceptions.DeadlineExceeded), reconnecting.client() as first:
        raise exceptions.DeadlineExceeded("")
    with reconnecting.client() as second:
        assert second.number == 2
    assert (first.closed, second.closed) == (1, 0)


def test_a_call_that_runs_on_the_old_client_may_end_there(
    reconnecting: Reconnecting[Client],
) -> None:
    """Another thread's, say, that Firestore still answers. With the last such call it is closed."""
    with reconnecting.client() as first, reconnecting.client() as same:
        assert same is first
        with pytest.raises(exceptions.DeadlineExceeded), reconnecting.client():
            raise exceptions.DeadlineExceeded("")
        assert not first.closed
        with reconnecting.client() as second:
            assert second is not first
    assert (first.closed, second.closed) == (1, 0)


def test_however_many_calls_fail_one_new_client_is_made(reconnecting: Reconnecting[Client]) -> None:
    """A slow server is not stormed with connections."""
    calls = [reconnecting.client() for _ in range(5)]
    clients = [it.__enter__() for it in calls]
    for call in calls:
        error = exceptions.DeadlineExceeded("")
        assert not call.__exit__(type(error), error, None)
    assert {client.number for client in clients} == {1}
    assert clients[0].closed == 1
    with reconnecting.client() as second:
        assert second.number == 2


def test_after_a_long_sleep_there_is_a_new_client(
    reconnecting: Reconnecting[Client], clock: Clock
) -> None:
    """What came from one minute's poll to the next is no sleep."""
    clock.now += 70
    with reconnecting.client() as first:
        clock.now += 70
    clock.now += 70
    with reconnecting.client() as second:
        assert second is first
    clock.now += 130
    with reconnecting.client() as third:
        assert third.number == 2
    assert (first.closed, third.closed) == (1, 0)


def test_a_client_on_which_a_call_runs_is_not_idle(
    reconnecting: Reconnecting[Client], clock: Clock
) -> None:
    with reconnecting.client() as first:
        clock.now += 130
        with reconnecting.client() as second:
            assert second is first
    assert not first.closed


def test_where_no_new_client_can_be_made_the_old_one_stays() -> None:
    """As when its certificate cannot be read: the next call tries again."""
    made: Iterator[Client | OSError] = iter([Client(1), OSError(), Client(2)])

    def make() -> Client:
        one = next(made)
        if isinstance(one, OSError):
            raise one
        return one

    reconnecting = Reconnecting(make)
    for error in (OSError, exceptions.DeadlineExceeded):
        with pytest.raises(error), reconnecting.client() as first:
            raise exceptions.DeadlineExceeded("")
        assert first.number == 1
    with reconnecting.client() as second:
        assert second.number == 2
    assert first.closed == 1
