"""`audit`: whatever an operator does is on record, with who and why."""

import json

from smartlink.adapters.firestore.audit import FirestoreAudit
from smartlink.adapters.firestore.calls import FirestoreCalls
from smartlink.adapters.google.secret_manager_operator import OperatorSecretManager
from smartlink.operations.ports import AuditRecord
from tests.cli.place import Place
from tests.cli.samples import NOW, dead
from tests.support.world import secret


def furnish(place: Place) -> None:
    place.make_buckets()
    OperatorSecretManager(place.project, emulator=place.hosts.secrets).create(
        "acme", secret(), None
    )
    place.keep("acme", dead("a-1"), dead("a-2"), dead("a-3", "No such person"))


def test_everything_that_is_done_is_on_record(place: Place) -> None:
    """The newest first; a dry run, a look and a refusal are no acts."""
    furnish(place)
    config = place.folder / "config.json"
    sample = place.run("config", "sample")
    assert sample.code == 0, sample.err
    config.write_text(sample.out)
    why = ("--reason", "Ticket 4711")
    calls = (
        ("tenants", "disable", "acme", *why),
        ("tenants", "enable", "acme"),
        ("messages", "redrive", "-t", "acme"),
        ("messages", "redrive", "a-1", "--yes", *why),
        ("messages", "discard", "-t", "acme", "--error", "refused", "--yes", *why),
        ("messages", "list"),
        ("messages", "show", "a-1"),
        ("messages", "show", "a-1", "--content", *why),
        ("messages", "export", "a-1", str(place.folder / "m.json")),
        ("config", "push", str(config), "--yes", *why),
        ("purge", "--keep-days", "60", "--yes", *why),
    )
    for call in calls:
        ran = place.run(*call)
        assert ran.code == 0, (call, ran)
        silent = call[:2] in {("tenants", "enable"), ("messages", "export")}
        assert ("No reason is given, and that is on record" in ran.err) is silent, (call, ran)
    assert place.run("publish", "acme", "Aviso", "--id", "p-1", text="x").code == 0
    found = place.run("audit", "--json").json
    told = [(it["act"], it["target"], it["done"], it["reason"]) for it in reversed(found)]
    uri = f"gs://{place.project}-config/totvsAppConfig_v2.json"
    reason = "Ticket 4711"
    assert told[:7] == [
        ("tenants disable", "acme", None, reason),
        ("tenants enable", "acme", None, None),
        ("messages redrive", "a-1", 1, reason),
        ("messages discard", "--tenant acme --error refused", 1, reason),
        ("messages show --content", "D-a-1", 1, reason),
        ("messages export", "D-a-1", 1, None),
        ("config push", uri, None, reason),
    ]
    assert [it[0] for it in told[7:]] == ["purge", "publish"]
    assert {(it["who"], it["verified"]) for it in found} == {("ana", False)}
    assert all(it["result"] for it in found)
    by_act = {it["act"]: it for it in found}
    enabled = by_act["tenants enable"]
    assert (enabled["before"]["enabled"], enabled["after"]["enabled"]) == ("False", "True")
    assert by_act["publish"]["after"]["id"] == "p-1"
    pushed = by_act["config push"]
    assert pushed["before"]["generation"] == "none"
    assert pushed["after"]["QtdeTentativasExec"] == "5"
    assert "s3cret" not in json.dumps(found)
    shown = place.run("audit", "--act", "redrive", "-t", "acme")
    assert "ana (claimed, not verified)" in shown.out
    assert "Ticket 4711" in shown.out
    assert "Redrive messages: a-1" in shown.out
    assert "iscard" not in shown.out
    shown = place.run("audit", "--act", "reenviar", SMARTLINK_LANG="pt-BR")
    assert "Reenviar mensagens: a-1" in shown.out


def test_a_failure_and_a_forged_name_on_record(place: Place) -> None:
    """What fails has its failure for a result; what is stored forges no line."""
    furnish(place)
    audit = FirestoreAudit(
        FirestoreCalls(place.project, "smartlink-audit", emulator=place.hosts.firestore)
    )
    for number in range(350):
        audit.create(
            AuditRecord(
                id=f"r-{number:03}",
                act="publish\nforged",
                who="x\x1b[2J",
                verified=False,
                at=NOW,
                target="T",
            )
        )
    login = '{"clientId": "nobody", "clientSecret": "s3cret"}'
    refused = place.run("tenants", "rotate", "acme", "--from-file", "-", text=login)
    assert refused.code != 0
    all_of_them, as_json = place.run_all("audit --limit 1000", "audit --limit 1000 --json")
    assert "\x1b" not in all_of_them.out
    assert "\nforged" not in all_of_them.out
    found = as_json.json
    assert len(found) == 351
    assert found[0]["act"] == "tenants rotate"
    assert found[0]["result"].startswith("failed: ")
    assert found[1]["result"] is None
