"""`messages redrive|discard`: a dry run first; then all or some, stopped and gone on with."""

import time
from dataclasses import replace

from smartlink.adapters.firestore.calls import Fill
from smartlink.adapters.firestore.documents import HISTORY, LIVE, LOGS
from smartlink.adapters.firestore.operator import OperatorCalls
from smartlink.adapters.firestore.values import Raw, plain, put_time
from smartlink.domain.message import DeadReason, State
from smartlink.domain.order import Order
from tests.cli.place import Place, golden
from tests.cli.samples import NEVER, NOW, dead, done, line, pending, waiting

COMMITS = 10  # messages a second: slow enough to be stopped on the way


def states(place: Place, tenant: str) -> dict[str, State]:
    return {it.message.id: it.message.state for it in place.store.live(tenant, {})}


def furnish(place: Place, *tenants: str) -> None:
    for tenant in tenants:
        place.store.save_state(tenant, place.store.states([tenant])[tenant])


def test_a_dry_run_changes_nothing_and_counts(place: Place) -> None:
    """Counts by tenant, command and error; what cannot be redriven is named."""
    furnish(place, "acme", "globex")
    place.keep("acme", dead("a-1"), dead("a-2"), dead("a-3", "No such person"), pending("a-4"))
    place.keep("globex", dead("g-1"), dead("g-2", dead_reason=DeadReason.MALFORMED))
    before = [list(place.store.live(tenant, {})) for tenant in ("acme", "globex")]
    ran = place.run("messages", "redrive", "--all")
    assert ran.code == 0
    assert "Skipped D-g-2 of globex: its envelope is malformed" in ran.err
    golden("redrive_dry_run", ran.out)
    assert [list(place.store.live(tenant, {})) for tenant in ("acme", "globex")] == before


def test_redrive_starts_anew_and_says_who_and_why(place: Place) -> None:
    """Pending, due now, no attempt made, the old ones kept; the log line is in the same commit."""
    furnish(place, "acme")
    place.keep("acme", dead("a-1"), dead("a-2", "No such person"))
    ran = place.run(
        "messages", "redrive", "-t", "acme", "--error", "refused", "--yes", "-r", "ERP is back"
    )
    assert (ran.code, ran.out) == (0, "1 messages redriven.\n")
    [stored] = [it for it in place.store.live("acme", {}) if it.message.id == "a-1"]
    message = stored.message
    assert (message.state, message.attempt, message.dead_reason) == (State.PENDING, 0, None)
    assert message.due is not None
    assert len(message.attempts) == 1
    assert [(it.text, it.at) for it in place.store.lines_of("acme", "a-1")] == [
        ("Redriven after 5 attempts (attempts-exhausted) by ana: ERP is back", message.due)
    ]
    assert states(place, "acme")["a-2"] is State.DEAD
    again = place.run("messages", "redrive", "a-1", "--yes", "--reason", "x")
    assert again.code == 0
    assert "is Pendente, not Morta: nothing to do" in again.err


def test_discard_of_what_waits(place: Place) -> None:
    """By its id, or with --waiting; a bulk discard without it says what it passed over."""
    furnish(place, "acme")
    place.keep("acme", waiting("w-1"), waiting("w-2"))
    bulk, dry = place.run_all(
        "messages discard -t acme --yes -r x", "messages discard -t acme --waiting"
    )
    one = place.run("messages", "discard", "w-1", "--yes", "-r", "Cancelled")
    told = " ".join(bulk.err.split())
    assert "0 messages discarded" in bulk.out
    assert "None of the 2 messages that fit is dead (Morta): 2 Aguardando. Add --waiting" in told
    assert "2 dead or waiting messages would be discarded" in dry.out
    assert "1 messages discarded" in one.out
    assert states(place, "acme") == {"w-2": State.WAITING}
    assert "Cancelled" in place.store.lines_of("acme", "w-1")[0].text
    rest = place.run("messages", "discard", "-t", "acme", "--waiting", "--yes", "-r", "x")
    assert rest.code == 0
    assert states(place, "acme") == {}


def test_discard_moves_to_the_history(place: Place) -> None:
    """Discarded once: the second time there is nothing to do, and no redrive is possible."""
    furnish(place, "acme")
    place.keep("acme", dead("a-1"))
    ran = place.run("messages", "discard", "a-1", "--yes", "-r", "Test data", "--json")
    assert ran.json["done"] == 1
    ended = place.store.history("acme", ["D-a-1"])["D-a-1"]
    assert ended.ending.value == "Descartada"
    before = dead("a-1")
    assert ended.message.content == before.content
    assert ended.message.attempts == before.attempts
    assert (ended.message.error, ended.message.type) == (before.error, before.type)
    assert states(place, "acme") == {}
    assert "Discarded by ana: Test data" in place.store.lines_of("acme", "a-1")[0].text
    again, redrive = place.run_all(
        "messages discard a-1 --yes -r x", "messages redrive a-1 --yes -r x"
    )
    assert (again.code, redrive.code) == (0, 4)
    assert "never executed twice" in redrive.err


def test_ctrl_c_in_a_bulk_redrive_and_its_resumption(place: Place) -> None:
    """Between two commits, with 130; the job is left, and watching it goes on; each once.

    No function `operate` runs here: the command itself works its operator's own jobs off.
    """
    furnish(place, "acme")
    place.keep("acme", *(dead(f"a-{number:03}") for number in range(60)))
    bulk = ("messages", "redrive", "-t", "acme", "--yes", "-r", "Outage")
    with place.started(*bulk, "--rate", str(COMMITS)) as process:
        deadline = time.monotonic() + 30
        while place.store.count_live("acme", {"Situacao": "Pendente"}) == 0:
            assert time.monotonic() < deadline
        process.send_signal(2)
        out, err = process.communicate(timeout=20)
    assert process.returncode == 130, out + err
    assert "Traceback" not in err
    [job] = place.run("jobs", "list", "--json").json
    assert f"smartlink jobs watch {job['job']} goes on" in err
    left = list(states(place, "acme").values()).count(State.DEAD)
    assert 0 < left < 60
    assert (job["done"], job["situacao"], job["matched"]) == (60 - left, "Aguardando", 60)
    again = place.run("jobs", "watch", job["job"], "--json")
    assert (again.code, again.json["done"], again.json["atLeast"]) == (0, 60, False)
    assert set(states(place, "acme").values()) == {State.PENDING}
    lines = list(place.store.newest_lines("acme"))
    assert len(lines) == 60


def test_wrong_usage(place: Place) -> None:
    """Exit code 2, and the fix."""
    calls = {
        "messages redrive": "say which to redrive",
        "messages redrive --all --yes": "--yes needs --reason",
        "messages list --older soon": "'soon' is no age",
        "messages list --state Concluida": "add --history",
        "messages list --print xyz": "is no fingerprint",
        "messages list --tenant NOPE!": "is no tenant name",
    }
    for call, ran in zip(calls, place.run_all(*calls), strict=True):
        assert ran.code == 2, call
        assert calls[call] in ran.err
        assert "Traceback" not in ran.err


def test_names_that_do_not_exist(place: Place) -> None:
    """Exit code 3 and what is meant perhaps, in every command, before anything else."""
    furnish(place, "acme")
    place.keep("acme", dead("a-1"))
    calls = [
        "messages list -t acm",
        "messages show a-1 -t acm",
        "messages timeline a-1 -t acm",
        "messages export a-1 x.json -t acm",
        "messages redrive -t acm --yes",
        "messages discard a-1 -t acm --yes -r x",
        "messages hold -t acm",
        "logs -t acm",
        "logs -t acm --follow",
        "stats -t acm",
        "purge --keep-days 1 -t acm",
        "tenants show acm",
        "tenants check acm",
        "tenants enable acm",
        "tenants disable acm",
        "tenants rotate acm",
        "tenants adopt acm --reason x",
        "publish acm Aviso",
        "publish acm Aviso --downstream",
    ]
    for call, ran in zip(calls, place.run_all(*calls), strict=True):
        assert ran.code == 3, (call, ran)
        assert "did you mean acme?" in " ".join(ran.err.split()), (call, ran)
    others = {
        "messages list --command SGDPDataComand": "did you mean SGDPDataCommand",
        "messages list --history -c sgdpmaskcommand": "did you mean SGDPMaskCommand",
        "messages redrive -c Nothing --yes -r x": "No message has the command Nothing",
        "messages list --state mort": "did you mean Morta?",
        "messages list --history --state concluido": "did you mean Concluida?",
    }
    for call, ran in zip(others, place.run_all(*others), strict=True):
        assert ran.code == 3, (call, ran)
        assert others[call] in " ".join(ran.err.split()), (call, ran)


def test_a_type_that_only_messages_have_is_a_command(place: Place) -> None:
    """What is sent has types of its senders' own."""
    furnish(place, "acme")
    place.keep("acme", pending("p-1", command="PaymentRequested"))
    [found] = place.run("messages", "list", "-c", "PaymentRequested", "--json").json
    assert found["id"] == "p-1"


def test_redriving_what_is_not_dead_says_so(place: Place) -> None:
    furnish(place, "acme")
    place.keep("acme", waiting("w-1"), waiting("w-2"), pending("p-1"))
    dry, done_, as_json = place.run_all(
        "messages redrive -t acme",
        "messages redrive -t acme --error refused --yes -r x",
        "messages redrive -t acme --json",
    )
    assert "None of the 3 messages that fit is dead (Morta): 1 Pendente, 2 Aguardando" in dry.err
    assert "None of the 2 messages that fit is dead (Morta): 2 Aguardando" in done_.err
    assert as_json.json["notDead"] == {"Pendente": 1, "Aguardando": 2}


def test_the_same_cause_by_its_print(place: Place) -> None:
    """The fingerprint that `stats` shows groups lists and dry runs, and selects what is done."""
    furnish(place, "acme")
    rows = [dead(f"r-{n}", f"Row {n} is locked") for n in range(3)]
    place.keep("acme", *rows, dead("x-1", "No such person"), waiting("w-1", "Row 9 is locked"))
    listed = place.run("messages", "list", "--json").json
    [code] = {it["print"] for it in listed if it["id"].startswith("r-")}
    assert [it["print"] for it in listed if it["id"] == "w-1"] == [code]
    shown, stats, dry = place.run_all("messages list", "stats", f"messages discard --print {code}")
    assert f"4     3  {code}  Row <n> is locked" in shown.out
    assert f"4     3  {code}  Row <n> is locked" in stats.out
    assert f"3  acme    SGDPDataCommand  {code}  Row <n> is locked" in dry.out
    ran = place.run("messages", "redrive", "--print", code, "--yes", "-r", "The lock is gone")
    assert ran.out == "3 messages redriven.\n"
    assert states(place, "acme")["x-1"] is State.DEAD
    assert states(place, "acme")["w-1"] is State.WAITING


def edit(place: Place, tenant: str, document: str, **fields: str) -> None:
    """As a person, or another version, writes into a live document."""

    def write(raw: Raw) -> None:
        raw.update.name = place.store._in(tenant, LIVE, document)  # noqa: SLF001
        for name, text in fields.items():
            raw.update.fields[name].string_value = text
        raw.update_mask.field_paths.extend(fields)

    fills: list[Fill] = [write]
    OperatorCalls(place.project, emulator=place.hosts.firestore).write_each("edit", fills)


def kept(place: Place, tenant: str, identity: str) -> str | None:
    ended = place.store.history(tenant, [f"D-{identity}"])[f"D-{identity}"]
    return ended.message.content.text


def test_in_bulk_as_by_id_the_content_is_kept(place: Place) -> None:
    """A list leaves contents out; what is written to the history is the whole message."""
    furnish(place, "acme")
    place.keep("acme", dead("a-1"), dead("a-2"), dead("a-3"))
    place.run("messages", "discard", "a-1", "--yes", "-r", "x")
    place.run("messages", "discard", "-t", "acme", "--error", "refused", "--yes", "-r", "x")
    assert {kept(place, "acme", f"a-{n}") for n in (1, 2, 3)} == {'{"requestID": "r-1"}'}
    shown = place.run("messages", "show", "a-3", "--content")
    assert '{"requestID": "r-1"}' in shown.out
    assert "personal" not in shown.out


def test_what_may_have_been_done_is_left_out_and_named(place: Place) -> None:
    """By --all, by filters and by its id, for each such reason; its flag takes it along."""
    furnish(place, "acme")
    unknown = dead("a-1", dead_reason=DeadReason.UNKNOWN_OUTCOME)
    unwritten = dead("a-2", dead_reason=DeadReason.UNWRITTEN_OUTCOME)
    place.keep("acme", unknown, unwritten, dead("a-3"))
    calls = (
        "messages redrive --all",
        "messages redrive --all --limit 1 --yes -r x",
        "messages redrive -t acme --error refused --yes -r x",
        "messages redrive a-1 --yes -r x",
    )
    for call in calls:
        ran = place.run(*call.split())
        assert ran.code == 0
        assert "Skipped D-a-1 of acme: it may have been done (outcome-unknown)" in ran.err
        if "a-1" not in call:
            assert "Skipped D-a-2 of acme: it may have been done (outcome-unwritten)" in ran.err
    assert states(place, "acme") == {
        "a-1": State.DEAD,
        "a-2": State.DEAD,
        "a-3": State.PENDING,
    }
    named = place.run("messages", "redrive", "--all", "--yes", "-r", "x", "--json").json
    assert [it["id"] for it in named["leftOut"]] == ["a-1", "a-2"]
    ran = place.run("messages", "redrive", "--all", "--outcome-unknown", "--yes", "-r", "looked")
    assert ran.out == "2 messages redriven.\n"
    assert {it.message.undone for it in place.store.live("acme", {})} == {True, False}


def test_hold_after_a_restore(place: Place) -> None:
    """What lives is dead as outcome-unknown; who, why and what it was stand in its log."""
    furnish(place, "acme", "globex")
    reply = done(pending("a-0"), replies=1)
    place.end("acme", *reply)
    place.keep("acme", pending("a-1"), waiting("a-2"), dead("a-3"))
    held = dead("a-4", dead_reason=DeadReason.UNKNOWN_OUTCOME)
    place.keep("acme", held, dead("a-5", dead_reason=DeadReason.MALFORMED))
    place.keep("globex", pending("g-1"))
    later, dry, usage, odd = place.run_all(
        "messages hold --received-after 2099-01-01 --yes -r x",
        "messages hold --received-after 2026-03-09T12:00Z",
        "messages hold --yes -r x",
        "messages hold --received-after yesterday",
    )
    assert (later.code, later.out) == (0, "0 messages held.\n")
    assert "Dry run, nothing was changed: 5 live messages would be held." in dry.out
    assert (usage.code, odd.code) == (2, 2)
    ran = place.run(
        *[
            "messages",
            "hold",
            "-t",
            "acme",
            "--received-after",
            "2026-03-09T12:00",
            "--yes",
            "-r",
            "Restored",
        ]
    )
    assert (ran.code, ran.out) == (0, "4 messages held.\n")
    assert states(place, "globex") == {"g-1": State.PENDING}
    reasons = {it.message.id: it.message.dead_reason for it in place.store.live("acme", {})}
    assert reasons.pop("a-5") is DeadReason.MALFORMED
    assert set(reasons.values()) == {DeadReason.UNKNOWN_OUTCOME}
    assert len(reasons) == 5
    [line] = place.store.lines_of("acme", "a-2")
    assert line.text == "Held after 1 attempts (Aguardando) by ana: Restored"
    whole = place.store.read("acme", ["D-a-2"])["D-a-2"].message
    assert (whole.error, whole.due, whole.claim) == ("Held by ana: Restored", None, None)
    again = place.run("messages", "hold", "--all", "--yes", "-r", "x")
    assert again.out == "1 messages held.\n"


def test_what_cannot_be_read_is_shown_and_given_up(place: Place) -> None:
    """Its fields are shown, its content when it is asked for; all of them are kept for a while."""
    furnish(place, "acme")
    place.keep("acme", pending("a-1"), pending("a-2"), dead("a-3"))
    edit(place, "acme", "D-a-2", Situacao="Suspensa", DeOutraVersao="perhaps a content")
    edit(place, "acme", "D-a-3", QtdeTentativaExec="five")
    listed, as_json, show, content, shown, redrive, dry = place.run_all(
        "messages list",
        "messages list --json",
        "messages show a-2",
        "messages show D-a-2 --content",
        "messages show a-2 --json",
        "messages redrive a-2 --yes -r x",
        "messages discard a-2",
    )
    assert (listed.code, as_json.code) == (0, 0)
    assert "2 cannot be read" in listed.out
    assert {it["document"] for it in as_json.json if it.get("unreadable")} == {"D-a-2", "D-a-3"}
    assert "Suspensa" in show.out
    assert "r-1" not in show.out
    assert "perhaps a content" not in show.out
    assert "r-1" in content.out
    assert "perhaps a content" in content.out
    assert shown.json["fields"]["ID"] == "a-2"
    assert redrive.code == 4
    assert "It would be discarded as it is" in " ".join(dry.out.split())
    bulk = place.run("messages", "discard", "--all", "--yes", "-r", "x")
    assert "Skipped D-a-3 of acme: it cannot be read" in bulk.err
    ran = place.run("messages", "discard", "a-2", "--yes", "-r", "Of the release before")
    assert (ran.code, ran.out) == (0, "1 messages discarded.\n")
    assert place.store.alive("acme", ["D-a-2"]) == {}
    [found] = place.store._more.get("look", [place.store._in("acme", HISTORY, "D-a-2")])  # noqa: SLF001
    fields = {name: plain(value) for name, value in found.fields.items()}
    assert fields["Conteudo"] == '{"requestID": "r-1"}'
    assert (fields["Situacao"], fields["Original"]) == ("Descartada", {"Situacao": "Suspensa"})
    assert fields["DeOutraVersao"] == "perhaps a content"
    assert found.fields["DataExpiracao"].HasField("timestamp_value")
    assert "Of the release before" in place.store.lines_of("acme", "a-2")[-1].text


def test_what_has_ended_before_under_its_id_is_discarded_beside_it(place: Place) -> None:
    """One by its id, many at once, one that nobody can read: no record is lost, and it is told."""
    furnish(place, "acme")
    names = [f"a-{number}" for number in range(5)]
    for name in names:
        place.end("acme", *done(pending(name, text=f'{{"first": "{name}"}}')))
    place.keep("acme", *(dead(name) for name in names))
    edit(place, "acme", "D-a-4", Situacao="Suspensa")
    before = place.store.history("acme", [f"D-{name}" for name in names])
    said = "had ended before under the same id"
    for call, number in (("a-0", 1), ("a-4", 1), ("--all", 3)):
        ran = place.run("messages", "discard", call, "--yes", "-r", "Sent twice")
        assert ran.code == 0, ran.err
        assert f"{number} messages discarded. {number} of them {said}" in ran.out.replace("\n", " ")
    assert list(place.store.live("acme", {})) == []
    assert place.store.history("acme", list(before)) == before
    for name in names:
        [other] = place.store.reused("acme", f"D-{name}")
        [found] = place.store._more.get("look", [place.store._in("acme", HISTORY, other)])  # noqa: SLF001
        fields = {field: plain(value) for field, value in found.fields.items()}
        assert (fields["ID"], fields["Situacao"]) == (name, "Descartada")
        assert fields["Conteudo"] == '{"requestID": "r-1"}'
    shown = place.run("messages", "show", place.store.reused("acme", "D-a-1")[0], "-t", "acme")
    assert "Descartada" in shown.out


def test_of_a_personal_one_that_cannot_be_read_no_content_is_kept(place: Place) -> None:
    """Nor a field that nobody knows: it may be one."""
    furnish(place, "acme")
    place.keep("acme", replace(pending("a-1"), personal=True))
    edit(place, "acme", "D-a-1", Situacao="Suspensa", DeOutraVersao="perhaps a content")
    assert place.run("messages", "discard", "a-1", "--yes", "-r", "x").code == 0
    [found] = place.store._more.get("look", [place.store._in("acme", HISTORY, "D-a-1")])  # noqa: SLF001
    assert "ConteudoHash" in found.fields
    assert not {"Conteudo", "DeOutraVersao"} & set(found.fields)


def test_an_odd_history_and_odd_lines_stop_no_screen(place: Place) -> None:
    furnish(place, "acme")
    place.end("acme", *done(pending("a-0")))
    place.keep("acme", dead("a-1"), logs=[line("fine", message_id="a-1", expires=NEVER)])

    def write(raw: Raw) -> None:
        raw.update.name = place.store._in("acme", HISTORY, "D-a-0")  # noqa: SLF001
        raw.update.fields["Situacao"].integer_value = 7
        raw.update_mask.field_paths.append("Situacao")

    def write_line(raw: Raw) -> None:
        raw.update.name = place.store._in("acme", LOGS, "odd")  # noqa: SLF001
        raw.update.fields["IDMENSAGEM"].string_value = "a-1"
        put_time(raw.update.fields["LOGDATE"], NOW)

    fills: list[Fill] = [write, write_line]
    place.store._more.write_each("edit", fills)  # noqa: SLF001
    history, stats, show, gone, lines = place.run_all(
        "messages list --history",
        "stats",
        "messages show a-1",
        "messages show a-0",
        "logs -t acme",
    )
    for ran in (history, stats, show, gone, lines):
        assert ran.code == 0, ran.err
    assert "cannot be read" in history.out
    assert "cannot be read" in lines.out
    assert "cannot be read" in show.out
    assert "Situacao is of the kind integer" in gone.out


def test_what_waited_behind_a_discarded_one_goes_on(place: Place) -> None:
    """Of an ordered command: it is due at once, whether what held it back can be read or not."""
    furnish(place, "acme")
    names = ("A1", "A2", "A3", "B1", "B2")
    for number, name in enumerate(names):
        message = dead(name) if name.endswith("1") else pending(name)
        order = Order(f"SGDPDataCommand /invoice {name[0]}", f"{number:04d}", "/invoice")
        state = {} if name.endswith("1") else {"state": State.WAITING, "due": NEVER, "queued": True}
        place.keep("acme", replace(message, order=order, **state))  # type: ignore[arg-type]
    edit(place, "acme", "D-B1", Situacao="Suspensa")
    for name in ("A1", "B1"):
        assert place.run("messages", "discard", name, "--yes", "-r", "it was done").code == 0
    found = place.store.read("acme", [f"D-{name}" for name in ("A2", "A3", "B2")])
    due = {document: it.message.due for document, it in found.items()}
    assert due["D-A3"] == NEVER, "A2 comes first"
    assert due["D-A2"] != NEVER
    assert due["D-B2"] != NEVER
