"""`messages list|show|timeline` and `logs`, as an operator sees them."""

import re
from dataclasses import replace
from datetime import timedelta

from smartlink.domain.message import LogLine, LogType, Message, State
from smartlink.domain.order import Order
from smartlink.operations.causes import code_of
from tests.cli.place import Place, golden
from tests.cli.samples import NEVER, NOW, dead, done, line, pending, waiting


def said(message: Message, text: str, kind: LogType, after: int) -> LogLine:
    at = NOW + timedelta(seconds=after)
    return line(text, message_id=message.id, type=kind, at=at, expires=NEVER)


AGE = re.compile(r" +[0-9]+d  ")


def know(place: Place, tenant: str = "acme") -> None:
    """As the first poll does."""
    place.store.save_state(tenant, place.store.states([tenant])[tenant])


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
        know(place, tenant)


def test_a_request_is_found_by_the_id_of_its_sender(place: Place) -> None:
    """Live and in the history, exactly, and it is told of each message."""
    own, other = (replace(pending(it), request_id=f"r-{it[2:]}") for it in ("m-1", "m-10"))
    place.keep("acme", own, other)
    place.end("acme", *done(replace(pending("m-0"), request_id="r-1"), replies=1))
    know(place)
    calls = {
        "messages list --json --request r-1": {("m-1", "r-1"), ("D-m-0/reply/1", "r-1")},
        "messages list --json --request ' r-1 ' --command SGDPDataCommand": {("m-1", "r-1")},
        "messages list --json --request r-1 --history": {("m-0", "r-1")},
        "messages list --json --request r": set(),
    }
    for call, ran in zip(calls, place.run_all(*calls), strict=True):
        assert {(it["id"], it["requestId"]) for it in ran.json} == calls[call]
    shown, empty = place.run_all("messages show m-1", "messages list --request ' '")
    assert re.search(r"Request +r-1\b", shown.out)
    assert (empty.code, "--request needs an id" in empty.err) == (2, True)


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
        golden(name, AGE.sub("   AGE  ", ran.out))


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


def test_an_error_line_is_found_whatever_came_after_it(place: Place) -> None:
    """The type is filtered before the limit."""
    know(place)
    at = NOW.replace(microsecond=0)
    lines = [
        line(f"line {n}", message_id=f"m-{n}", at=at + timedelta(seconds=n), expires=NEVER)
        for n in range(1, 1_499)
    ]
    worse = [
        line("the error", message_id="m-0", type=LogType.ERROR, at=at, expires=NEVER),
        line("the warning", message_id="m-1", type=LogType.WARNING, at=at, expires=NEVER),
    ]
    for start in range(0, 1_500, 300):
        place.keep("acme", logs=[*worse, *lines][start : start + 300])
    errors, warnings, newest = place.run_all(
        "logs --type error --json", "logs --type warning -t acme --json", "logs --limit 2 --json"
    )
    assert [it["text"] for it in errors.json] == ["the error"]
    assert {it["text"] for it in warnings.json} == {"the error", "the warning"}
    assert [it["text"] for it in newest.json] == ["line 1497", "line 1498"]


def test_the_history_is_filtered_before_the_limit(place: Place) -> None:
    """By the database where it can; else page by page, to the end."""
    know(place)
    first = dead("old-1", "Row 7 is locked", type="SGDPMaskCommand")
    place.end("acme", *done(first, ended=NOW))
    newer = [
        it
        for n in range(700)
        for it in done(pending(f"note-{n}"), ended=NOW + timedelta(seconds=60 + n))
    ]
    for start in range(0, len(newer), 100):
        place.end("acme", *newer[start : start + 100])
    calls = (
        "messages list --history -t acme --command SGDPMaskCommand --json",
        "messages list --history --error LOCKED --limit 1 --json",
        "messages list --history -d downstream -c SGDPMaskCommand -s concluida --json",
        f"messages list --history --print {code_of(first.error)} --json",
    )
    for call, ran in zip(calls, place.run_all(*calls), strict=True):
        assert [it["id"] for it in ran.json] == ["old-1"], (call, ran.err)
    paged = place.run("messages", "list", "--history", "--limit", "100", "--page", "8", "--json")
    assert [it["id"] for it in paged.json] == ["old-1"]
    assert "701-701 of 701 messages that fit" in paged.err


def test_a_list_has_pages_and_goes_by_age(place: Place) -> None:
    """The oldest first; how many there are and how to go on is told beside the list."""
    know(place)
    messages = [
        replace(pending(f"m-{n:03}"), received=NOW - timedelta(minutes=n)) for n in range(450)
    ]
    place.keep("acme", *messages)
    first, second, last, newest, beyond = place.run_all(
        "messages list --json",
        "messages list --page 2 --json",
        "messages list --limit 400 --page 2 --json",
        "messages list --sort newest --limit 1 --json",
        "messages list --page 99",
    )
    assert [it["id"] for it in first.json] == [f"m-{n:03}" for n in range(449, 399, -1)]
    assert first.err == "1-50 of 450 messages that fit; --page 2 goes on.\n"
    assert first.json[0]["ageSeconds"] > 449 * 60
    assert second.json[0]["id"] == "m-399"
    assert len(last.json) == 50
    assert last.err == "401-450 of 450 messages that fit.\n"
    assert [it["id"] for it in newest.json] == ["m-000"]
    assert "There is no page 99: 450 messages fit" in beyond.err


def test_ids_stay_whole(place: Place) -> None:
    """Where a table is too narrow they have lines of their own."""
    know(place)
    identity = f"{'0123456789abcdef' * 5}-{'long' * 10}"
    place.keep("acme", dead(identity), pending("b7d5c1f0-5b1c-4b0e-9c1d-0d4c7e0f8f11"))
    place.end("acme", *done(pending(f"x{identity}")))
    calls = (
        "messages list",
        "messages list --history",
        f"messages show {identity}",
        f"messages timeline {identity}",
        "logs",
    )
    for call, ran in zip(calls[:3], place.run_all(*calls[:3]), strict=True):
        assert identity in ran.out, call


def test_the_time_is_the_operators_own(place: Place) -> None:
    """`TZ`, or São Paulo for whoever works in Portuguese; with its zone; UTC for programs."""
    furnish(place)
    theirs = {"LANG": "pt_BR.UTF-8", "LC_ALL": "", "LC_MESSAGES": "", "SMARTLINK_LANG": ""}
    portuguese = place.run("logs", "--type", "error", **theirs)
    assert "09/03/2026 09:30:22 -03:00 ERRO acme req-3" in portuguese.out
    tokyo = place.run("messages", "list", "-s", "Aguardando", TZ="Asia/Tokyo", **theirs)
    assert "(+09:00)" in tokyo.out
    assert "09/03 21:45" in tokyo.out
    english = place.run("messages", "list", "-s", "Aguardando", TZ="Asia/Tokyo")
    assert "Next (+09:00)" in english.out
    assert "03-09 21:45" in english.out
    shown = place.run("messages", "show", "req-2", "--json", TZ="Asia/Tokyo").json
    assert shown["received"].startswith("2026-03-09T12:30:15")
    assert shown["received"].endswith("Z")


def test_stored_text_steers_no_terminal_and_forges_no_line(place: Place) -> None:
    """Control characters, marks of direction, codes of emoji, line breaks."""
    know(place)
    forged = "2026-03-09 12:30:20Z INFO acme all-is-well"
    evil = f"\x1b[2J\x9b31m\u202eabc\u2066:smile:\r\n{forged}\n[red]x[/red]"
    place.keep("acme", dead(f"id\n{forged}", evil))
    said = line(evil, message_id=f"id\n{forged}", type=LogType.ERROR, expires=NEVER)
    place.keep("acme", logs=[said])
    identity = place.run("messages", "list", "--json").json[0]["document"]
    calls = (
        "messages list",
        "messages list --json",
        f"messages show {identity}",
        f"messages show {identity} --json",
        f"messages timeline {identity}",
        "logs",
        "logs --json",
        "stats",
        "messages redrive --all",
    )
    for call, ran in zip(calls, place.run_all(*calls), strict=True):
        assert ran.code == 0, (call, ran)
        told = ran.out + ran.err
        assert all(it == "\n" or it.isprintable() for it in told), call
        assert ":smile:" in told, call
        assert "[red]x[/red]" in told or "--json" not in call, call
        assert not any(it.startswith(forged) for it in told.splitlines()), call


def test_what_is_blocked(place: Place) -> None:
    """What waits for its turn, behind what, and for how long."""

    def at(message: Message, key: str, number: str, *, queued: bool = True) -> Message:
        state = State.WAITING if queued else message.state
        order = Order(f"{message.type} /invoice {key}", number, "/invoice")
        return replace(message, order=order, state=state, queued=queued)

    place.keep(
        "acme",
        at(dead("A1", "The CPF is not in the payroll"), "A", "1", queued=False),
        at(pending("A2"), "A", "2"),
        at(pending("A3"), "A", "3"),
        at(waiting("B1"), "B", "4", queued=False),
        at(pending("B2"), "B", "5"),
        at(pending("C1"), "C", "6", queued=False),
    )
    know(place)
    shown, told, refused = place.run_all(
        "messages list --blocked",
        "messages list --blocked --json",
        "messages list --blocked --state Morta",
    )
    assert shown.code == 0
    for blocked, by in (("A2", "A1"), ("A3", "A1"), ("B2", "B1")):
        assert re.search(rf"{blocked} .* {by} ", shown.out), shown.out
    assert not re.search(r"^\W*acme\W+C1", shown.out, re.MULTILINE)
    seen = {
        (
            it["id"],
            it["blockedBy"]["id"],
            it["blockedBy"]["situacao"],
            it["blockedBy"]["deadReason"],
        )
        for it in told.json
    }
    assert seen == {
        ("A2", "A1", "Morta", "attempts-exhausted"),
        ("A3", "A1", "Morta", "attempts-exhausted"),
        ("B2", "B1", "Aguardando", None),
    }
    assert all(it["blockedSeconds"] > 0 for it in told.json)
    assert refused.code != 0
    assert "--blocked" in refused.err
