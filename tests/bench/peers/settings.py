"""What a peer's processes read from the environment, once, where they start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

CONCURRENCY = 8
"""Tasks at once in each worker process of Procrastinate."""


@dataclass(frozen=True)
class Settings:
    """Where everything is."""

    database: str  # a connection string of libpq's
    redis: str
    base_url: str
    token_url: str
    client_id: str
    client_secret: str
    retry_minutes: float  # RM's MinutesInterval
    sweep_seconds: float  # how often what is due is looked for


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read them; a KeyError names what is missing."""
    return Settings(
        database=environ["BENCH_DATABASE"],
        redis=environ["BENCH_REDIS"],
        base_url=environ["SMARTLINK_BASE_URL"],
        token_url=environ["SMARTLINK_RAC_TOKEN_URL"],
        client_id=environ["BENCH_CLIENT_ID"],
        client_secret=environ["BENCH_CLIENT_SECRET"],
        retry_minutes=float(environ["BENCH_RETRY_MINUTES"]),
        sweep_seconds=float(environ["BENCH_SWEEP_SECONDS"]),
    )
