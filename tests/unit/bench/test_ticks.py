"""Ticks call until the block ends, and no error of a call is lost."""

import threading

import pytest

from tests.bench.ticks import Ticks


def test_it_calls_until_the_block_ends_and_says_when() -> None:
    thrice, calls = threading.Event(), []

    def call() -> None:
        calls.append(1)
        if len(calls) == 3:
            thrice.set()

    with Ticks(call, 0) as ticks:
        assert thrice.wait(60)
    assert len(ticks.began) == len(calls) >= 3
    assert ticks.began == sorted(ticks.began)


def test_an_error_is_raised_when_the_block_ends() -> None:
    called = threading.Event()

    def call() -> None:
        called.set()
        raise ValueError("a tick failed")

    with pytest.raises(ValueError, match="a tick failed"), Ticks(call, 0) as ticks:
        assert called.wait(60)
    assert len(ticks.began) == 1
