"""Dollars a month: ours by the project's prices, the peers' by the least that always runs.

Ours is what `python -m infra.deploy.costs` says, for 50 tenants. Of the peers only the database is
priced: a Cloud SQL of the Enterprise edition without a standby, the smallest with a core of its
own. Their machine, Redis, storage, backups and logs come on top: no price of these was looked up.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from infra.deploy.costs import idle_tenants, million_messages, read
from tests.bench.life.load import TENANTS

MILLIONS = (0.1, 1, 10)  # messages a month, all tenants together
# https://cloud.google.com/sql/pricing, us-central1, as https://www.usage.ai/blogs/gcp/cloud-sql/pricing/
# quoted it in May 2026.
VCPU_HOUR, GB_HOUR = 0.0413, 0.007
VCPUS, GB, HOURS = 1, 3.75, 730


def peers_database() -> float:
    """What Cloud SQL takes a month, whatever comes."""
    return HOURS * (VCPUS * VCPU_HOUR + GB * GB_HOUR)


def dollars(document: Mapping[str, Any] | None = None) -> Sequence[Mapping[str, float]]:
    """A month's bill by the millions of messages, each with a reply."""
    prices = document or read()
    million = sum(it.cost for it in million_messages(prices))
    idle = sum(it.cost for it in idle_tenants(prices)) * len(TENANTS) / 1_000
    return [
        {
            "millions": it,
            "ours": round(idle + it * million, 2),
            "peersAtLeast": round(peers_database(), 2),
        }
        for it in MILLIONS
    ]
