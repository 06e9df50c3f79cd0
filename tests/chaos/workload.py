"""The messages of a run: mostly plain ones, and some of every kind that may end otherwise."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.scale import ATTEMPTS, COMMANDS, UNKNOWN, Scale

_LARGE = 300_000  # characters: such a content goes to the bucket
_TWICE = 0.02  # share of the messages that their sender offers twice


@dataclass(frozen=True, slots=True)
class Offer:
    """A message as it is offered, and how it has to end."""

    tenant: str
    id: str
    command: str
    content: str = field(repr=False)
    replies: int  # 0 too if it has to die
    dies: bool
    times: int  # how often it is offered

    def wire(self) -> dict[str, str]:
        """Write it for the simulator."""
        return {"id": self.id, "type": self.command, "content": self.content}


_KINDS: tuple[tuple[float, Callable[[random.Random], dict[str, Any]]], ...] = (
    (0.775, lambda _: {}),
    (0.04, lambda _: {"replies": 2}),
    (0.02, lambda _: {"replies": 0}),
    (0.04, lambda dice: {"failures": dice.randint(1, 2)}),
    (0.1, lambda dice: {"seconds": dice.uniform(0.05, 0.4)}),
    (0.01, lambda _: {"fatal": True}),
    (0.005, lambda _: {"failures": ATTEMPTS}),
    (0.005, lambda _: {"unknown": True}),
    (0.003, lambda _: {"large": True}),
    (0.002, lambda _: {"overdue": True}),
)


def offers(scale: Scale) -> list[Offer]:
    """Draw the messages; each kind occurs at least once."""
    dice = random.Random(f"messages {scale.seed}")
    kinds = [kind for _, kind in _KINDS]
    weights = [weight for weight, _ in _KINDS]
    drawn = [*kinds, *dice.choices(kinds, weights, k=max(0, scale.messages - len(kinds)))]
    dice.shuffle(drawn)
    return [_offer(scale, dice, number, kind(dice)) for number, kind in enumerate(drawn)]


def _offer(scale: Scale, dice: random.Random, number: int, says: dict[str, Any]) -> Offer:
    # Each id is that of two tenants' messages: whoever mixed tenants up would mix these up.
    pair, which = divmod(number, min(2, scale.tenants))
    tenant = random.Random(f"{scale.seed} {pair}").sample(scale.tenant_names, k=which + 1)[which]
    identity = f"{scale.seed}/{pair} é"
    unknown, large = says.pop("unknown", False), says.pop("large", False)
    command = UNKNOWN if unknown else dice.choice(COMMANDS)
    request = {"requestID": f"{tenant} {identity}", **says}
    if large:
        request["padding"] = "x" * _LARGE
    dies = unknown or says.get("fatal", False) or says.get("failures", 0) >= ATTEMPTS
    return Offer(
        tenant=tenant,
        id=identity,
        command=command,
        content=json.dumps({"header": {"type": command, "tenantId": tenant}, "content": request}),
        replies=0 if dies else says.get("replies", 1),
        dies=dies,
        times=2 if dice.random() < _TWICE else 1,
    )
