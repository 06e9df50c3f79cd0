"""The adapters' twins in memory. They keep the same promises and pass the same contract suite."""

from smartlink.adapters.in_memory.broker import InMemoryBroker, InMemoryTokens, Sent
from smartlink.adapters.in_memory.cloud import (
    InMemoryConfig,
    InMemoryContents,
    InMemoryPublisher,
    InMemorySecrets,
    at_once,
)
from smartlink.adapters.in_memory.effects import InMemoryEffects
from smartlink.adapters.in_memory.faults import Faults
from smartlink.adapters.in_memory.jobs import InMemoryJobs
from smartlink.adapters.in_memory.store import InMemoryMessages

__all__ = [
    "Faults",
    "InMemoryBroker",
    "InMemoryConfig",
    "InMemoryContents",
    "InMemoryEffects",
    "InMemoryJobs",
    "InMemoryMessages",
    "InMemoryPublisher",
    "InMemorySecrets",
    "InMemoryTokens",
    "Sent",
    "at_once",
]
