"""The settings of the local stack."""

from pathlib import Path

import pytest

from infra.local.checkout import DEFAULT_TENANTS, STATE
from infra.local.errors import SettingError
from infra.local.settings import Broker, LocalSettings, load_settings


def test_nothing_needs_to_be_set() -> None:
    """Empty variables count as not set, as make passes them."""
    expected = LocalSettings(tenants=DEFAULT_TENANTS, ports={}, folder=STATE)

    assert load_settings({}) == expected
    assert load_settings({"SMARTLINK_LOCAL_TICK_SECONDS": "", "SMARTLINK_BASE_URL": ""}) == expected


def test_everything_can_be_set() -> None:
    """Each variable arrives."""
    settings = load_settings(
        {
            "SMARTLINK_LOCAL_TENANTS": "mine.json",
            "SMARTLINK_LOCAL_TICK_SECONDS": "0.5",
            "SMARTLINK_LOCAL_PORTS": "poll=8081, publish=8082,",
            "SMARTLINK_LOCAL_EMULATORS": "none",
            "SMARTLINK_LOCAL_DIR": "/elsewhere",
            "SMARTLINK_BASE_URL": "https://broker",
            "SMARTLINK_RAC_TOKEN_URL": "https://rac/token",
        }
    )

    assert settings.tenants.name == "mine.json"
    assert settings.tick_seconds == 0.5
    assert settings.ports == {"poll": 8081, "publish": 8082}
    assert not settings.emulators
    assert settings.folder == Path("/elsewhere")
    assert settings.broker == Broker("https://broker", "https://rac/token")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SMARTLINK_LOCAL_TICK_SECONDS", "often", "give a number of seconds"),
        ("SMARTLINK_LOCAL_TICK_SECONDS", "0", "0.1 or more"),
        ("SMARTLINK_LOCAL_TICK_SECONDS", "nan", "give a number of seconds"),
        ("SMARTLINK_LOCAL_TICK_SECONDS", "inf", "give a number of seconds"),
        ("SMARTLINK_LOCAL_PORTS", "8081", "write name=port"),
        ("SMARTLINK_LOCAL_PORTS", "poll=99999", "write name=port"),
        ("SMARTLINK_LOCAL_EMULATORS", "docker", "auto or none"),
        ("SMARTLINK_BASE_URL", "https://broker", "SMARTLINK_RAC_TOKEN_URL is not"),
        ("SMARTLINK_RAC_TOKEN_URL", "https://rac", "SMARTLINK_BASE_URL is not"),
    ],
)
def test_a_wrong_setting_is_named_with_the_fix(name: str, value: str, said: str) -> None:
    """The variable, and what it may be."""
    with pytest.raises(SettingError) as caught:
        load_settings({name: value})

    assert str(caught.value).startswith(name)
    assert said in str(caught.value)


def test_the_state_is_kept_if_asked() -> None:
    """Else each stack begins empty."""
    assert load_settings({"SMARTLINK_LOCAL_KEEP": "1"}).keep
    assert not load_settings({"SMARTLINK_LOCAL_KEEP": "0"}).keep
    with pytest.raises(SettingError, match="SMARTLINK_LOCAL_KEEP is 'yes'"):
        load_settings({"SMARTLINK_LOCAL_KEEP": "yes"})


@pytest.mark.parametrize("name", ["SMARTLINK_BASE_URL", "SMARTLINK_RAC_TOKEN_URL"])
def test_a_brokers_url_holds_no_credential(name: str) -> None:
    """It is refused before anything starts, and not quoted."""
    both = {"SMARTLINK_BASE_URL": "https://broker", "SMARTLINK_RAC_TOKEN_URL": "https://rac/token"}
    with pytest.raises(SettingError, match=name) as caught:
        load_settings(both | {name: "https://gw:canary@gateway"})
    assert "canary" not in str(caught.value)
