"""How large a run is, and the timings that make its recoveries short enough to wait for."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.functions import load_catalog
from infra.local.rest import Json
from smartlink.domain.catalog import Catalog, Command
from smartlink.settings import MIN_SECONDS_TO_SETTLE

COMMANDS = ("ChaosCommand", "ChaosOtherCommand")
UNKNOWN = "NobodysCommand"
ATTEMPTS = 5
_CALL_SECONDS, _MESSAGE_SECONDS = 20, 5
_HURRIED_CALL_SECONDS, _HURRIED_MESSAGE_SECONDS = 17, 2
_MARGIN_SECONDS, _HURRIED_MARGIN_SECONDS = 30, 5  # settings.LEASE_MARGIN, and as in hurried.py
_WAIT_SECONDS, _HURRIED_WAIT_SECONDS = 1.5, 0.6  # after the first failed attempt


@dataclass(frozen=True, kw_only=True)
class Scale:
    """A run. Without `hurried` the functions are those of the checkout, byte for byte."""

    messages: int = 5_000
    tenants: int = 4
    seed: int = 0
    seconds: float = 90  # of faults, under load
    patience: float = 600  # seconds for the system to settle once the faults are off
    hurried: bool = False
    """Cuts down the leases and pauses that no setting shortens: see `hurried.py`."""

    @property
    def tenant_names(self) -> list[str]:
        """Name the tenants."""
        return [f"tenant-{number}" for number in range(1, self.tenants + 1)]

    @property
    def call_seconds(self) -> int:
        """The time-out of a call of `consume`."""
        return _HURRIED_CALL_SECONDS if self.hurried else _CALL_SECONDS

    @property
    def message_seconds(self) -> int:
        """The time-out of one message."""
        return _HURRIED_MESSAGE_SECONDS if self.hurried else _MESSAGE_SECONDS

    @property
    def lease_seconds(self) -> int:
        """How long a claim holds."""
        margin = _HURRIED_MARGIN_SECONDS if self.hurried else _MARGIN_SECONDS
        return self.call_seconds + margin

    @property
    def lease_left(self) -> float:
        """How much of it is left, at least, when the last message of a call starts."""
        return self.lease_seconds - (
            self.call_seconds - MIN_SECONDS_TO_SETTLE - self.message_seconds
        )

    @property
    def catalog(self) -> Catalog:
        """Make the catalogue: two commands, so that two functions consume."""
        functions = load_catalog().functions
        consume = functions.consume.model_copy(update={"timeout": self.call_seconds})
        shard = functions.poll_shard.model_copy(update={"timeout": 15})
        return Catalog(
            functions=functions.model_copy(update={"consume": consume, "poll_shard": shard}),
            commands={
                name: Command(
                    module="consumers.chaos", topic=f"chaos-{number}", timeout=self.message_seconds
                )
                for number, name in enumerate(COMMANDS, 1)
            },
        )

    @property
    def environment(self) -> Mapping[str, str]:
        """Set the functions' timings: everything that waits waits for seconds."""
        settings = {
            "GRACE_SECONDS": 5,
            "POLL_SECONDS": 5,
            "SHARD_TENANTS": max(1, self.tenants // 2),  # poll has one shard, poll_shard the other
            "DISPATCH_BATCH": 25,  # smaller batches: more claims, more settlements, more to hit
            "RECEIVE_BATCH": 50,
            "RECEIVERS": 2,
            "STATE_REFRESH_SECONDS": 5,
            "CONNECT_SECONDS": 1,
            "READ_SECONDS": 3,
        }
        return {f"SMARTLINK_{name}": str(value) for name, value in settings.items()}

    @property
    def config(self) -> Json:
        """Write RM's retry parameters, so that the formula's unit is a second or so."""
        wait = _HURRIED_WAIT_SECONDS if self.hurried else _WAIT_SECONDS
        info = {
            "QtdeTentativasExec": ATTEMPTS,
            "FatorTempoExecucao": 1,
            "MinutesInterval": round(wait / 60 / ATTEMPTS, 6),
        }
        return {"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": info}}

    def __str__(self) -> str:
        """Write it as arguments of the command that repeats it."""
        given = {"messages": self.messages, "tenants": self.tenants, "seed": self.seed}
        text = " ".join(f"--{name} {value}" for name, value in given.items())
        return f"{text} --seconds {self.seconds:g}{' --hurried' if self.hurried else ''}"

    def write(self) -> str:
        """Write it for the folder of logs."""
        return json.dumps(self.__dict__, indent=2) + "\n"
