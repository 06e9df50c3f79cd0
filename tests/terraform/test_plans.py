"""What each environment's plan must hold, and what everything on was made with."""

import json
import re
import sys
from collections import Counter

import pytest

from infra.deploy.quota import cpus
from smartlink.settings import load_settings
from tests.terraform.conftest import Runs, available
from tests.terraform.runs import ENVIRONMENTS, REPO, Copy, Resources

CATALOG = json.loads((REPO / "infra/catalog.json").read_text())
FIRESTORE = json.loads((REPO / "infra/firestore.json").read_text())

# Roles on the whole project, each with the reason why there is nothing narrower.
PROJECT_WIDE = {
    "roles/datastore.user": ("Firestore has no policy of its own", "resource.name == "),
    "roles/secretmanager.secretAccessor": ("secrets come and go", "resource.name.startsWith("),
    "roles/storage.objectViewer": ("Google makes the bucket later", "resource.name.startsWith("),
    "roles/logging.logWriter": ("entries are written to a project", None),
    "smartlinkTenantLister": ("listing is a right on the project", None),
    "smartlinkAuditor": ("Firestore has no policy of its own", "resource.name == "),
}
CUSTOM = {"tenant_lister": "smartlinkTenantLister", "audit": "smartlinkAuditor"}
"""By the grant's name: a plan does not know the id of a role that is not made yet."""
NOT_HERE = {"consume", "console"}
"""The one has an entry for each command; the other is deployed if wanted (tests/*.hcl)."""
PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer", "roles/browser"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_environment_passes_its_own_tests(runs: Runs, name: str) -> None:
    """tests/environments, with the environment's tfvars."""
    assert "1 passed, 0 failed" in runs[name][1]


def test_every_validation_and_optional_part_is_tested(runs: Runs) -> None:
    """As anyone would type `terraform test` after `init`."""
    assert "Success! 13 passed, 0 failed" in runs["test"]


def test_no_primitive_role_and_nobody_anonymous(plan: Resources) -> None:
    """Roles are narrow, and members are known."""
    grants = list(plan.iam)
    assert len(grants) > 30
    for grant in grants:
        assert grant.values["role"] not in PRIMITIVE, grant.address
        assert not re.search(r"admin", str(grant.values["role"]), re.IGNORECASE), grant.address
        assert "all" not in str(grant.values.get("member", ""))[:3], grant.address
    kinds = {grant.type.rsplit("_", 1)[1] for grant in grants}
    assert kinds == {"member"}, "a binding or a policy would throw out what others granted"


def test_a_role_on_the_project_only_where_nothing_is_narrower(plan: Resources) -> None:
    """Each on the list above, with its condition."""
    for grant in plan.of("google_project_iam_member"):
        role = str(grant.values.get("role") or CUSTOM[grant.name]).rsplit("roles/smart", 1)[-1]
        name = next((known for known in PROJECT_WIDE if known.endswith(role)), None)
        assert name, f"{grant.address} grants {role} on the whole project"
        needed = PROJECT_WIDE[name][1]
        conditions = [item["expression"] for item in grant.values["condition"]]
        assert [needed in item for item in conditions] == ([True] if needed else []), grant.address


def test_the_role_that_lists_does_nothing_else(plan: Resources) -> None:
    """Names of secrets, no payload."""
    roles = {role.name: role for role in plan.of("google_project_iam_custom_role")}
    assert roles["tenant_lister"].values["permissions"] == ["secretmanager.secrets.list"]


def test_nobody_is_let_in_who_could_change_the_audit(plan: Resources) -> None:
    """Operators create, get and list its records; every other grant on Firestore names the
    messages' database."""
    roles = {role.name: role for role in plan.of("google_project_iam_custom_role")}
    permissions = roles["audit"].values["permissions"]
    rights = {str(it).rpartition(".")[2] for it in permissions if "entities" in str(it)}
    assert rights == {"create", "get", "list"}
    for grant in plan.of("google_project_iam_member"):
        conditions = [item["expression"] for item in grant.values["condition"]]
        if "datastore" in str(grant.values.get("role")):
            assert not any("smartlink-audit" in it for it in conditions), grant.address
            assert conditions, grant.address


def test_secrets_are_read_by_those_who_need_them(plan: Resources) -> None:
    """Tenants' by the two polls; ERPs' by the consumers that the catalogue marks."""
    readers = {
        (grant.name, grant.key)
        for grant in plan.of("google_project_iam_member")
        if grant.values.get("role") == "roles/secretmanager.secretAccessor"
    }
    erp = {f"consume-{name}" for name, entry in CATALOG["commands"].items() if entry.get("erp")}
    assert readers == {
        ("tenant_secrets", "poll"),
        ("tenant_secrets", "poll_shard"),
        *(("erp_secrets", key) for key in erp),
    }
    for grant in plan.of("google_project_iam_member"):
        if grant.name in ("tenant_secrets", "erp_secrets"):
            kinds = ["tenant"] if grant.name == "tenant_secrets" else ["erp", "titular"]
            starts = (
                rf'resource\.name\.startsWith\("projects/\d+/secrets/smartlink-{kind}-"\)'
                for kind in kinds
            )
            expression = grant.values["condition"][0]["expression"]
            assert re.fullmatch(r" \|\| ".join(starts), expression)


def test_the_functions_know_until_when_copies_live(plan: Resources) -> None:
    """What answers and reports tell is what is set up."""
    # The messages': the audit's database holds no content.
    backup = next(it for it in plan.of("google_firestore_backup_schedule") if it.name == "daily")
    database = next(it for it in plan.of("google_firestore_database") if it.name == "messages")
    contents = next(it for it in plan.of("google_storage_bucket") if it.name == "contents")
    soft = contents.values["soft_delete_policy"][0]["retention_duration_seconds"]
    kept = {
        it.name: it.values["message_retention_duration"]
        for it in plan.of("google_pubsub_subscription")
        if it.key != "poll_shard"
    }
    recovers = database.values["point_in_time_recovery_enablement"].endswith("ENABLED")
    wanted = {
        "SMARTLINK_BACKUP_DAYS": _days(backup.values["retention"]),
        "SMARTLINK_RECOVERY_DAYS": "7" if recovers else "0",
        "SMARTLINK_SOFT_DELETE_DAYS": _days(f"{soft}s"),
        "SMARTLINK_TOPIC_DAYS": _days(kept["push"]),
        "SMARTLINK_DEAD_LETTER_DAYS": _days(kept["dead_letter"]),
    }
    for function in plan.of("google_cloudfunctions2_function"):
        variables = function.values["service_config"][0]["environment_variables"]
        assert {name: variables[name] for name in wanted} == wanted


def _days(seconds: str) -> str:
    whole, rest = divmod(int(seconds.removesuffix("s")), 86_400)
    assert rest == 0
    return str(whole)


def test_only_the_polls_publish_and_a_consumer_to_itself(plan: Resources) -> None:
    """A consumer cannot dispatch to another, and publish to none."""
    consumers = [f"consume-{name}" for name in CATALOG["commands"]]
    topics = ["poll_shard", "operate", *consumers]
    dispatch = [it for it in plan.of("google_pubsub_topic_iam_member") if it.name == "dispatch"]
    assert {it.key for it in dispatch} == {
        *(f"{function}/{topic}" for function in ("poll", "poll_shard") for topic in topics),
        *(f"{consumer}/{consumer}" for consumer in consumers),
    }


def test_of_a_job_operate_reads_and_writes_what_it_must(plan: Resources) -> None:
    """Messages, contents, the configuration, the audit's results, its own topic; no secret."""
    held = {
        (grant.type.removeprefix("google_").removesuffix("_iam_member"), grant.name)
        for grant in plan.iam
        if grant.key == "operate"
        and grant.name not in ("invoker", "pusher", "dead_letter", "audit")
    }
    assert held == {
        ("project", "firestore"),
        ("storage_bucket", "config"),
        ("storage_bucket", "contents"),
        ("pubsub_topic", "operate"),
    }
    audits = [it for it in plan.of("google_project_iam_member") if it.name == "audit"]
    assert "operate" in {it.key for it in audits}, "the result of a job"
    roles = {
        it.key: it.values["service_config"][0]["environment_variables"].get("SMARTLINK_ROLES")
        for it in plan.of("google_cloudfunctions2_function")
    }
    assert {key for key, given in roles.items() if given} == {"operate"}
    members = [it.key for it in audits if it.key.startswith("user:")]
    given = {it.removeprefix("user:"): {"operator": ["*"]} for it in members}
    assert json.loads(roles["operate"]) == given, "by default nobody may anything"


def test_no_secret_passes_through(plan: Resources) -> None:
    """Secrets are made by operators: neither resources nor data of Terraform hold one."""
    assert not [it for it in plan.all if it.type.startswith("google_secret_manager")]
    types = {it["type"] for it in plan.document.get("resource_changes", [])}
    assert not [kind for kind in types if "secret" in kind]
    for function in plan.of("google_cloudfunctions2_function"):
        assert not function.values["service_config"][0].get("secret_environment_variables")


def test_each_function_has_an_account_of_its_own(plan: Resources) -> None:
    """And a pusher of its own; ids are as long as Google allows."""
    functions = {it.key for it in plan.of("google_cloudfunctions2_function")}
    accounts = plan.of("google_service_account")
    assert {it.key for it in accounts if it.name == "function"} == functions
    assert {it.key for it in accounts if it.name == "invoker"} == functions - {"publish"}
    ids = Counter(it.values["account_id"] for it in accounts)
    assert set(ids.values()) == {1}
    for name in ids:
        assert re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", name)


def test_functions_follow_the_catalogue(plan: Resources) -> None:
    """Time-out, memory and concurrency are those of the catalogue."""
    entries = {
        **{name: it for name, it in CATALOG["functions"].items() if name not in NOT_HERE},
        **{
            f"consume-{name}": {
                **entry,
                "timeoutSeconds": CATALOG["functions"]["consume"]["timeoutSeconds"],
            }
            for name, entry in CATALOG["commands"].items()
        },
    }
    functions = plan.of("google_cloudfunctions2_function")
    assert {it.key for it in functions} == set(entries)
    for function in functions:
        entry, config = entries[function.key], function.values["service_config"][0]
        assert config["timeout_seconds"] == entry["timeoutSeconds"]
        assert config["available_memory"] == f"{entry.get('memoryMiB', 512)}Mi"
        assert config["max_instance_request_concurrency"] == entry.get("concurrency", 1)
        assert config["min_instance_count"] <= config["max_instance_count"]
        if function.key != "publish":
            assert config["ingress_settings"] == "ALLOW_INTERNAL_ONLY"
        build = function.values["build_config"][0]
        assert build["entry_point"] == function.key.split("-")[0]
        running = f"python{sys.version_info[0]}{sys.version_info[1]}"
        assert build["runtime"] == "python311" <= running


def test_every_function_starts_with_its_environment(plan: Resources) -> None:
    """The settings accept it, and a consumer knows its command."""
    for function in plan.of("google_cloudfunctions2_function"):
        environ = dict(function.values["service_config"][0]["environment_variables"])
        settings = load_settings(environ)
        assert settings.config_uri.endswith("-smartlink-config/totvsAppConfig_v2.json")
        assert settings.catalog.model_dump(by_alias=True, exclude_unset=True) == CATALOG
        assert settings.bucket in {it.values["name"] for it in plan.of("google_storage_bucket")}
        if function.key.startswith("consume-"):
            assert f"consume-{settings.consuming()[0]}" == function.key
        else:
            assert settings.command is None
        assert settings.shard_tenants == 200, "a setting that nobody tuned has its default"
        assert len("".join(environ.values())) < 32_768


def test_pushes_wait_as_long_as_the_function_may_run(plan: Resources) -> None:
    """Ack deadline, retries, dead letters, and no end."""
    pushes = [it for it in plan.of("google_pubsub_subscription") if it.name == "push"]
    assert {it.key for it in pushes} == {
        "poll_shard",
        "operate",
        *(f"consume-{name}" for name in CATALOG["commands"]),
    }
    for push in pushes:
        address = f'google_cloudfunctions2_function.function["{push.key}"]'
        config = plan.one(address)["service_config"][0]
        assert config["timeout_seconds"] <= push.values["ack_deadline_seconds"] <= 600
        assert push.values["expiration_policy"] == [{"ttl": ""}]
        assert push.values["dead_letter_policy"][0]["max_delivery_attempts"] >= 5
        assert push.values["retry_policy"][0]["minimum_backoff"] == "10s"


def test_dead_letters_are_kept_for_a_week_at_most(plan: Resources) -> None:
    """They hold personal data."""
    for kept in plan.of("google_pubsub_subscription"):
        if kept.name == "dead_letter":
            assert 0 < int(kept.values["message_retention_duration"][:-1]) <= 7 * 86_400
            assert kept.values["expiration_policy"] == [{"ttl": ""}]
            assert not kept.values["push_config"]
    for topic in plan.of("google_pubsub_topic"):
        assert not topic.values.get("message_retention_duration")


def test_firestore_is_as_its_file_says(plan: Resources) -> None:
    """Indexes, exemptions and TTL policies; a backup each day."""
    fields = {
        (it.values["collection"], it.values["field"]): it.values
        for it in plan.of("google_firestore_field")
    }
    wanted = {(it["collectionGroup"], it["fieldPath"]): it for it in FIRESTORE["fieldOverrides"]}
    assert set(fields) == set(wanted)
    for key, values in fields.items():
        assert len(values["index_config"][0]["indexes"] or []) == len(wanted[key]["indexes"])
        assert bool(values["ttl_config"]) == wanted[key].get("ttl", False)
    messages = plan.one("google_firestore_database.messages")["name"]
    indexes = {
        (
            it.values["database"],
            it.values["collection"],
            tuple(item["field_path"] for item in it.values["fields"]),
        )
        for it in plan.of("google_firestore_index")
    }
    assert indexes == {
        (database, it["collectionGroup"], tuple(item["fieldPath"] for item in it["fields"]))
        for database, part in ((messages, FIRESTORE), ("smartlink-audit", FIRESTORE["audit"]))
        for it in part["indexes"]
    }
    backups = {it.name: it for it in plan.of("google_firestore_backup_schedule")}
    assert set(backups) == {"daily", "audit"}
    assert all(it.values["daily_recurrence"] for it in backups.values())


def test_contents_are_never_deleted_by_age(plan: Resources) -> None:
    """Only by the time that the relay sets when their message has ended."""
    bucket = plan.one("google_storage_bucket.contents")
    (rule,) = bucket["lifecycle_rule"]
    (condition,) = rule["condition"]
    assert condition["days_since_custom_time"] >= 1
    assert not condition.get("age")
    for each in plan.of("google_storage_bucket"):
        assert each.values["public_access_prevention"] == "enforced"
        assert each.values["uniform_bucket_level_access"] is True
    assert plan.one("google_storage_bucket.config")["versioning"] == [{"enabled": True}]


def test_scheduler_waits_longer_than_poll(plan: Resources) -> None:
    """The catalogue's schedule, a deadline beyond the time-out, a retry."""
    job = plan.one("google_cloud_scheduler_job.poll")
    assert job["schedule"] == CATALOG["functions"]["poll"]["schedule"]
    assert int(job["attempt_deadline"][:-1]) > CATALOG["functions"]["poll"]["timeoutSeconds"]
    assert job["retry_config"][0]["retry_count"] >= 1


def test_every_alert_says_what_to_do(plan: Resources) -> None:
    """Numbered steps, links, and channels where there are any."""
    alerts = plan.of("google_monitoring_alert_policy")
    titles = " ".join(str(it.values["display_name"]) for it in alerts)
    for subject in ("no successful poll", "Dead messages", "overdue", "dead-letter", "paused",
                    "cannot be read", "totvsAppConfig", "errors"):  # fmt: skip
        assert subject in titles
    for alert in alerts:
        (text,) = alert.values["documentation"]
        assert "\n1. " in text["content"]
        assert "\n2. " in text["content"]
        assert text["subject"]
        assert "%{" not in text["content"]


def test_alerts_and_dashboard_show_metrics_that_are_made(plan: Resources) -> None:
    """Each metric of ours that they name is a log-based metric of this plan, with its labels."""
    metrics = {
        str(it.values["name"]): {
            label["key"] for label in it.values["metric_descriptor"][0]["labels"]
        }
        for it in plan.of("google_logging_metric")
    }
    texts = [
        json.dumps(it.values["conditions"]) for it in plan.of("google_monitoring_alert_policy")
    ]
    texts += [str(it.values["dashboard_json"]) for it in plan.of("google_monitoring_dashboard")]
    used = {name for text in texts for name in re.findall(r"user/(smartlink/\w+)", text)}
    assert used <= set(metrics)
    assert {"smartlink/received", "smartlink/done", "smartlink/oldest_due"} <= used
    for alert in plan.of("google_monitoring_alert_policy"):
        for condition in alert.values["conditions"]:
            for threshold in condition["condition_threshold"]:
                name = re.search(r"user/(smartlink/\w+)", threshold["filter"])
                for group in threshold["aggregations"][0]["group_by_fields"] or []:
                    if name and group.startswith("metric.label."):
                        assert group.removeprefix("metric.label.") in metrics[name[1]]


def test_rules_of_two_leases_follow_the_catalogue(plan: Resources) -> None:
    """The threshold is not a number that somebody once typed."""
    settings = load_settings(
        plan.one('google_cloudfunctions2_function.function["poll"]')["service_config"][0][
            "environment_variables"
        ]
    )
    overdue = plan.one('google_logging_metric.counter["tenants_overdue"]')
    assert overdue["filter"].endswith(f"oldestSeconds>{2 * settings.lease.total_seconds():.0f}")


def test_logs_are_kept_once(plan: Resources) -> None:
    """In a bucket of their own, and not in _Default as well."""
    sink = plan.one("google_logging_project_sink.smartlink")
    exclusion = plan.one("google_logging_project_exclusion.default_bucket")
    assert sink["filter"] == exclusion["filter"]
    assert plan.one("google_logging_project_bucket_config.smartlink")["retention_days"] >= 7


def _configured(plan: Resources) -> dict[str, set[str]]:
    """What each block refers to."""
    return {
        item["address"]: {
            *item.get("depends_on", ()),
            *_references(item.get("expressions", {})),
            *_references(item.get("for_each_expression", {})),
        }
        for item in plan.document["configuration"]["root_module"]["resources"]
    }


def _references(node: object) -> list[str]:
    if isinstance(node, dict):
        own = [str(it) for it in node.get("references", ())]
        return own + [it for value in node.values() for it in _references(value)]
    return [it for value in node for it in _references(value)] if isinstance(node, list) else []


def _waits_for(configured: dict[str, set[str]], address: str, wanted: str) -> bool:
    """Whether the graph leads from the block to the other one."""
    pending, seen = [address], set[str]()
    while pending:
        at = pending.pop()
        if at == wanted:
            return True
        if at in seen:
            continue
        seen.add(at)
        for reference in configured.get(at, set()):
            parts = reference.split("[")[0].split(".")
            pending.append(".".join(parts[: 3 if parts[0] == "data" else 2]))
    return False


def test_each_grant_to_a_google_agent_waits_for_what_creates_the_agent(runs: Runs) -> None:
    """The API at least; `make deploy` makes the agents of a fresh project before that."""
    configured = _configured(runs["staging"][0])
    grants = [
        address
        for address, references in configured.items()
        if "_iam_member." in address and any(it.endswith(("agent", "agents")) for it in references)
    ]
    assert len(grants) == 5
    for address in grants:
        assert _waits_for(configured, address, "google_project_service.api"), address


def test_a_function_waits_for_the_agent_s_right_on_the_repository(runs: Runs) -> None:
    configured = _configured(runs["staging"][0])
    function = "google_cloudfunctions2_function.function"
    grant = "google_artifact_registry_repository_iam_member.functions_agent"
    assert _waits_for(configured, function, grant)


def test_each_alert_waits_for_the_metrics_that_it_counts(runs: Runs) -> None:
    """And names none that nobody makes."""
    plan: Resources = runs["staging"][0]
    metrics = {
        it.values["name"]: it.address.split("[")[0] for it in plan.of("google_logging_metric")
    }
    configured = _configured(plan)
    alerts = plan.of("google_monitoring_alert_policy")
    assert alerts
    for alert in alerts:
        for name in re.findall(r"user/(smartlink/\w+)", json.dumps(alert.values)):
            assert name in metrics, f"{alert.address} counts {name}, which nobody makes"
            assert _waits_for(configured, alert.address.split("[")[0], metrics[name]), alert.address


_LENGTHS = {
    "google_cloudfunctions2_function": ("name", 63, r"[a-z][a-z0-9-]*[a-z0-9]"),
    "google_service_account": ("account_id", 30, r"[a-z][a-z0-9-]{4,28}[a-z0-9]"),
    "google_pubsub_topic": ("name", 255, r"[A-Za-z][\w.~+%-]{2,254}"),
    "google_pubsub_subscription": ("name", 255, r"[A-Za-z][\w.~+%-]{2,254}"),
    "google_storage_bucket": ("name", 63, r"[a-z0-9][a-z0-9_.-]{1,61}[a-z0-9]"),
    "google_artifact_registry_repository": ("repository_id", 63, r"[a-z][a-z0-9-]*[a-z0-9]"),
    "google_logging_metric": ("name", 100, r"[\w./-]+"),
    "google_cloud_scheduler_job": ("name", 500, r"[\w-]+"),
    "google_project_iam_custom_role": ("role_id", 64, r"[\w.]{3,64}"),
}


def test_names_are_such_as_google_takes(plan: Resources) -> None:
    """Also with the longest names that the variables allow."""
    for kind, (field, most, pattern) in _LENGTHS.items():
        found = plan.of(kind)
        assert found, kind
        for resource in found:
            name = str(resource.values[field])
            assert len(name) <= most, resource.address
            assert re.fullmatch(pattern, name), resource.address


def test_maxima_fit_the_cpus_of_a_small_project(plan: Resources) -> None:
    """Google refuses functions whose maxima exceed the region's quota: 20 CPUs."""
    wanted = cpus({it.address: it.values for it in plan.of("google_cloudfunctions2_function")})
    assert wanted <= 20


def _zeros(node: object, place: str = "") -> list[str]:
    if isinstance(node, dict):
        return [it for key, value in node.items() for it in _zeros(value, f"{place}.{key}")]
    if isinstance(node, list):
        empty = [place] if not node else []
        return empty + [
            it for number, value in enumerate(node) for it in _zeros(value, f"{place}[{number}]")
        ]
    return [place] if node in (0, "", None) and not isinstance(node, bool) else []


def test_the_dashboard_says_nothing_that_google_leaves_out(plan: Resources) -> None:
    """A zero, an empty text or list would be a change in each plan: Google's answer lacks it."""
    (dashboard,) = plan.of("google_monitoring_dashboard")
    assert _zeros(json.loads(dashboard.values["dashboard_json"])) == []


def test_durations_are_in_the_form_in_which_google_returns_them(plan: Resources) -> None:
    """Seconds: "86400s", neither "1d" nor "1.5s"."""
    names = re.compile(r"duration|period|retention$|backoff|ttl$|auto_close|deadline")
    found = [it for resource in plan.all for it in _durations(resource.values, names)]
    assert len(found) > 20
    for name, value in found:
        assert re.fullmatch(r"([0-9]+s)?", value), f"{name} = {value}"


def _durations(node: object, names: re.Pattern[str]) -> list[tuple[str, str]]:
    if isinstance(node, dict):
        own = [
            (name, value)
            for name, value in node.items()
            if isinstance(value, str) and names.search(name) and "offline" not in value
        ]
        return own + [it for value in node.values() for it in _durations(value, names)]
    return [it for v in node for it in _durations(v, names)] if isinstance(node, list) else []


def test_histogram_bounds_rise_whatever_the_time_out_is(base: Copy) -> None:
    """The lease, and what counts as overdue, follow the consumers' time-out."""
    text = (base.root / "monitoring_metrics.tf").read_text()
    expression = re.search(r"oldest_due_bounds = \[(.*?)\n  \]", text, re.DOTALL)
    assert expression
    at = expression[1].replace("local.overdue_seconds", "2 * (t + 30)")
    at = " ".join(at.replace("local.lease_seconds", "(t + 30)").split())
    asked = f"jsonencode([for t in range(1, 541) : [{at}]])\n"
    done = available(lambda: base.console(asked))
    bounds = json.loads(json.loads(done))
    assert len(bounds) == 540
    for some in bounds:
        assert some == sorted(set(some))
        assert len(some) >= 7
