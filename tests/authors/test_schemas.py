"""`make schemas`: a file for each model, and a word before older messages break."""

import json
import subprocess
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Annotated

import pytest
from pydantic import Field

from infra.authors.errors import AuthorError, BreakingError
from infra.authors.exporting import catalogue_consumers, listing, refuse_breaks
from infra.authors.placing import write_whole
from infra.authors.schemas import BREAKING, FOLDER, Contract, review, schema_of
from infra.local.checkout import ROOT
from smartlink.consumer import Consumer, Context, Payload, consumer

TODAY = date(2026, 3, 2)


class First(Payload):
    name: str


class Wider(Payload):
    name: str
    note: str = ""


class Narrower(Payload):
    name: Annotated[str, Field(max_length=9)]


class Strange(Payload):
    call: Callable[[], int]


def of(model: type) -> Consumer:
    def answer(request: object, context: Context) -> None:
        """Do nothing."""

    answer.__annotations__["request"] = model
    return consumer("XyzCommand")(answer)


def export(root: Path, model: type, accepted: str | None = None) -> Contract:
    """As `make schemas` does, for one command."""
    contracts = review(root, [of(model)], accepted=accepted, today=TODAY)
    refuse_breaks(contracts)
    [contract] = contracts
    contract.path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(contract.path, str(contract.text).encode())
    return contract


def git(root: Path, *arguments: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=root, check=True, capture_output=True)


def commit(root: Path) -> None:
    if not (root / ".git").exists():
        git(root, "init", "-q")
    git(root, "add", ".")
    git(root, "commit", "-q", "--no-verify", "-m", "x")


def refused(root: Path, model: type) -> str:
    before = (root / FOLDER / "XyzCommand.json").read_bytes()
    with pytest.raises(BreakingError) as caught:
        export(root, model)
    assert (root / FOLDER / "XyzCommand.json").read_bytes() == before
    return str(caught.value)


def test_the_projects_contracts_are_up_to_date() -> None:
    """Each file in infra/schemas is what its command's model says. If not: make schemas."""
    contracts = review(ROOT, catalogue_consumers(ROOT), today=TODAY)
    stale = [str(it.path.relative_to(ROOT)) for it in contracts if it.stale]
    assert not stale, f"out of date: {', '.join(stale)}. Run: make schemas"


def test_the_projects_models_break_no_contract() -> None:
    """What is committed is still taken, unless the file says why not (x-breaking)."""
    refuse_breaks(review(ROOT, catalogue_consumers(ROOT), today=TODAY))


def test_a_contract_goes_with_its_model(tmp_path: Path) -> None:
    """Written, unchanged, renewed; older messages fit all along."""
    assert export(tmp_path, First).stands is None
    assert not export(tmp_path, First).stale
    assert export(tmp_path, Wider).stale
    written = json.loads((tmp_path / FOLDER / "XyzCommand.json").read_text())
    assert written == schema_of("XyzCommand", Wider)


def test_a_break_is_refused_with_its_field(tmp_path: Path) -> None:
    """Nothing is written; the error names command, field, change, and both ways on."""
    export(tmp_path, First)
    said = refused(tmp_path, Narrower)
    assert "XyzCommand: name has maxLength set to 9: set no such limit" in said
    assert "--accept-breaking" in said
    export(tmp_path, Narrower, "nobody sends longer ones")
    assert (
        schema_of("XyzCommand", Narrower).items()
        <= json.loads((tmp_path / FOLDER / "XyzCommand.json").read_text()).items()
    )


def test_an_accepted_break_is_recorded(tmp_path: Path) -> None:
    """With its day and its reason, which stay in the file from then on."""
    export(tmp_path, First)
    export(tmp_path, Narrower, "no sender is left")
    record = [{"date": "2026-03-02", "reason": "no sender is left"}]
    assert export(tmp_path, Narrower).stale is False
    file = tmp_path / FOLDER / "XyzCommand.json"
    assert json.loads(file.read_text())[BREAKING] == record
    export(tmp_path, First)  # wider again
    assert json.loads(file.read_text())[BREAKING] == record


def test_an_acceptance_without_a_break_leaves_no_record(tmp_path: Path) -> None:
    """It is for what breaks now, not for what may come."""
    export(tmp_path, First)
    export(tmp_path, Wider, "just in case")
    assert BREAKING not in (tmp_path / FOLDER / "XyzCommand.json").read_text()


def test_what_was_committed_is_the_measure(tmp_path: Path) -> None:
    """A field that came and went between two commits breaks nobody; one that was committed does."""
    export(tmp_path, First)
    commit(tmp_path)
    export(tmp_path, Wider)
    export(tmp_path, First)
    export(tmp_path, Wider)
    commit(tmp_path)
    assert "note was removed" in refused(tmp_path, First)
    (tmp_path / FOLDER / "XyzCommand.json").unlink()
    with pytest.raises(BreakingError, match="note was removed"):
        export(tmp_path, First)


def test_what_was_never_committed_binds_nobody(tmp_path: Path) -> None:
    """The scaffold's contract gives way to the author's first model."""
    (tmp_path / "something").write_text("else")
    commit(tmp_path)
    export(tmp_path, First)
    assert export(tmp_path, Narrower).breaks == []


def test_an_acceptance_holds_before_and_after_its_commit(tmp_path: Path) -> None:
    """And a further break needs one of its own."""
    export(tmp_path, Wider)
    commit(tmp_path)
    export(tmp_path, First, "nobody wrote notes")
    assert not export(tmp_path, First).stale
    assert "name has maxLength set to 9" in refused(tmp_path, Narrower)
    commit(tmp_path)
    assert not export(tmp_path, First).stale
    assert "name has maxLength set to 9" in refused(tmp_path, Narrower)


def test_a_raw_consumer_has_no_schema(tmp_path: Path) -> None:
    """The listing says so; a file that is left over goes."""
    export(tmp_path, First)
    [contract] = review(tmp_path, [of(str)], today=TODAY)
    assert (contract.text, contract.stale) == (None, True)
    [line] = listing(tmp_path, [contract])
    assert "XyzCommand  no schema: its consumer takes the content as it came (str)" in line
    assert line.endswith("XyzCommand.json removed")


def test_a_file_without_a_command_is_found(tmp_path: Path) -> None:
    """A command that was removed leaves none behind."""
    export(tmp_path, First)
    (tmp_path / FOLDER / "GoneCommand.json").write_text("{}")
    found = review(tmp_path, [of(First)], today=TODAY)
    assert [(it.command, it.stale) for it in found] == [
        ("XyzCommand", False),
        ("GoneCommand", True),
    ]


@pytest.mark.parametrize("text", ["{", "[]", "null"])
def test_a_file_that_is_no_schema_is_refused(tmp_path: Path, text: str) -> None:
    """It is named, with the fix."""
    export(tmp_path, First)
    (tmp_path / FOLDER / "XyzCommand.json").write_text(text)
    with pytest.raises(AuthorError, match=r"XyzCommand\.json holds no JSON object: restore it"):
        export(tmp_path, First)


def test_a_type_without_a_schema_is_named(tmp_path: Path) -> None:
    """With the command, the model and the fix."""
    with pytest.raises(
        AuthorError, match=r"XyzCommand: Strange has no JSON Schema.*WithJsonSchema"
    ):
        export(tmp_path, Strange)
