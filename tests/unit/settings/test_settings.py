"""The environment: each variable that is wrong is named, and nothing runs on half of it."""

from datetime import timedelta

import pytest

from smartlink.settings import Settings, SettingsError, load_settings
from tests.support.world import COMMAND, catalog

GOOD = {
    "GOOGLE_CLOUD_PROJECT": "project",
    "SMARTLINK_ENVIRONMENT": "staging",
    "SMARTLINK_CONFIG_URI": "gs://bucket/totvsAppConfig_v2.json",
    "SMARTLINK_CATALOG": catalog(),
}


def load(**changes: str) -> Settings:
    return load_settings({**GOOD, **changes})


def refusal(**changes: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load(**changes)
    assert refused.value.__suppress_context__, "the context could quote a value"
    return str(refused.value)


def test_a_good_environment() -> None:
    """Three variables and the catalogue are enough; the rest has defaults."""
    settings = load()
    assert (settings.project, settings.environment) == ("project", "staging")
    assert next(iter(settings.catalog.commands)) == COMMAND
    assert (settings.bucket, settings.firestore_database) == (
        "project-smartlink-contents",
        "(default)",
    )
    assert (settings.command, settings.firestore_emulator) == (None, "")


def test_a_checkout_has_its_own_catalogue() -> None:
    """Without SMARTLINK_CATALOG it is `infra/catalog.json`: tools and tests need not pass it."""
    assert "SGDPDataCommand" in load(SMARTLINK_CATALOG="").catalog.commands


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"GOOGLE_CLOUD_PROJECT": ""}, "GOOGLE_CLOUD_PROJECT: "),
        ({"SMARTLINK_ENVIRONMENT": ""}, "SMARTLINK_ENVIRONMENT: "),
        ({"SMARTLINK_ENVIRONMENT": "prod"}, "SMARTLINK_ENVIRONMENT: "),
        ({"SMARTLINK_CONFIG_URI": ""}, "SMARTLINK_CONFIG_URI: "),
        ({"SMARTLINK_CONFIG_URI": "bucket/file"}, "SMARTLINK_CONFIG_URI: "),
        ({"SMARTLINK_CONFIG_URI": "gs://bucket"}, "SMARTLINK_CONFIG_URI: "),
        ({"SMARTLINK_COMMAND": "Nobody"}, "SMARTLINK_COMMAND is 'Nobody'"),
        ({"SMARTLINK_CATALOG": "{"}, "SMARTLINK_CATALOG: "),
        ({"SMARTLINK_CATALOG": "{}"}, "SMARTLINK_CATALOG: "),
        ({"SMARTLINK_CATALOG": "{}", "SMARTLINK_COMMAND": COMMAND}, "SMARTLINK_CATALOG: "),
        ({"SMARTLINK_PATHS": "{"}, "SMARTLINK_PATHS: "),
        ({"SMARTLINK_PATHS": '{"akc": "POST /ack"}'}, "SMARTLINK_PATHS.akc: "),
        ({"SMARTLINK_PATHS": '{"ack": 7}'}, "SMARTLINK_PATHS.ack: "),
        ({"SMARTLINK_PATHS": '{"ack": "/ack"}'}, "SMARTLINK_PATHS.ack: "),
        ({"SMARTLINK_PATHS": '{"ack_body": ""}'}, "ack or ack_body needs {tag}"),
        ({"SMARTLINK_PATHS": '{"setup_body": "{}"}'}, "setup_body needs {commands}"),
        ({"SMARTLINK_PATHS": '{"send_body": ""}'}, "send_body needs {content} or {text}"),
        ({"SMARTLINK_PATHS": '{"send": "POST /send"}'}, "send or send_body needs {type}"),
        ({"SMARTLINK_BASE_URL": "http://link.example"}, "SMARTLINK_BASE_URL: "),
        ({"SMARTLINK_BASE_URL": "link.example"}, "SMARTLINK_BASE_URL: "),
        ({"SMARTLINK_BASE_URL": "https://"}, "SMARTLINK_BASE_URL: "),
        ({"SMARTLINK_RAC_TOKEN_URL": "ftp://rac.example"}, "SMARTLINK_RAC_TOKEN_URL: "),
        ({"SMARTLINK_HISTORY_DAYS": "0"}, "SMARTLINK_HISTORY_DAYS: "),
        ({"SMARTLINK_REDRIVE_DAYS": "some"}, "SMARTLINK_REDRIVE_DAYS: "),
        ({"SMARTLINK_POLL_SECONDS": "-1"}, "SMARTLINK_POLL_SECONDS: "),
        ({"SMARTLINK_POLL_SECONDS": "nan"}, "SMARTLINK_POLL_SECONDS: "),
        ({"SMARTLINK_RECEIVERS": "0"}, "SMARTLINK_RECEIVERS: "),
        ({"SMARTLINK_RECEIVERS": "1.5"}, "SMARTLINK_RECEIVERS: "),
        ({"SMARTLINK_RESPONSE_LIMIT": "1"}, "SMARTLINK_RESPONSE_LIMIT: "),
    ],
)
def test_a_wrong_variable_is_named(changes: dict[str, str], named: str) -> None:
    """The message names the variable, as it is written in Terraform and in the console."""
    assert named in refusal(**changes)


def test_all_that_is_missing_is_named_at_once() -> None:
    """One look is enough to fix an environment."""
    with pytest.raises(SettingsError) as refused:
        load_settings({})
    text = str(refused.value)
    for name in ("GOOGLE_CLOUD_PROJECT", "SMARTLINK_ENVIRONMENT", "SMARTLINK_CONFIG_URI"):
        assert f"{name}: " in text


def test_what_is_not_ours_is_left_alone() -> None:
    """Other variables, also those of the local stack, are nobody's mistake."""
    ours = load(SMARTLINK_RECEIVERS="3")
    assert load(SMARTLINK_LOCAL_TICK_SECONDS="5", PATH="/bin", SMARTLINK_RECEIVERS="3") == ours


@pytest.mark.parametrize(
    ("environment", "smart_link", "rac"),
    [
        ("development", "link.dev.totvs.app", "admin.rac.dev.totvs.app"),
        ("staging", "link.staging.totvs.app", "admin.rac.staging.totvs.app"),
        ("production", "link.totvs.app", "admin.rac.totvs.app"),
    ],
)
def test_each_environment_has_its_hosts(environment: str, smart_link: str, rac: str) -> None:
    """Invariant 11: the deployment's environment decides whom it talks to."""
    settings = load(SMARTLINK_ENVIRONMENT=environment)
    assert settings.smart_link_url == f"https://{smart_link}"
    assert settings.token_url == f"https://{rac}/totvs.rac/connect/token"


@pytest.mark.parametrize(
    "url", ["https://link.example/base", "http://127.0.0.1:8080", "http://localhost:1/x"]
)
def test_hosts_can_be_overridden(url: str) -> None:
    """With https anywhere; with http on this machine only."""
    settings = load(SMARTLINK_BASE_URL=url, SMARTLINK_RAC_TOKEN_URL=url)
    assert (settings.smart_link_url, settings.token_url) == (url, url)


def test_an_acceptance_changes_the_hosts_of_nobody_else() -> None:
    """Its URL is a setting of its own; the environment's hosts stay."""
    settings = load(SMARTLINK_ACCEPTANCE_URL="https://simulator.example/")
    assert settings.smart_link_url == "https://link.staging.totvs.app"
    assert settings.token_url == "https://admin.rac.staging.totvs.app/totvs.rac/connect/token"
    assert settings.acceptance_token_url == "https://simulator.example/totvs.rac/connect/token"


def test_no_simulator_serves_in_production() -> None:
    url = "https://simulator.example"
    text = refusal(SMARTLINK_ENVIRONMENT="production", SMARTLINK_ACCEPTANCE_URL=url)
    assert "SMARTLINK_ACCEPTANCE_URL is set in production" in text


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1.evil.example/", "http://localhost:80@evil.example/", "http://10.0.0.1:1"],
)
@pytest.mark.parametrize(
    "name", ["SMARTLINK_BASE_URL", "SMARTLINK_RAC_TOKEN_URL", "SMARTLINK_ACCEPTANCE_URL"]
)
def test_neither_token_nor_secret_goes_out_in_the_clear(name: str, url: str) -> None:
    """Whatever looks like this machine, and is not, is refused."""
    assert f"{name}: " in refusal(**{name: url})


@pytest.mark.parametrize("variable", ["SMARTLINK_BASE_URL", "SMARTLINK_RAC_TOKEN_URL"])
@pytest.mark.parametrize(
    "url",
    [
        "https://gw:canary@gateway.example",
        "https://canary@gateway.example",
        "https://gw:canary@gateway.example:99999",
        "https://@gateway.example",
        "https://gateway.example/base?key=canary",
        "https://gateway.example/base?",
        "https://gateway.example/#canary",
        "https://gateway.example:99999",
        "https://gateway.example:canary",
        "https://gateway.example:0",
        "https://gateway.example:",
        "https://gateway.example\\@canary",
        "https://gateway.example/a b",
        "https://gateway.example/ca\tnary",
        "https://[canary",
        "http://gw:canary@127.0.0.1:8080",
    ],
)
def test_a_url_with_more_than_a_place_is_refused(variable: str, url: str) -> None:
    """Invariant 10: what names the server in errors, logs and screens holds no credential, and the
    refusal does not quote it."""
    text = refusal(**{variable: url})
    assert f"{variable}: " in text
    assert "canary" not in text
    assert url not in text


def test_a_path_can_be_corrected() -> None:
    """One assumption about Smart Link is corrected by configuration; the others stay."""
    paths = load(SMARTLINK_PATHS='{"ack": "PUT /v2/ack/{deliveryTag}"}').paths
    assert paths.ack == "PUT /v2/ack/{deliveryTag}"
    assert paths.setup == load().paths.setup == "POST /api/v1/link/setup"


def test_emulators_are_found_by_their_own_variables() -> None:
    """As Google's clients name them."""
    hosts = {
        f"{name}_EMULATOR_HOST": f"127.0.0.1:{number}"
        for number, name in enumerate(("FIRESTORE", "PUBSUB", "STORAGE", "SECRET_MANAGER"))
    }
    settings = load(**hosts)
    found = [
        settings.firestore_emulator,
        settings.pubsub_emulator,
        settings.storage_emulator,
        settings.secret_manager_emulator,
    ]
    assert found == [f"127.0.0.1:{number}" for number in range(4)]


def test_the_lease_is_longer_than_a_call() -> None:
    """Invariant 6: a call that was cut off is surely over when another may claim its messages."""
    settings = load()
    assert settings.lease > timedelta(seconds=settings.catalog.functions.consume.timeout)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"consume": {"timeoutSeconds": 540}', '"consume": {"timeoutSeconds": 601}'),
        ('"consume": {"timeoutSeconds": 540}', '"consume": {"timeoutSeconds": 60}'),
    ],
)
def test_time_outs_that_break_the_relay_are_refused(old: str, new: str) -> None:
    """Invariant 6: a function above the longest ack deadline, or a message above its function."""
    assert old in catalog()
    assert "functions.consume" in refusal(SMARTLINK_CATALOG=catalog().replace(old, new))


def test_a_consumer_knows_its_command() -> None:
    """And a function that is no consumer says which variable would make it one."""
    assert load(SMARTLINK_COMMAND=COMMAND).consuming()[0] == COMMAND
    with pytest.raises(SettingsError, match="SMARTLINK_COMMAND"):
        load().consuming()
