"""What each environment's plan must hold, and what everything on was made with."""

import json
import re
import sys
from collections import Counter

import pytest

from smartlink.settings import load_settings
from tests.terraform.conftest import Runs
from tests.terraform.runs import ENVIRONMENTS, REPO, Resources

CATALOG = json.loads((REPO / "infra/catalog.json").read_text())
FIRESTORE = json.loads((REPO / "infra/firestore.json").read_text())

# Roles on the whole project, each with the reason why there is nothing narrower.
PROJECT_WIDE = {
    "roles/datastore.user": ("Firestore has no policy of its own", "resource.name == "),
    "roles/secretmanager.secretAccessor": ("secrets come and go", "resource.name.startsWith("),
    "roles/storage.objectViewer": ("Google makes the bucket later", "resource.name.startsWith("),
    "roles/logging.logWriter": ("entries are written to a project", None),
    "smartlinkTenantLister": ("listing is a right on the project", None),
}
PRIMITIVE = {"roles/owner", "roles/editor", "roles/viewer", "roles/browser"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_each_environment_passes_its_own_tests(runs: Runs, name: str) -> None:
    """environments.tftest.hcl, with the environment's tfvars."""
    assert "1 passed, 0 failed" in runs[name][1]


def test_every_validation_and_optional_part_is_tested(runs: Runs) -> None:
    """variables.tftest.hcl and optional.tftest.hcl."""
    assert re.search(r"Success! \d+ passed, 0 failed", runs["test"])


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
        role = str(grant.values.get("role") or "smartlinkTenantLister").rsplit("roles/smart", 1)[-1]
        name = next((known for known in PROJECT_WIDE if known.endswith(role)), None)
        assert name, f"{grant.address} grants {role} on the whole project"
        needed = PROJECT_WIDE[name][1]
        conditions = [item["expression"] for item in grant.values["condition"]]
        assert [needed in item for item in conditions] == ([True] if needed else []), grant.address


def test_the_role_that_lists_does_nothing_else(plan: Resources) -> None:
    """Names of secrets, no payload."""
    (role,) = plan.of("google_project_iam_custom_role")
    assert role.values["permissions"] == ["secretmanager.secrets.list"]


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
    (backup,) = plan.of("google_firestore_backup_schedule")
    (database,) = plan.of("google_firestore_database")
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


def test_only_the_polls_publish(plan: Resources) -> None:
    """A consumer cannot dispatch, and neither can publish."""
    topics = ["poll_shard", *(f"consume-{name}" for name in CATALOG["commands"])]
    dispatch = [it for it in plan.of("google_pubsub_topic_iam_member") if it.name == "dispatch"]
    assert {it.key for it in dispatch} == {
        f"{function}/{topic}" for function in ("poll", "poll_shard") for topic in topics
    }


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
        **{name: CATALOG["functions"][name] for name in ("poll", "poll_shard", "publish")},
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
    indexes = {
        (it.values["collection"], tuple(item["field_path"] for item in it.values["fields"]))
        for it in plan.of("google_firestore_index")
    }
    assert indexes == {
        (it["collectionGroup"], tuple(item["fieldPath"] for item in it["fields"]))
        for it in FIRESTORE["indexes"]
    }
    (backup,) = plan.of("google_firestore_backup_schedule")
    assert backup.values["daily_recurrence"]


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
