"""`make try`: one message, one consumer, the relay's real path; and what it is worth."""

import json
import logging
import re
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from infra.authors.command_line import run
from infra.authors.errors import AuthorError
from infra.authors.trial import Trial, attempt
from infra.authors.trial_report import report
from infra.local.checkout import CATALOG
from infra.local.errors import NotReadyError
from smartlink.consumer import Context, FatalError, Payload, Reply, RetryableError, consumer
from tests.authors.checkout import make_checkout, python

MODULE = "consumers.tried_by_a_test"


class Request(Payload):
    do: str


paid: list[str] = []
stops: list[float] = []


def pay() -> str:
    paid.append("order-7")
    return f"receipt {len(paid)}"


def broken_off() -> object:
    raise KeyError("the process ends here")


def time_goes_by() -> None:
    """Stand still until the run's time-out would be over, as at a breakpoint."""
    assert not threading.Event().wait(1.5)
    stops.append(1.5)


@consumer("ProbeCommand")
def answer(request: Request, context: Context) -> Reply:
    context.log.warning("Asked to %s", request.do)
    if request.do == "fail":
        raise RetryableError("the ERP is busy")
    if request.do == "die":
        raise FatalError("there is no such person")
    if request.do == "raise":
        raise KeyError("surprise")
    if request.do == "pay":
        return Reply("ProbeResponse", {"receipt": context.once("order-7", pay)})
    if request.do == "break off":
        context.once("order-8", broken_off)
    if request.do == "stop at a breakpoint":
        time_goes_by()
        assert context.time_left > 0, "so that its calls go on"
    if request.do == "ask the bank":
        return Reply("ProbeResponse", context.secret("bank").decode())
    if request.do == "ask the ERP":
        return Reply("ProbeResponse", context.erp_secret().decode())
    return Reply("ProbeResponse", {"did": request.do}, audience="APP")


@pytest.fixture
def catalog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A catalogue with the probe; the relay's logger is left as it was found."""
    module = ModuleType(MODULE)
    module.answer = answer  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    entry = {"module": MODULE, "topic": "smartlink-probe-command", "timeoutSeconds": 5}
    functions = json.loads(CATALOG.read_bytes())["functions"]
    path = tmp_path / "catalog.json"
    path.write_text(json.dumps({"functions": functions, "commands": {"ProbeCommand": entry}}))
    logger = logging.getLogger("smartlink")
    level, propagate = logger.level, logger.propagate
    yield path
    logger.setLevel(level)
    logger.propagate = propagate


def tried(
    catalog: Path,
    content: str | bytes,
    erp: bytes | None = None,
    *,
    keep: bool = False,
    secrets: Mapping[str, bytes] | None = None,
) -> tuple[bool, str]:
    folder = catalog.parent / "try"
    trial = Trial(
        command="ProbeCommand",
        content=content if isinstance(content, bytes) else content.encode(),
        catalog=catalog,
        folder=folder,
        erp=erp,
        keep=keep,
        secrets=secrets or {},
    )
    found = attempt(trial)
    return found.done, "\n".join(report(found))


def test_done(catalog: Path) -> None:
    """Outcome, log lines, reply and documents."""
    done, said = tried(catalog, '{"header": {"x": 1}, "content": {"Do": "ação"}}')
    assert done, said
    for line in (
        "Outcome  Done in ",
        "WARNING: Asked to ação",
        'ProbeResponse to APP: {"did":"ação"}',
        "GTotvsLinkMessage: Upstream ProbeResponse, Situacao Pendente",
        "GTotvsLinkMessageExec: Downstream ProbeCommand, Situacao Concluida, QtdeTentativaExec 1",
    ):
        assert line in said


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        ('{"do": "fail"}', ["waits for attempt 2 (Aguardando): the ERP is busy", "Replies  none"]),
        ('{"do": "die"}', ["Dead in ", "(Morta, rejected): there is no such person"]),
        ('{"do": "raise"}', ["KeyError: 'surprise'", 'raise KeyError("surprise")']),
        ('{"don": "x"}', ["Dead in ", "does not fit the command: do: missing"]),
        ("no json", ["Dead in "]),
    ],
)
def test_whatever_is_not_done(catalog: Path, content: str, lines: list[str]) -> None:
    """Says why, with an unexpected exception's stack."""
    done, said = tried(catalog, content)
    assert not done
    for line in lines:
        assert line in said


def test_what_once_remembers_is_kept(catalog: Path) -> None:
    """With `keep` the second run gets the first one's result; without, each trial is alone."""
    paid.clear()
    for _ in range(2):
        done, said = tried(catalog, '{"do": "pay"}', keep=True)
        assert done, said
        assert 'ProbeResponse to (anyone): {"receipt":"receipt 1"}' in said
    assert len(paid) == 1
    _, said = tried(catalog, '{"do": "pay"}')
    assert '{"receipt":"receipt 2"}' in said
    remembered = catalog.parent / "try" / "ProbeCommand.once.json"
    assert remembered.stat().st_mode & 0o777 == 0o600
    remembered.write_text("not a list")
    with pytest.raises(AuthorError, match=r"ProbeCommand\.once\.json cannot be read .* remove it"):
        tried(catalog, '{"do": "pay"}', keep=True)


def test_an_effect_that_broke_off_is_known_to_the_next_run(
    catalog: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A held command asks for a person, in another trial as in production."""
    document = json.loads(catalog.read_text())
    document["commands"]["ProbeCommand"]["unknownOutcome"] = "hold"
    catalog.write_text(json.dumps(document))
    _, first = tried(catalog, '{"do": "break off"}', keep=True)
    assert "KeyError" in first
    monkeypatch.setattr(sys.modules[__name__], "broken_off", lambda: "would be done again")
    done, second = tried(catalog, '{"do": "break off"}', keep=True)
    assert not done
    assert "began the effect at" in second


def test_a_debugger_may_stop_it(catalog: Path) -> None:
    """With `keep` a run has no time-out; without, it is ended as in the cloud."""
    document = json.loads(catalog.read_text())
    document["commands"]["ProbeCommand"]["timeoutSeconds"] = 1
    catalog.write_text(json.dumps(document))
    stops.clear()
    done, said = tried(catalog, '{"do": "stop at a breakpoint"}', keep=True)
    assert (done, stops) == (True, [1.5]), said
    with pytest.raises(NotReadyError, match="ran past its time-out"):
        tried(catalog, '{"do": "stop at a breakpoint"}')


def test_a_secret_of_ones_own(catalog: Path) -> None:
    """`--erp` names the ERP's secret."""
    done, said = tried(catalog, '{"do": "ask the ERP"}', b'{"databaseUrl": "mine"}')
    assert done
    assert 'ProbeResponse to (anyone): {"databaseUrl": "mine"}' in said


def test_secrets_that_the_catalogue_declares(catalog: Path) -> None:
    """`--secret bank=FILE`; what the entry does not declare is refused, here as there."""
    given = {"bank": b"the key"}
    with pytest.raises(AuthorError, match=r"--secret bank: .* declares none.*secrets"):
        tried(catalog, '{"do": "ask the bank"}', secrets=given)
    done, said = tried(catalog, '{"do": "ask the bank"}')
    assert not done
    assert "does not declare 'bank'" in said
    document = json.loads(catalog.read_text())
    document["commands"]["ProbeCommand"]["secrets"] = ["bank"]
    catalog.write_text(json.dumps(document))
    done, said = tried(catalog, '{"do": "ask the bank"}', secrets=given)
    assert done, said
    assert "ProbeResponse to (anyone): the key" in said


def test_a_command_that_needs_an_erp_gets_sample_people(catalog: Path) -> None:
    """The project's own commands can be tried as they are."""
    content = '{"requestID": "r-1", "identifiers": {"CPF": "11144477735"}}'
    folder = catalog.parent / "try"
    trial = Trial(
        command="SGDPDataCommand", content=content.encode(), catalog=CATALOG, folder=folder
    )
    found = attempt(trial)
    assert found.done, found.message
    assert [it["type"] for it in found.replies] == ["SGDPDataResponse"]


def test_a_module_that_cannot_be_loaded(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One line with what is amiss, instead of a stack of the relay."""
    monkeypatch.setitem(sys.modules, MODULE, ModuleType(MODULE))
    with pytest.raises(AuthorError, match=r"ProbeCommand cannot be loaded: .* must hold one func"):
        tried(catalog, "{}")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("NoCommand", str(CATALOG)), "NoCommand is not in .*: it has .*: make consumer COMMAND="),
        (("NoCommand", "nowhere.json"), "nowhere.json cannot be read: No such file"),
        (("NoCommand", str(CATALOG), "--erp", "nowhere.json"), "nowhere.json cannot be read"),
        (("X", str(CATALOG), "--secret", "bank=nowhere.json"), "nowhere.json cannot be read"),
    ],
)
def test_what_cannot_be_tried(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A command or a file that is not there: one line, exit code 2."""
    assert run(["try", *arguments]) == 2
    assert re.fullmatch(f"try: .*{said}.*\n", capsys.readouterr().err)


def test_the_exit_code_is_the_outcome(tmp_path: Path) -> None:
    """As make runs it, with the content from stdin: 0 only if it was done."""
    root = make_checkout(tmp_path)
    call = ("-m", "infra.authors", "try", "EchoCommand", "-")
    ran = python(root, *call, text="any text")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "EchoResponse to (anyone): any text" in ran.stdout
    echo = root / "functions" / "consumers" / "echo.py"
    echo.write_text(echo.read_text().replace("return Reply", "raise ValueError"))
    assert python(root, *call, text="any text").returncode == 1


def test_a_content_that_is_not_utf_8(catalog: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A consumer that names the encoding reads it, as in production; for another it is refused."""
    content = '{"do": "ação"}'.encode("cp1252")
    with pytest.raises(AuthorError, match=r"not UTF-8, .* encoding="):
        tried(catalog, content)
    module = ModuleType(MODULE)
    module.answer = replace(answer, encoding="cp1252")  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, MODULE, module)
    done, said = tried(catalog, content)
    assert done, said
    assert 'ProbeResponse to APP: {"did":"ação"}' in said
