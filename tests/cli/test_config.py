"""`config …`, `publish` and `doctor`."""

import json
from pathlib import Path

from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager
from tests.cli.place import Place, golden


def config(attempts: int = 5, factor: float = 1, interval: float = 3) -> dict[str, object]:
    info = {
        "QtdeTentativasExec": attempts,
        "FatorTempoExecucao": factor,
        "MinutesInterval": interval,
    }
    return {"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": info}, "Other": 1}


def write(folder: Path, name: str, document: object) -> str:
    path = folder / name
    path.write_text(json.dumps(document))
    return str(path)


def test_check_prints_the_schedule_and_refuses_what_cannot_work(
    place: Place, tmp_path: Path
) -> None:
    """Also where no stack runs: a file can be checked anywhere."""
    (place.folder / "stack.json").unlink()
    files = {
        "good": config(),
        "zero": config(factor=0),
        "long": config(attempts=100, interval=30),
        "broken": [],
    }
    calls = [f"config check {write(tmp_path, name, value)}" for name, value in files.items()]
    good, zero, long, broken = place.run_all(*calls)
    golden("config_check", good.out)
    assert [it.code for it in (good, zero, long, broken)] == [0, 1, 1, 1]
    assert "FatorTempoExecucao: Input should be greater than 0" in zero.err
    assert "lower one of the three" in long.err or "the history is kept for" in long.err
    assert "Traceback" not in broken.err


def test_push_shows_the_difference_and_rolls_back(place: Place, tmp_path: Path) -> None:
    """Dry run first; under the generation that was looked at; and back again."""
    place.make_buckets()
    place.write_config(config())
    new = write(tmp_path, "new.json", config(attempts=7))
    show, dry, stale = place.run_all(
        "config show --json", f"config push {new}", f"config push {new} --yes --generation 17"
    )
    shown = show.json
    assert shown["inForce"]["QtdeTentativasExec"] == 5
    assert dry.code == 0
    golden("config_push_dry_run", dry.out)
    assert stale.code == 4
    assert "somebody changed it" in stale.err
    pushed = place.run("config", "push", new, "--generation", shown["generation"], "--yes")
    assert pushed.code == 0, pushed.err
    back = place.run("config", "rollback", "--yes", "--json")
    assert (back.code, back.json["written"]) == (0, True)
    assert place.run("config", "show", "--json").json["inForce"]["QtdeTentativasExec"] == 5


def test_publish_stores_once(place: Place) -> None:
    """As the function does: the same again changes nothing, another content is refused."""
    place.make_buckets()
    login = b'{"clientId": "c", "clientSecret": "s", "environment": "development"}'
    OperatorSecretManager(place.project, emulator=place.hosts.secrets).create("acme", login, None)
    call = ("publish", "acme", "PaymentRequested", "--id", "p-1", "--json")
    first = place.run(*call, text='{"n": 1}')
    assert (first.code, first.json) == (0, {"id": "p-1", "repeated": False}), first.err
    assert place.run(*call, text='{"n": 1}').json["repeated"] is True
    assert place.run(*call, text='{"n": 2}').code == 4
    message = place.store.read("acme", ["U-p-1"])["U-p-1"].message
    assert message.content.text == '{"n": 1}'


def test_publish_refuses_an_empty_content(place: Place) -> None:
    """Unless it is told to; and it says what it waits for."""
    login = b'{"clientId": "c", "clientSecret": "s", "environment": "development"}'
    OperatorSecretManager(place.project, emulator=place.hosts.secrets).create("acme", login, None)
    blank = place.folder / "blank"
    blank.write_text(" \n")
    for more in ((), ("--downstream",), ("--from-file", "-"), ("--from-file", str(blank))):
        refused = place.run("publish", "acme", "Aviso", *more)
        assert refused.code == 2, refused
        assert "--empty publishes it all the same" in refused.err
        assert ("Reading the content from stdin" in refused.err) == ("--from-file" not in more)
    assert place.run("messages", "list", "--json").json == []
    told = place.run("publish", "acme", "Aviso", "--empty", "--id", "p-1")
    assert told.code == 0, told
    assert place.store.read("acme", ["U-p-1"])["U-p-1"].message.content.size == 0


def test_doctor_names_what_is_broken_and_the_fix(place: Place) -> None:
    """Here the configuration and Pub/Sub are missing, the rest holds."""
    ran = place.run("doctor", "--json")
    assert ran.code == 1
    checks = {it["check"]: it for it in ran.json}
    assert [name for name, it in checks.items() if not it["ok"]] == [
        "topics",
        "subscriptions",
        "configuration",
    ]
    assert "restart the local stack" in checks["topics"]["text"]
    assert "smartlink config push" in checks["configuration"]["text"]


def test_a_rollback_after_good_pushes(place: Place) -> None:
    """The bucket keeps versions: back to the one before, or to any."""
    place.make_buckets()
    sample = place.run("config", "sample").out
    numbers = []
    for attempts in (5, 7, 9):
        file = place.folder / "config.json"
        file.write_text(sample.replace(": 5", f": {attempts}"))
        assert place.run("config", "push", str(file), "--yes").code == 0
        shown = place.run("config", "show", "--json").json
        numbers.append(shown["generation"])
        assert shown["inForce"]["QtdeTentativasExec"] == attempts
    assert [it["generation"] for it in shown["generations"]] == numbers[::-1]
    back = place.run("config", "rollback", "--yes")
    assert back.code == 0, back
    assert f"Back to generation {numbers[1]}" in back.err
    assert place.run("config", "show", "--json").json["inForce"]["QtdeTentativasExec"] == 7
    assert place.run("config", "rollback", "--to", numbers[0], "--yes").code == 0
    assert place.run("config", "show", "--json").json["inForce"]["QtdeTentativasExec"] == 5
    assert place.run("config", "rollback", "--to", "1", "--yes").code == 3


def test_every_error_of_a_file_is_told_at_once(place: Place) -> None:
    file = place.folder / "config.json"
    info = {"QtdeTentativasExec": 0, "FatorTempoExecucao": "x"}
    file.write_text(json.dumps({"TotvsAppGlobalConfig": {"IntegrationSmartLinkInfo": info}}))
    ran = place.run("config", "check", str(file))
    assert ran.code == 1
    for name in ("QtdeTentativasExec", "FatorTempoExecucao", "MinutesInterval"):
        assert name in ran.err
