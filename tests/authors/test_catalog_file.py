"""An entry more in a catalogue that people format by hand."""

import json
from difflib import ndiff

import pytest

from infra.authors.catalog_file import with_entry
from infra.authors.errors import AuthorError
from infra.local.checkout import CATALOG

ENTRY = {"module": "consumers.xyz", "topic": "smartlink-xyz-command", "timeoutSeconds": 60}
FUNCTIONS = (
    '"functions": {"poll": {"timeoutSeconds": 60}, "publish": {"timeoutSeconds": 60},'
    '"poll_shard": {"timeoutSeconds": 60, "topic": "commands"}, "consume": {"timeoutSeconds": 540}}'
)
ONE = '{"module": "consumers.one", "topic": "topic-one", "timeoutSeconds": 60}'


def test_the_projects_own_file() -> None:
    """Nothing but the entry is added: every line that was there still is, but for one comma."""
    text = CATALOG.read_text(encoding="utf-8")
    added = with_entry(text, "XyzCommand", ENTRY)
    changes = [it for it in ndiff(text.splitlines(), added.splitlines()) if it[0] in "+-"]
    assert changes[:2] == ["+     },", '+     "XyzCommand": {']
    assert [it[0] for it in changes] == ["+"] * (len(ENTRY) + 2)
    assert added.endswith(text[text.rstrip()[:-1].rstrip().rindex("}") :])
    assert list(json.loads(added)["commands"])[-1] == "XyzCommand"
    assert len(added.splitlines()) == len(text.splitlines()) + len(ENTRY) + 2


@pytest.mark.parametrize(
    "text",
    [
        f'{{{FUNCTIONS}, "commands": {{"One": {ONE}}}}}',
        f'{{"commands": {{"One": {ONE}}}, {FUNCTIONS}}}\n',
        f'{{\n\t"commands":\n\t{{\n\t\t"One": {ONE}\n\t}},\n\t{FUNCTIONS}\n}}',
    ],
)
def test_however_it_is_written(text: str) -> None:
    """On one line, with tabs, with the commands first."""
    added = with_entry(text, "XyzCommand", ENTRY)
    before = json.loads(text)
    assert json.loads(added) == {**before, "commands": {**before["commands"], "XyzCommand": ENTRY}}
    assert added.startswith(text[: text.index(ONE) + len(ONE)])


def test_what_is_no_catalogue_is_refused() -> None:
    """With the place and the problem."""
    with pytest.raises(AuthorError, match=r"infra/catalog.json: .*Fix it first"):
        with_entry("{", "XyzCommand", ENTRY)


def test_an_entry_that_does_not_fit_is_refused() -> None:
    """By the catalogue's own rules: here a time-out longer than a call."""
    text = CATALOG.read_text(encoding="utf-8")
    with pytest.raises(AuthorError, match=r"cannot take XyzCommand: .* may run 540 s"):
        with_entry(text, "XyzCommand", {**ENTRY, "timeoutSeconds": 540})
