"""The command line in the reader's language."""

import re

from tests.cli.place import Place, Ran, golden
from tests.cli.test_reading import furnish
from tests.cli.test_tenants import client, credentials

__all__ = ["client"]

WIDE = {"SMARTLINK_LANG": "en-XA", "COLUMNS": "400"}  # nothing in brackets is broken or cut
AGE = re.compile(r" +[0-9]+ dias  ")
BRACKETED = re.compile(r"⟦[^⟦⟧]*⟧")
WORD = re.compile(r"[A-Za-z]{3,}")
DATA = (
    # RM's words, names, ids, and what others wrote: it is shown as it is.
    r"^smartlink: |gs://\S+|tid-\S+|client-\w+|cli-\w+|smartlink-tenant-\w+",
    "Situacao|Pendente|Executando|Aguardando|Morta|Concluida|Descartada",
    "Comando|Direcao|Execucao|MotivoMorte|UltimoErro|Resultado|Falha|Print",
    "Downstream|Upstream|GTotvsLink[A-Za-z]+|LOG[A-Z]+|Qtd[a-zA-Z]+|INFO|WARN|ERRO",
    "MinutesInterval|FatorTempoExecucao|requestID|RAC|Firestore|default",
    r"SGDP[A-Za-z]*|acme|globex|req-\d|reply|other|gone|attempts-exhausted",
    "Connection refused by the ERP's database at|The CPF|is not in the payroll",
    r"Failed in attempt \d of \d, next at|Dead after attempt \d of \d|Executed in attempt \d",
    "ana|messages show --content|shown",  # what the audit has
    "smartlink [a-z ]*|make deploy|FILE --yes",  # what is typed as it stands
)
UNTRANSLATED = re.compile("|".join(DATA), re.MULTILINE)


def left(ran: Ran) -> set[str]:
    """The words outside all brackets that are no data."""
    text, before = ran.out + ran.err, ""
    while text != before:
        before, text = text, BRACKETED.sub(" ", text)
    return set(WORD.findall(UNTRANSLATED.sub(" ", text)))


def untranslated(calls: tuple[str, ...], ran: list[Ran]) -> dict[str, set[str]]:
    for call, it in zip(calls, ran, strict=True):
        assert "Traceback" not in it.err, (call, it)
        assert "⟦" in it.out + it.err or call == "logs", (call, it)
    return {call: left(it) for call, it in zip(calls, ran, strict=True) if left(it)}


def test_no_word_of_a_screen_is_left_untranslated(place: Place) -> None:
    """In a language that does not exist, what is not in brackets is data."""
    furnish(place)
    calls = (
        "messages list",
        "messages list --history",
        "messages list --limit 1",
        "messages list --state Morta --command SGDPMaskCommand",
        "messages show req-0",
        "messages show D-req-3 -t acme --content",
        "messages timeline req-2",
        "messages redrive --all",
        "messages redrive req-1",
        "messages discard --all --waiting",
        "messages hold --tenant acme",
        "logs",
        "stats",
        "tenants list",
        "tenants show acme",
        "audit",
        "purge --keep-days 90",
    )
    ran = place.run_all(*calls, **WIDE)
    assert untranslated(calls, ran) == {}
    assert {it.code for it in ran} == {0}


def test_no_word_of_a_refusal_is_left_untranslated(place: Place) -> None:
    """What the command line refuses, what operations refuse, and what typer finds."""
    furnish(place)
    calls = (
        "config check /nowhere",
        "config rollback",
        "config show",
        "tenants show amce",
        "tenants adopt acme --reason R",
        "messages list --command SGDPDataComand",
        "messages show lost",
        "messages list --state Mrta",
        "messages list --older 3x",
        "messages list --print x",
        "messages redrive",
        "messages redrive --all --yes",
        "messages redrive req-0",
        "messages hold --all --received-after x",
        "purge --keep-days 1",
        "messages list --page 0",
        "messages list --limit x",
        "messages list --sort x",
        "messages list --nothing",
        "messages lst",
        "messages list --tenant",
        "messages show",
        "tenants list --project p",
        "tpd check",
        "tpd check --url-env NOTHING_SET",
        "logs --lang xx",
    )
    ran = place.run_all(*calls, **WIDE)
    assert untranslated(calls, ran) == {}
    assert {call for call, it in zip(calls, ran, strict=True) if it.code == 0} == {"config show"}


def test_no_word_of_an_act_or_a_check_is_left_untranslated(place: Place, client: str) -> None:
    """The steps of an act, and the checks."""
    secret = credentials(client)
    texts = {
        "tenants activate acme --from-file - --reason R": secret,
        "tenants activate acme --from-file -": secret,
        "tenants rotate acme --from-file - --reason R": secret,
        "tenants disable acme --reason R": None,
        "tenants disable acme": None,
        "tenants check acme": None,
        "tenants enable acme --reason R": None,
        "publish acme T --reason R": "",
        "doctor": None,
    }
    ran = [place.run(*call.split(), text=text, **WIDE) for call, text in texts.items()]
    assert untranslated(tuple(texts), ran) == {}


def test_portuguese_screens(place: Place) -> None:
    """As a Brazilian operator sees them; `--json` and the exit codes are the same."""
    furnish(place)
    calls = (
        "tenants list",
        "messages list --state Morta",
        "messages redrive --all",
        "messages show lost",
        "messages redrive --all --yes",
        "messages list --json --state Morta",
    )
    english = place.run_all(*calls)
    ran = place.run_all(*(f"{call} --lang pt-BR" for call in calls))
    assert [it.code for it in ran] == [it.code for it in english] == [0, 0, 0, 3, 2, 0]
    golden("pt_tenants_list", ran[0].out)
    golden("pt_messages_list", AGE.sub("   IDADE  ", ran[1].out))
    golden("pt_redrive_dry_run", ran[2].out)
    assert ran[3].err.startswith("smartlink: Não existe a mensagem 'lost' de nenhum tenant em ")
    assert ran[4].err == (
        "smartlink: --yes precisa de --reason: o motivo fica em GTotvsLinkLog com o seu nome\n"
    )
    ages = re.compile(r'"ageSeconds": \d+')
    assert ages.sub("", ran[5].out) == ages.sub("", english[5].out)
