"""`messages list|show|timeline` and `logs`, as an operator sees them."""

from datetime import timedelta

from smartlink.domain.message import LogLine, LogType, Message
from tests.cli.place import Place, golden
from tests.support.samples import NEVER, NOW, dead, done, line, pending, waiting


def said(message: Message, text: str, kind: LogType, after: int) -> LogLine:
    at = NOW + timedelta(seconds=after)
    return line(text, message_id=message.id, type=kind, at=at, expires=NEVER)


def furnish(place: Place) -> None:
    failing = waiting("req-2")
    lost = dead("req-3", "The CPF 123 is not in the payroll")
    place.keep("acme", pending("req-1"), failing, lost)
    place.keep("globex", pending("other-1", command="SGDPMaskCommand"))
    place.end("acme", *done(pending("req-0"), replies=1))
    warning = "Failed in attempt 1 of 5, next at 12:45"
    place.store.log("acme", [said(failing, warning, LogType.WARNING, after=6)])
    place.store.log("acme", [said(lost, "Dead after attempt 5 of 5", LogType.ERROR, after=7)])
    for tenant in ("acme", "globex"):
        place.store.save_state(tenant, place.store.states([tenant])[tenant])


def test_screens(place: Place) -> None:
    """What is alive, what has ended, and all about one message, at 80 columns."""
    furnish(place)
    screens = {
        "messages_list": "messages list",
        "messages_list_history": "messages list --history",
        "messages_show_ended": "messages show req-0",
        "messages_show_dead": "messages show D-req-3 -t acme",
        "messages_timeline": "messages timeline req-2",
        "logs": "logs --tenant acme",
    }
    for name, ran in zip(screens, place.run_all(*screens.values()), strict=True):
        assert (ran.code, ran.err) == (0, "")
        golden(name, ran.out)


def test_filters(place: Place) -> None:
    """Each filter alone and together; `--json` may stand anywhere."""
    furnish(place)

    down = {"req-1", "req-2", "req-3", "other-1"}
    every = {*down, "D-req-0/reply/1"}
    expected = {
        "messages list --json": every,
        "messages list --json --state Morta": {"req-3"},
        "messages list --json --state Pendente": {"req-1", "other-1", "D-req-0/reply/1"},
        "messages list --json --command SGDPMaskCommand": {"other-1"},
        "messages list --json --direction downstream": down,
        "messages list --json --error payroll": {"req-3"},
        "messages list --json --older 1h": every,
        "messages list --json --newer 1h": set(),
        "messages list --tenant globex --json": {"other-1"},
        "messages list --json --state Morta --error PAYROLL --older 1h": {"req-3"},
        "--json messages list --direction upstream": {"D-req-0/reply/1"},
        "messages list --command SGDPMaskCommand --newer 1h --json": set(),
    }
    for call, ran in zip(expected, place.run_all(*expected), strict=True):
        assert ran.code == 0, ran.err
        assert {item["id"] for item in ran.json} == expected[call]


def test_show_as_json_has_everything_but_the_content(place: Place) -> None:
    """One document: attempts, logs and replies; the content only when it is asked for."""
    furnish(place)
    shown = place.run("--json", "messages", "show", "req-0", "--tenant", "acme").json
    assert [it["result"] for it in shown["attempts"]] == ["Concluida"]
    assert [it["text"] for it in shown["logs"]] == ["Executed in attempt 1 of 5"]
    assert [it["situacao"] for it in shown["replies"]] == ["Pendente"]
    assert shown["content"]["text"] is None
    with_content = place.run("messages", "show", "req-0", "--content", "--json").json
    assert with_content["content"]["text"] == '{"requestID": "r-1"}'


def test_logs_filter_by_type_and_message(place: Place) -> None:
    furnish(place)
    worse = place.run("logs", "--type", "warning", "--json").json
    assert [it["type"] for it in worse] == ["warning", "error"]
    assert place.run("logs", "-m", "req-3", "--type", "error", "--json").json[0]["tenant"] == "acme"


def test_logs_follow_goes_on_until_interrupted(place: Place) -> None:
    """What is written later appears; Ctrl-C ends it with 130 and no traceback."""
    furnish(place)
    with place.started("logs", "--follow", "--every", "0.2", "--json") as process:
        assert process.stdout is not None
        first = [process.stdout.readline() for _ in range(3)]
        assert all('"tenant": "acme"' in it for it in first)
        place.store.log(
            "acme", [said(pending("req-9"), "A new line", LogType.INFORMATION, after=60)]
        )
        assert "A new line" in process.stdout.readline()
        process.send_signal(2)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
