"""What the mutants are: the tool that measures the tests is tested itself."""

import ast

import pytest

from tests.mutants.__main__ import equivalents
from tests.mutants.drawing import ROOT, every_mutant, functions_of, mutants_of

_SOURCE = '''
"""A docstring with 1 and 2."""

import x

LIMIT: int = 3


class Thing:
    def half(self, é: int = 1) -> bool:
        """1 < 2 and True."""
        event("said", f"{1 + 2}", 7)
        if not é or é in self.all:
            self.drop(é)
        return é < LIMIT - 1
'''


def test_what_is_mutated() -> None:
    """Decisions, constants, calls and answers; no docstring, annotation or text."""
    found = {(it.function, it.change) for it in mutants_of(_SOURCE, "a.py")}
    place = "Thing.half"
    assert found == {
        ("", "3 to 4"),
        ("", "3 to 2"),
        (place, "1 to 2"),
        (place, "1 to 0"),
        (place, "not dropped"),
        (place, "or to and"),
        (place, "in to not in"),
        (place, "call dropped"),
        (place, "returns None"),
        (place, "< to <="),
        (place, "- to +"),
    }


@pytest.mark.parametrize("change", ["or to and", "in to not in", "< to <=", "- to +"])
def test_a_mutant_changes_its_one_place(change: str) -> None:
    """Also behind letters that take more than a byte."""
    (mutant,) = [it for it in mutants_of(_SOURCE, "a.py") if it.change == change]
    old, new = change.split(" to ")
    mutated = mutant.applied(_SOURCE)
    assert mutated[mutant.start :].startswith(new)
    assert _SOURCE[mutant.start : mutant.end] == old
    assert len(mutated) == len(_SOURCE) - len(old) + len(new)


def test_a_mutants_name_holds_when_lines_move() -> None:
    """So that the list of equivalents does."""
    before = [it.key for it in mutants_of(_SOURCE, "a.py")]
    assert [it.key for it in mutants_of("\n\n# more\n" + _SOURCE, "a.py")] == before
    assert len(set(before)) == len(before)


def test_functions_begin_with_their_decorators() -> None:
    """As their code objects do: that is how tests are known to reach them."""
    source = "class A:\n    @property\n    def b(self):\n        return 1\n"
    assert functions_of(source) == {"A.b": {2}}


def test_every_mutant_of_the_relay_is_a_program() -> None:
    """And has a name of its own. One in ten is parsed."""
    mutants = every_mutant()
    for mutant in mutants[::10]:
        ast.parse(mutant.applied((ROOT / mutant.file).read_text("utf-8")))
    assert len({it.key for it in mutants}) == len(mutants) > 2_000


def test_every_equivalent_still_exists() -> None:
    """One whose line has changed is looked at again."""
    names = {it.key for it in every_mutant()}
    assert [key for key in equivalents() if key not in names] == []
