"""What operators read: every text is marked, stands in both catalogues, and is translated whole."""

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.catalog import Message

from infra.catalogues import (
    LANGUAGES,
    PLACES,
    compiled,
    mo_file,
    po_file,
    read,
    strings,
    template,
    updated,
    written,
)
from infra.cli import help as own_help
from infra.cli.app import built
from smartlink.i18n import Language, speak
from tests.project.checkout import ROOT

HOW = "run `make texts`, and write what it leaves without a translation"
UNMARKED = frozenset(
    # RM's words, names, and what is typed as it stands.
    {
        "Chave",
        "Comando",
        "Direcao",
        "Execucao",
        "GTotvsLinkLog",
        "LOGDATE",
        "LOGMENSAGEM",
        "LOGTYPE",
        "MotivoMorte",
        "Ordem",
        "Print",
        "Resultado",
        "Situacao",
        "UltimoErro",
        "ERP",
        "Firestore",
        "RAC",
        "UTF-8",
        "smartlink",
    }
)
COMMANDS = re.compile(r"(smartlink|make|gcloud) |SMARTLINK_PATHS|smart_link = ")
SAME = frozenset(
    # What is in Portuguese as it is in English.
    {
        ": smartlink tenants activate.",
        ": smartlink tenants list.",
        "Msgs",
        "Setup",
        "Tenant",
        "Tenants",
        "Token",
        "broker",
        "foreign table",
        "log ({kind})",
        "log: {text}",
        "publish",
        "totvsAppConfig_v2.json: {problems}",
        "view",
        "{count} bytes",
        "{count} tenants",
        "{table}, rule {name}",
        "{table}, trigger {name}",
        "{table}, view {name}",
        "{size} bytes, SHA-256 {sha256}…",
        "{type}, {size} bytes",
    }
)
FORMULA = "QtdMinutos = MinutesInterval * FatorTempoExecucao * QtdeTentativasExec * n"
CONTROLLERS = "tpd_report"  # the controller's report, which is in Portuguese for everybody


def modules() -> Iterator[tuple[Path, ast.Module]]:
    for place in PLACES:
        for path in sorted((ROOT / place).rglob("*.py")):
            yield path, ast.parse(path.read_text(encoding="utf-8"))


def called(node: ast.AST) -> tuple[str, list[ast.expr]]:
    """The name of a called function, and its arguments."""
    if not isinstance(node, ast.Call):
        return "", []
    name = node.func.id if isinstance(node.func, ast.Name) else ""
    return name, node.args


def fields(text: str) -> list[str]:
    try:
        found = list(string.Formatter().parse(text))
    except ValueError:
        return []
    return sorted(f"{name}!{how}:{spec}" for _, name, spec, how in found if name is not None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_catalogues_are_as_the_code_is(language: Language) -> None:
    """Every text of the code stands in them and no other, and the compiled ones are theirs."""
    own = updated(language, template())
    assert po_file(language).read_bytes() == written(own), HOW
    assert mo_file(language).read_bytes() == compiled(read(language)), HOW


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_is_translated_whole(language: Language) -> None:
    """With the same fields, and the same blanks at its ends, for it may be put to another."""
    wrong = [text for it in read(language) if it.id for text in faults(it)]
    assert wrong == [], HOW


def faults(message: Message) -> Iterator[str]:
    ids = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    own = strings(message)
    if not all(own) or len(own) != len(ids):
        yield f"not translated: {ids[0]!r}"
        return
    if message.fuzzy:
        yield f"fuzzy: {ids[0]!r}"
    for text in own:
        if fields(text) != fields(ids[-1]) and fields(text) != fields(ids[0]):
            yield f"other fields: {ids[0]!r} → {text!r}"
        if (text[0] == " ", text[-1] == " ") != (ids[0][0] == " ", ids[0][-1] == " "):
            yield f"other blanks: {ids[0]!r} → {text!r}"
        if text.count("\n") != ids[0].count("\n"):
            yield f"other paragraphs: {ids[0]!r} → {text!r}"


def test_english_is_its_own_translation() -> None:
    for it in read(Language.ENGLISH):
        ids = (it.id,) if isinstance(it.id, str) else tuple(it.id)
        assert not it.id or strings(it) == ids


def test_portuguese_is_no_copy_of_english() -> None:
    """What is alike in both is named here, so that nothing is left as it was."""
    words = re.compile(r"[a-z]{3}")
    alike = {
        it.id
        for it in read(Language.PORTUGUESE)
        if it.id and it.id == it.string and words.search(re.sub(r"\{.*?\}", "", str(it.id)))
    }
    assert alike == SAME


def test_a_wrong_translation_is_found() -> None:
    assert list(faults(Message("{a} of {b}", "{a} de {b}"))) == []
    assert list(faults(Message("{a} of {b}", ""))) == ["not translated: '{a} of {b}'"]
    assert list(faults(Message("{a} of {b}", "{a} de {c}")))
    assert list(faults(Message(" more", "mais")))
    assert list(faults(Message(("one", "more"), ("um",))))


def test_what_is_marked_is_a_literal() -> None:
    """An f-string or a variable would be found in no catalogue."""
    wrong = []
    for path, tree in modules():
        if path.parent.name == "i18n":
            continue
        for node in ast.walk(tree):
            name, arguments = called(node)
            texts = {"_": arguments[:1], "said": arguments[:1], "plural": arguments[:2]}.get(
                name, []
            )
            wrong += [
                f"{path.name}:{it.lineno}"
                for it in texts
                if not (isinstance(it, ast.Constant) and isinstance(it.value, str))
            ]
    assert wrong == []


def test_what_is_marked_is_found() -> None:
    """What collects the texts passes over some that stand inside other calls."""
    known = {it.id if isinstance(it.id, str) else it.id[0] for it in read(Language.ENGLISH)}
    lost = []
    for path, tree in modules():
        for node in ast.walk(tree):
            name, arguments = called(node)
            if name not in {"_", "said", "plural"} or not isinstance(arguments[0], ast.Constant):
                continue
            text = arguments[0].value
            lost += [f"{path.name}: {text!r}"] if text not in known else []
    assert lost == [], "let each stand in a statement of its own"


def test_what_is_taken_for_data_is_no_language() -> None:
    """`data("…")` of a sentence would be a text that no mark and no type shows."""
    wrong = []
    for path, tree in modules():
        if CONTROLLERS in path.name:
            continue
        for node in ast.walk(tree):
            name, arguments = called(node)
            if name == "data" and arguments:
                wrong += [
                    f"{path.name}:{arguments[0].lineno}: {text!r}"
                    for text in literals(arguments[0])
                    if re.search("[A-Za-z]{3}", text) and not allowed(text)
                ]
    assert wrong == []


def literals(node: ast.expr) -> Iterator[str]:
    for it in ast.walk(node):
        if isinstance(it, ast.Constant) and isinstance(it.value, str):
            yield it.value


def allowed(text: str) -> bool:
    words = text.strip(" :=")
    return words in UNMARKED or words == FORMULA or COMMANDS.match(words) is not None


def test_the_help_of_every_command_is_translated() -> None:
    """In brackets, as is every text of a language that does not exist."""
    tree = built([])
    speak(Language.PSEUDO)
    try:
        own_help.translate(tree)
        texts = list(own_help.texts(tree))
    finally:
        speak(Language.ENGLISH)
    assert len(texts) > 100
    assert [it for it in texts if not (it.startswith("⟦") and it.endswith("⟧"))] == []
