"""Probes of Cloud Scheduler: the job that calls `poll` each minute."""

from datetime import UTC, datetime, timedelta
from typing import Any

from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe

_SERVICE = "cloudscheduler"
_CLOUD = "there is no emulator of Cloud Scheduler"
_RECENT = timedelta(minutes=5)
_NANOSECONDS = 9  # digits, of which Python reads six


def _job(place: Place) -> Any:  # noqa: ANN401  (JSON)
    parent = f"/v1/projects/{place.settings.project}/locations/{place.region}"
    answer = place.call(_SERVICE, "GET", f"{parent}/jobs/smartlink-poll")
    return answer.needed("read the job smartlink-poll")


@probe(
    "scheduler-identity",
    assumes="Scheduler's call reaches a function with internal ingress, signed in as the job's "
    "account, with the function's URL as audience.",
    relied="Nothing is polled without it (terraform/scheduler.tf).",
    expected="URI and audience are poll's URL, the account is its only invoker",
    cloud_only=_CLOUD,
)
def identity(place: Place) -> str:
    """Compare the job with the function and with who may call that."""
    target, url = _job(place)["httpTarget"], place.function("poll")["serviceConfig"]["uri"]
    token = target.get("oidcToken", {})
    # Scheduler writes a root path behind the host.
    found = (target["uri"].rstrip("/"), token.get("audience", "").rstrip("/"))
    need(f"URI and audience {found}, the URL {url}", holds=found == (url, url))
    name = place.function("poll")["name"].rpartition("/")[2]
    service = f"/v2/projects/{place.settings.project}/locations/{place.region}/services/{name}"
    callers = place.members("run", service, "roles/run.invoker")
    account = f"serviceAccount:{token.get('serviceAccountEmail')}"
    need(f"called by {sorted(callers)}, not {account}", holds=callers == {account})
    return f"{target.get('httpMethod', 'POST')} as {token['serviceAccountEmail']}"


@probe(
    "scheduler-deadline",
    assumes="Scheduler waits for an answer as long as the attempt deadline says.",
    relied="It must outlast poll's time-out, or a call that runs would soon have company "
    "(terraform/scheduler.tf).",
    expected="poll's time-out and 30 s",
    cloud_only=_CLOUD,
)
def deadline(place: Place) -> str:
    """Read the job's attempt deadline."""
    found = str(_job(place)["attemptDeadline"])
    timeout = place.settings.catalog.functions.poll.timeout
    seen = f"{found} for a time-out of {timeout} s"
    need(seen, holds=found == f"{timeout + 30}s")
    return seen


@probe(
    "scheduler-last-attempt",
    assumes="The job is called each minute, and its state tells when it was last, and how that "
    "ended.",
    relied="Every tick; the alert on polls that stopped (terraform/monitoring_alerts.tf).",
    expected="ENABLED; the last attempt is at most 5 minutes old and went well",
    cloud_only=_CLOUD,
)
def last_attempt(place: Place) -> str:
    """Read the job's state."""
    job = _job(place)
    text = str(job.get("lastAttemptTime", ""))
    status = job.get("status", {}).get("code", 0)
    seen = f"{job.get('state')}, last attempt {text or 'never'}, status {status}"
    last = datetime.fromisoformat(_to_microseconds(text)) if text else None
    recent = last is not None and datetime.now(UTC) - last <= _RECENT
    need(seen, holds=job.get("state") == "ENABLED" and recent and status == 0)
    return seen


def _to_microseconds(text: str) -> str:
    whole, dot, fraction = text.removesuffix("Z").partition(".")
    return f"{whole}{dot}{fraction.ljust(_NANOSECONDS, '0')[:6] if dot else ''}+00:00"


PROBES = (identity, deadline, last_attempt)
