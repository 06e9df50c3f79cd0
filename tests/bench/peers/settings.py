"""What a peer's processes read from the environment, once, where they start."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Credentials:
    """What RAC wants of a tenant."""

    client_id: str
    client_secret: str = field(repr=False)


@dataclass(frozen=True)
class Settings:
    """Where everything is."""

    database: str  # a connection string of libpq's
    redis: str
    base_url: str
    token_url: str
    tenants: Mapping[str, Credentials]
    retry_minutes: float  # RM's MinutesInterval
    sweep_seconds: float  # how often what is due is looked for
    concurrency: int  # tasks at once in each worker process
    at_once: bool  # a reply's task is enqueued with the reply; else the bench says when


def load_settings(environ: Mapping[str, str] = os.environ) -> Settings:
    """Read them; a KeyError names what is missing."""
    tenants = json.loads(environ["BENCH_TENANTS"])
    return Settings(
        database=environ["BENCH_DATABASE"],
        redis=environ["BENCH_REDIS"],
        base_url=environ["SMARTLINK_BASE_URL"],
        token_url=environ["SMARTLINK_RAC_TOKEN_URL"],
        tenants={name: Credentials(*its) for name, its in tenants.items()},
        retry_minutes=float(environ["BENCH_RETRY_MINUTES"]),
        sweep_seconds=float(environ["BENCH_SWEEP_SECONDS"]),
        concurrency=int(environ["BENCH_CONCURRENCY"]),
        at_once=bool(environ["BENCH_AT_ONCE"]),
    )
