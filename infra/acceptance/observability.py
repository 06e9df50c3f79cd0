"""Probes of Cloud Logging and Cloud Monitoring: what is written is counted, and alerts see it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from infra.acceptance.place import Place
from infra.acceptance.probe import need, probe

_CLOUD = "there are no emulators of Cloud Logging and Cloud Monitoring"
_RECENT = timedelta(minutes=10)

METRICS = (
    "call_duration",
    "config_invalid",
    "dead",
    "done",
    "duplicates",
    "duration",
    "executions",
    "jobs_failed",
    "oldest_due",
    "overdue_runs",
    "poll_duration",
    "polls",
    "published",
    "received",
    "retried",
    "scheduler_errors",
    "sent",
    "tenant_paused",
    "tenant_refused",
    "tenants_overdue",
    "unreadable",
)
"""The metrics of terraform/monitoring_metrics.tf. A test compares."""

ALERTS = (
    "A tenant is paused",
    "A tenant's secret cannot be used",
    "An operator's job failed",
    "Dead messages",
    "Documents cannot be read",
    "Messages are overdue",
    "dead-letter topic is not empty",
    "no successful poll for 5 minutes",
    "too many errors",
    "totvsAppConfig_v2.json cannot be used",
)
"""The titles of terraform/monitoring_alerts.tf. A test compares."""

FIELDS: Mapping[str, tuple[type, ...]] = {
    "action": (str,),
    "seconds": (int, float),
    "shardsLost": (int, float),
    "tenants": (int, float),
}
"""What metrics, alerts and the log queries read of the line `poll_done`."""


def _since() -> str:
    return f"{datetime.now(UTC) - _RECENT:%Y-%m-%dT%H:%M:%SZ}"


def _project(place: Place) -> str:
    return f"projects/{place.settings.project}"


@probe(
    "logging-fields",
    assumes="A line of JSON on stdout becomes an entry with its fields in jsonPayload, its "
    "severity, and the function's name as a label of the resource cloud_run_revision.",
    relied="Each metric, alert and log query filters on these (terraform/monitoring_metrics.tf).",
    expected="a line poll_done of the last 10 minutes in the bucket smartlink, with its fields",
    cloud_only=_CLOUD,
)
def fields(place: Place) -> str:
    """Read the newest line poll_done from the functions' own log bucket."""
    view = f"{_project(place)}/locations/{place.region}/buckets/smartlink/views/_AllLogs"
    request = {
        "resourceNames": [view],
        "filter": f'jsonPayload.action="poll_done" AND timestamp>="{_since()}"',
        "orderBy": "timestamp desc",
        "pageSize": 1,
    }
    answer = place.call("logging", "POST", "/v2/entries:list", request)
    entries = answer.needed("read the logs").get("entries", [])
    need("no line poll_done in 10 minutes", holds=bool(entries))
    entry = entries[0]
    payload, resource = entry.get("jsonPayload", {}), entry["resource"]
    odd = [name for name, kinds in FIELDS.items() if not isinstance(payload.get(name), kinds)]
    seen = (
        f"{resource['type']} of {resource['labels'].get('service_name')}, "
        f"severity {entry.get('severity')}, fields missing: {', '.join(odd) or 'none'}"
    )
    holds = (
        not odd
        and resource["type"] == "cloud_run_revision"
        and str(resource["labels"].get("service_name")).startswith("smartlink-poll")
        and entry.get("severity") in ("INFO", "ERROR")
    )
    need(seen, holds=holds)
    return seen


@probe(
    "logging-bucket",
    assumes="A sink keeps the functions' lines in the bucket smartlink, and an exclusion keeps "
    "them out of _Default.",
    relied="Lines are kept, and paid, once, for as long as retention.logs says "
    "(terraform/monitoring_logs.tf).",
    expected="the sink and the exclusion exist, and neither is disabled",
    cloud_only=_CLOUD,
)
def bucket(place: Place) -> str:
    """Read the sink and the exclusion."""
    sink = place.call("logging", "GET", f"/v2/{_project(place)}/sinks/smartlink")
    found = sink.needed("read the sink")
    name = "smartlink-has-its-own-bucket"
    exclusion = place.call("logging", "GET", f"/v2/{_project(place)}/exclusions/{name}")
    excluded = exclusion.needed("read the exclusion")
    into = str(found["destination"]).endswith("/buckets/smartlink")
    off = [it["name"] for it in (found, excluded) if it.get("disabled")]
    seen = f"into {found['destination']}, disabled: {', '.join(off) or 'none'}"
    need(seen, holds=into and not off)
    return seen


@probe(
    "logging-metrics",
    assumes="A metric counts the lines that its filter names, and can be queried as "
    "logging.googleapis.com/user/NAME.",
    relied="Dashboard and alerts (terraform/monitoring_metrics.tf).",
    expected="every metric exists, and polls were counted within 10 minutes",
    cloud_only=_CLOUD,
)
def metrics(place: Place) -> str:
    """List the metrics, and read the newest points of the one that grows each minute."""
    path = f"/v2/{_project(place)}/metrics"
    found = {it["name"] for it in place.listed("logging", path, "metrics", pageSize="1000")}
    missing = [name for name in METRICS if f"smartlink/{name}" not in found]
    need(f"missing: {', '.join(missing)}", holds=not missing)
    query = {
        "filter": 'metric.type="logging.googleapis.com/user/smartlink/polls" AND '
        'resource.type="cloud_run_revision"',
        "interval.startTime": _since(),
        "interval.endTime": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
    }
    path = f"/v3/{_project(place)}/timeSeries"
    answer = place.calls.call("monitoring", "GET", path, query=query)
    series = answer.needed("read smartlink/polls").get("timeSeries", [])
    polls = sum(int(point["value"].get("int64Value", 0)) for it in series for point in it["points"])
    need("all there, but no poll was counted in 10 minutes", holds=polls > 0)
    return f"{len(METRICS)} metrics; {polls} polls in 10 minutes"


@probe(
    "monitoring-alerts",
    assumes="An alert policy on a log-based metric stays as it was made, and is enabled.",
    relied="Operators are told (terraform/monitoring_alerts.tf).",
    expected="every alert exists and is enabled",
    cloud_only=_CLOUD,
)
def alerts(place: Place) -> str:
    """List the alert policies."""
    path = f"/v3/{_project(place)}/alertPolicies"
    found: dict[str, Any] = {
        it["displayName"].removeprefix("Smart Link: "): it
        for it in place.listed("monitoring", path, "alertPolicies", pageSize="500")
    }
    missing = [title for title in ALERTS if not found.get(title, {}).get("enabled", False)]
    need(f"missing or disabled: {'; '.join(missing)}", holds=not missing)
    silent = sum(not found[title].get("notificationChannels") for title in ALERTS)
    return f"{len(ALERTS)} enabled" + (f", {silent} tell nobody" if silent else "")


@probe(
    "monitoring-dashboard",
    assumes="The dashboard is stored as it was made.",
    relied="Operators see what goes on (terraform/monitoring_dashboard.tf).",
    expected="a dashboard “Smart Link (ENVIRONMENT)” with tiles",
    cloud_only=_CLOUD,
)
def dashboard(place: Place) -> str:
    """List the dashboards."""
    path = f"/v1/{_project(place)}/dashboards"
    title = f"Smart Link ({place.settings.environment})"
    found = [
        it for it in place.listed("monitoring", path, "dashboards") if it["displayName"] == title
    ]
    tiles = [len(it.get("mosaicLayout", {}).get("tiles", ())) for it in found]
    seen = f"{len(found)} of that name, tiles: {tiles}"
    need(seen, holds=len(found) == 1 and tiles[0] > 0)
    return seen


PROBES = (fields, bucket, metrics, alerts, dashboard)
