"""The simulator of an acceptance: made by one apply, gone with the next, and known to two
functions."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from infra.local.checkout import ROOT
from tests.support.simulator_bundle import FILES
from tests.terraform.conftest import available
from tests.terraform.runs import Copy, Resources, var_file

DIGEST = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
ON = ("-var=acceptance=true", f"-var=acceptance_digest={DIGEST}")
SIMULATOR = "google_cloudfunctions2_function.simulator[0]"


@dataclass(frozen=True)
class Accepted:
    """A deployment before, during and after an acceptance."""

    before: Resources
    during: Resources
    after: Resources
    archive: bytes


@pytest.fixture(scope="module")
def accepted(base: Copy, tmp_path_factory: pytest.TempPathFactory) -> Accepted:
    copy = base.copy(tmp_path_factory.mktemp("acceptance") / "copy")

    def applied(*more: str) -> Resources:
        variables = ("-auto-approve", "-input=false", var_file("development"), *more)
        available(lambda: copy.run("apply", *variables))
        return copy.state()

    before, during = applied(), applied(*ON)
    archive = (copy.root / ".build/simulator.zip").read_bytes()
    return Accepted(before, during, applied(), archive)


def addresses(resources: Resources) -> set[str]:
    return {it.address for it in resources.all}


def test_one_apply_adds_it_and_the_next_takes_it_away(accepted: Accepted) -> None:
    """Five things more, and nothing left."""
    assert addresses(accepted.during) - addresses(accepted.before) == {
        SIMULATOR,
        "google_cloud_run_v2_service_iam_member.simulator[0]",
        "google_service_account.simulator[0]",
        "google_storage_bucket_object.simulator[0]",
    }
    assert addresses(accepted.after) == addresses(accepted.before)


def test_poll_and_poll_shard_alone_are_led_to_it(accepted: Accepted) -> None:
    """For the acceptance's tenant; the hosts of all others are in no function changed."""
    url = accepted.during.one(SIMULATOR)["service_config"][0]["uri"]
    for function in accepted.during.of("google_cloudfunctions2_function"):
        if function.name == "simulator":
            continue
        [before] = accepted.before.one(function.address)["service_config"]
        [during] = function.values["service_config"]
        more = dict(
            during["environment_variables"].items() - before["environment_variables"].items()
        )
        led = function.key in ("poll", "poll_shard")
        assert more == ({"SMARTLINK_ACCEPTANCE_URL": url} if led else {})
        [after] = accepted.after.one(function.address)["service_config"]
        assert after["environment_variables"] == before["environment_variables"]


def test_it_has_no_right(accepted: Accepted) -> None:
    """Its account is granted nothing; anybody may knock."""
    email = accepted.during.one("google_service_account.simulator[0]")["email"]
    assert accepted.during.one(SIMULATOR)["service_config"][0]["service_account_email"] == email
    grants = {it.address: it.values.get("member") for it in accepted.during.iam}
    assert not [address for address, member in grants.items() if email in str(member)]
    public = [address for address, member in grants.items() if member == "allUsers"]
    assert public == ["google_cloud_run_v2_service_iam_member.simulator[0]"]


def test_its_source_is_its_bundle(accepted: Accepted) -> None:
    archive = zipfile.ZipFile(io.BytesIO(accepted.archive))
    assert set(archive.namelist()) == set(FILES)
    for name, source in FILES.items():
        assert archive.read(name) == (ROOT / source).read_bytes()


def test_production_has_none(base: Copy, tmp_path: Path) -> None:
    """Whoever asks for it gets a refusal, before anything is planned."""
    copy = base.copy(tmp_path / "copy")
    done = copy.run("plan", "-input=false", var_file("production"), *ON, check=False)
    assert done.returncode == 1
    assert "acceptance must be false in production" in done.stdout + done.stderr
