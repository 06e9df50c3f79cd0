"""How the command fails: one sentence with the thing, the place and the fix; an exit code."""

from infra.local.ports import free_ports
from tests.cli.place import COMMAND, Place, environment, golden
from tests.cli.scripted import forbidding_grpc, forbidding_http

CLOUD = "--project some-project --environment development"


def test_missing_rights_name_the_role(place: Place) -> None:
    """Over gRPC and over REST: who may not, what, where, and the role to ask for."""
    with forbidding_grpc() as firestore, forbidding_http() as rest:
        place.write_stack(
            FIRESTORE_EMULATOR_HOST=firestore,
            SECRET_MANAGER_EMULATOR_HOST=rest,
            STORAGE_EMULATOR_HOST=f"http://{rest}",
        )
        calls = {
            "messages list -t acme": "roles/datastore.viewer on the project",
            "tenants activate acme --from-file -": "roles/secretmanager.admin on the secrets",
            "config rollback": "roles/storage.objectUser on the bucket",
        }
        ran = place.run_all(*calls)
    for (call, role), it in zip(calls.items(), ran, strict=True):
        told = " ".join((it.out + it.err).split())
        assert it.code in {1, 4}, (call, it)
        assert f"in {place.project} (development, local stack): ask an owner" in told, it
        assert role in told, it
        assert "Traceback" not in it.err


def test_no_network(place: Place) -> None:
    """Nothing listens: it says so within the time of its tries, without a traceback."""
    [port] = free_ports(1)
    place.write_stack(FIRESTORE_EMULATOR_HOST=f"127.0.0.1:{port}")
    ran = place.run("messages", "list", "-t", "acme")
    assert ran.code == 1
    assert ran.err.startswith("smartlink: No answer to: read the states of tenants: ")
    assert "ServiceUnavailable" in ran.err
    assert "is the stack still up" in ran.err
    assert ran.err.count("\n") == 1


def test_no_place_and_no_credentials(place: Place) -> None:
    """Without a stack a project must be named; without credentials it says how to sign in."""
    (place.folder / "stack.json").unlink()
    nowhere = place.run("messages", "list")
    assert nowhere.code == 2
    assert "no local stack runs here" in nowhere.err
    halfway = place.run("messages", "list", "--project", "p")
    assert halfway.code == 2
    assert "--environment is missing" in halfway.err
    outside = place.run(*f"messages list {CLOUD}".split(), NO_GCE_CHECK="true")
    assert outside.code == 4
    assert outside.err == (
        "smartlink: There are no Google Cloud credentials: run `gcloud auth application-default "
        "login`, or set GOOGLE_APPLICATION_CREDENTIALS to the file of a service account.\n"
    )


def test_help_explains(place: Place) -> None:
    """RM's terms, the exit codes, and no colours where there is no terminal."""
    top, redrive = place.run_all("--help", "messages redrive --help")
    golden("help", top.out)
    golden("help_redrive", redrive.out)
    assert "\x1b" not in top.out + redrive.out
    assert COMMAND.is_file()
    assert "NO_COLOR" not in environment(place.folder, {})
