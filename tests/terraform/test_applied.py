"""Everything on, deployed by `make deploy`'s own code to providers that make nothing."""

import io
import re
import zipfile

from infra.local.checkout import FUNCTIONS
from tests.support.bundle import bundle
from tests.terraform.conftest import Applied
from tests.terraform.runs import Resources


def test_a_second_plan_changes_nothing(applied: Applied) -> None:
    """What is deployed is what is written."""
    assert applied.again == 0


def test_each_invoker_calls_one_function_only(applied: Applied) -> None:
    """Scheduler's account poll, each pusher its own; the group publish."""
    state = applied.state
    callers: dict[str, set[str]] = {}
    for grant in state.of("google_cloud_run_v2_service_iam_member"):
        assert grant.values["role"] == "roles/run.invoker"
        callers.setdefault(grant.values["member"], set()).add(grant.values["name"])
    assert callers.pop("group:segments@example.com") == {"smartlink-publish"}
    assert all(len(functions) == 1 for functions in callers.values())
    functions = {str(it.values["name"]) for it in state.of("google_cloudfunctions2_function")}
    assert {name for names in callers.values() for name in names} == functions - {
        "smartlink-publish"
    }


def test_functions_run_as_themselves(applied: Applied) -> None:
    """No two share an account, and none runs as one that invokes."""
    accounts = [
        it.values["service_config"][0]["service_account_email"]
        for it in applied.state.of("google_cloudfunctions2_function")
    ]
    assert len(set(accounts)) == len(accounts)
    invokers = {
        it.values["email"]
        for it in applied.state.of("google_service_account")
        if it.name == "invoker"
    }
    assert not invokers & set(accounts)


def test_pushes_go_to_the_functions_url_with_the_same_audience(applied: Applied) -> None:
    """And are signed by the pusher that may call that function."""
    state = applied.state
    for push in state.of("google_pubsub_subscription"):
        if push.name != "push":
            continue
        function = state.one(f'google_cloudfunctions2_function.function["{push.key}"]')
        (config,) = push.values["push_config"]
        (token,) = config["oidc_token"]
        assert config["push_endpoint"] == token["audience"] == function["service_config"][0]["uri"]
        (grant,) = [
            it
            for it in state.of("google_cloud_run_v2_service_iam_member")
            if it.name == "invoker" and it.values["name"] == function["name"]
        ]
        assert grant.values["member"] == f"serviceAccount:{token['service_account_email']}"


def test_scheduler_calls_poll_with_the_same_audience(applied: Applied) -> None:
    """Signed in as its own account."""
    (target,) = applied.state.one("google_cloud_scheduler_job.poll")["http_target"]
    (token,) = target["oidc_token"]
    poll = applied.state.one('google_cloudfunctions2_function.function["poll"]')
    assert target["uri"] == token["audience"] == poll["service_config"][0]["uri"]
    assert token["service_account_email"].startswith("smartlink-schedule-poll@")


def test_the_pubsub_agent_may_dead_letter_and_sign_in(applied: Applied) -> None:
    """Publisher on the dead-letter topic, subscriber on the subscription, tokens of the pusher."""
    grants = [
        (it.type, it.name, it.key)
        for it in applied.state.iam
        if "gcp-sa-pubsub" in str(it.values["member"]) and "kms" not in it.type
    ]
    pushed = {it.key for it in applied.state.of("google_pubsub_subscription")}
    assert set(grants) == {
        (kind, name, key)
        for kind, name in (
            ("google_pubsub_topic_iam_member", "dead_letter"),
            ("google_pubsub_subscription_iam_member", "dead_letter"),
            ("google_service_account_iam_member", "pusher"),
        )
        for key in pushed
    }


def test_the_source_is_the_bundle(applied: Applied) -> None:
    """No file more and none less, named by its content, the same whoever makes it."""
    source = applied.state.one("google_storage_bucket_object.functions")
    archive = zipfile.ZipFile(io.BytesIO((applied.copy.root / ".build/functions.zip").read_bytes()))
    entries = {it.filename: it for it in archive.infolist() if not it.is_dir()}
    assert set(entries) == {file.as_posix() for file in bundle()}
    for name in entries:
        assert archive.read(name) == (FUNCTIONS / name).read_bytes()
    assert {it.date_time for it in entries.values()} == {next(iter(entries.values())).date_time}
    assert {it.external_attr >> 16 & 0o777 for it in entries.values()} == {0o644}
    assert source["name"].startswith("functions-")
    assert len(source["name"]) == len("functions-.zip") + 64


def test_a_command_is_one_entry_and_one_file(applied: Applied) -> None:
    """The plan gains its topic, subscription, dead letters, function, accounts, grants: no more."""
    key = '["consume-GreetCommand"]'
    greeted: Resources = applied.greeted
    assert greeted.changes("create") == {
        f"google_cloudfunctions2_function.function{key}",
        f"google_service_account.function{key}",
        f"google_service_account.invoker{key}",
        f"google_pubsub_topic.push{key}",
        f"google_pubsub_subscription.push{key}",
        f"google_pubsub_topic.dead_letter{key}",
        f"google_pubsub_subscription.dead_letter{key}",
        # Grants: who calls it, who dispatches to it, and what it may do itself.
        f"google_cloud_run_v2_service_iam_member.invoker{key}",
        f"google_service_account_iam_member.pusher{key}",
        f"google_pubsub_topic_iam_member.dead_letter{key}",
        f"google_pubsub_subscription_iam_member.dead_letter{key}",
        'google_pubsub_topic_iam_member.dispatch["poll/consume-GreetCommand"]',
        'google_pubsub_topic_iam_member.dispatch["poll_shard/consume-GreetCommand"]',
        'google_pubsub_topic_iam_member.dispatch["consume-GreetCommand/consume-GreetCommand"]',
        f"google_project_iam_member.firestore{key}",
        f"google_project_iam_member.erp_secrets{key}",
        f"google_project_iam_member.own_secrets{key}",
        f"google_storage_bucket_iam_member.contents{key}",
    }
    [service] = greeted.one(f"google_cloudfunctions2_function.function{key}")["service_config"]
    assert service["max_instance_count"] == 3
    # The functions get the new source and the new catalogue; nothing else is touched.
    updated = greeted.changes("update")
    assert {address.partition("[")[0] for address in updated} == {
        "google_cloudfunctions2_function.function"
    }
    assert greeted.changes("create", "delete") == {"google_storage_bucket_object.functions"}
    assert not greeted.changes("delete")
    assert not greeted.changes("delete", "create")


def test_a_commands_own_secrets_are_granted_to_its_function_alone(applied: Applied) -> None:
    """By their names: no other function reads them, and it reads no others by that grant."""
    grants = {
        it.key: it.values
        for it in applied.greeted.of("google_project_iam_member")
        if it.name == "own_secrets"
    }
    assert grants.keys() == {"consume-GreetCommand"}
    [grant] = grants.values()
    assert grant["role"] == "roles/secretmanager.secretAccessor"
    starts = (
        rf'resource\.name\.startsWith\("projects/\d+/secrets/smartlink-{name}-"\)'
        for name in ("bank", "post")
    )
    assert re.fullmatch(r" \|\| ".join(starts), grant["condition"][0]["expression"])


def test_the_operators_configuration_file_stays(applied: Applied) -> None:
    """The copy's file was changed too: that is no change to the object."""
    assert "google_storage_bucket_object.config" not in {
        *applied.greeted.changes("update"),
        *applied.greeted.changes("delete", "create"),
        *applied.greeted.changes("create", "delete"),
    }


def test_deploy_says_what_was_made_and_what_is_next(applied: Applied) -> None:
    """Functions, links, and how to activate a tenant."""
    for text in (
        "smartlink-poll  https://",
        "SGDPDataCommand  smartlink-sgdp-data-command",
        "https://console.cloud.google.com/monitoring/dashboards/",
        "gcloud secrets create smartlink-tenant-acme --project=smartlink-everything",
        "--labels=smartlink=tenant",
        '"environment": "staging"',
    ):
        assert text in applied.report


def test_destroy_leaves_nothing_of_terraforms(applied: Applied) -> None:
    """Every protection was lifted, the override file is gone again."""
    assert not applied.removed.document.get("values")
    assert not list(applied.copy.root.glob("re*_override.tf"))
    assert "Still there, as Terraform did not make it" in applied.report
