"""Replays an exported message on a developer's machine."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NoReturn

from smartlink.consumer import Consumer, Context, Returned
from smartlink.domain.retry import RetryPolicy
from smartlink.operations.export import Exported, message_of
from smartlink.ports import Clock, ErpSecrets
from smartlink.testing.delivered import Delivered
from smartlink.testing.place import Place


class _StopError(BaseException):
    """The run asked for an effect that a replay does not run. No `except Exception` catches it."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """How a replay went."""

    delivered: Delivered
    stopped: bool  # it asked `once` for an effect, which was not run, so it ended there


def replay(
    exported: Exported,
    consumer: Consumer,
    erp: ErpSecrets,
    clock: Clock,
    *,
    effects: bool,
    secrets: Collection[str] = (),
) -> Replayed:
    """Runs the next attempt of the message, as if it were the last that the policy allows.

    What the consumer does in its ERP is really done. What it does by `once` is done only with
    `effects`: it is not known here whether it was done before. Without, the run ends there.
    """
    attempt = exported.attempt + 1
    claimed = replace(message_of(exported), attempt=attempt, undone=True)
    policy = RetryPolicy(attempts=attempt)
    place = Place(tenant=exported.tenant, erp=erp, clock=clock, policy=policy, secrets=secrets)
    asked: list[str] = []

    def stop(key: str, _effect: Callable[[], object]) -> NoReturn:
        asked.append(key)
        raise _StopError

    def run(
        function: Callable[[Any, Context], Returned], payload: object, context: Context
    ) -> Returned:
        return function(payload, replace(context, once=stop))

    held = consumer if effects else replace(consumer, function=partial(run, consumer.function))
    return Replayed(place.delivered(claimed, place.run(held, claimed)), bool(asked))
