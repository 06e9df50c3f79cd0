"""Checks that the functions' maxima fit the project's quota in the region.

Cloud Run refuses a service whose maximum of instances would use more CPUs than the region's quota
allows. So a plan that cannot be applied is refused before anything is made.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

from infra.deploy.cloud import Answer, Cloud
from infra.deploy.errors import NotReadyError
from infra.deploy.target import Target

_OK = 200
_LIMIT = "CpuAllocPerProjectRegion"  # in thousandths of a CPU
_MILLI = 1000


def check_quota(
    target: Target, cloud: Cloud, planned: Mapping[str, Any], say: Callable[[str], None]
) -> None:
    """Compare the sum of the planned maxima with the region's quota of CPUs.

    If Google does not tell the quota, as before the Cloud Run API is enabled, it says so. Raises
    NotReadyError if the quota is too low.
    """
    wanted = cpus(planned)
    url = (
        f"https://serviceusage.googleapis.com/v1beta1/projects/{target.project}/services/"
        "run.googleapis.com/consumerQuotaMetrics?view=FULL&pageSize=200"
    )
    allowed = _allowed(cloud.get(url), target.region)
    if allowed is None:
        say(
            f"Not known: whether {target.project} may use {wanted} CPUs of Cloud Run in "
            f"{target.region}, the sum of all maxima. Google did not tell its quota."
        )
    elif wanted > allowed:
        problem = (
            f"The functions may use {wanted} CPUs together, and the quota {_LIMIT} of "
            f"{target.project} in {target.region} is {allowed:g}: lower `instances` in "
            f"environments/{target.environment}.tfvars or `maxInstances` in infra/catalog.json, "
            f"or ask Google for more (IAM & Admin, Quotas) and raise `cpus`."
        )
        raise NotReadyError([problem])


def cpus(planned: Mapping[str, Any]) -> int:
    """Return how many CPUs all functions together may use at once."""
    configs = [
        values["service_config"][0]
        for address, values in planned.items()
        if address.startswith("google_cloudfunctions2_function.")
    ]
    return sum(int(it["max_instance_count"]) * int(it["available_cpu"]) for it in configs)


def _allowed(answer: Answer, region: str) -> float | None:
    if answer.status != _OK:
        return None
    for metric in answer.body.get("metrics", ()):
        for limit in metric.get("consumerQuotaLimits", ()):
            if str(limit.get("name", "")).endswith(_LIMIT) or limit.get("metric", "").endswith(
                "/cpu_allocation"
            ):
                return _bucket(limit.get("quotaBuckets", ()), region)
    return None


def _bucket(buckets: Any, region: str) -> float | None:  # noqa: ANN401  (Google's JSON)
    """Return the limit of the region in CPUs, or else the limit for all regions; None if
    unknown."""
    found = {
        bucket.get("dimensions", {}).get("region"): bucket.get("effectiveLimit")
        for bucket in buckets
    }
    limit = found.get(region, found.get(None))
    if limit is None:
        return None
    return math.inf if int(limit) < 0 else int(limit) / _MILLI  # -1: no limit
