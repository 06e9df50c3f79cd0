"""Single-line mutants of the relay's sources: all that there can be, found in the syntax tree."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_LINK = "functions/smartlink"
SOURCES = (
    *(f"{_LINK}/{room}/**/*.py" for room in ("domain", "services")),
    *(
        f"{_LINK}/adapters/{name}.py"
        for name in (
            "firestore/documents",
            "firestore/values",
            "google/failures",
            "google/pubsub",
            "google/secret_manager",
            "google/storage",
            "http/connections",
            "http/envelope",
            "http/rac",
            "http/smart_link",
            "threads",
        )
    ),
)
"""Firestore's own adapters are left out: only the emulator could tell, and it takes seconds."""

_COMPARISONS = {
    ast.Lt: ("<", "<="),
    ast.LtE: ("<=", "<"),
    ast.Gt: (">", ">="),
    ast.GtE: (">=", ">"),
    ast.Eq: ("==", "!="),
    ast.NotEq: ("!=", "=="),
    ast.Is: ("is", "is not"),
    ast.IsNot: ("is not", "is"),
    ast.In: ("in", "not in"),
    ast.NotIn: ("not in", "in"),
}
_SPOKEN = {"event", "message_event", "surprise"}  # what is only said to Cloud Logging
_PLACES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one line. All but `start` and `end` hold when other lines are moved."""

    file: str
    function: str  # dotted; "" at the module's level
    line: str  # its text, stripped
    change: str  # such as `< to <=`; numbered where the line has several of the same
    start: int  # in the file's text
    end: int
    text: str  # stands there instead

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What names it in the list of equivalents, and in the results."""
        return self.file, self.function, self.line, self.change

    def applied(self, source: str) -> str:
        """The file's text with it."""
        return source[: self.start] + self.text + source[self.end :]


def every_mutant(root: Path = ROOT) -> list[Mutant]:
    """All mutants of all sources, in the order of their files and lines."""
    files = [path for pattern in SOURCES for path in sorted(root.glob(pattern))]
    return [it for path in files for it in mutants_of(path.read_text("utf-8"), _name(path, root))]


def functions_of(source: str) -> dict[str, set[int]]:
    """The lines at which the functions of each dotted name begin, decorators included."""
    found: dict[str, set[int]] = {}

    def within(node: ast.AST, place: str) -> None:
        for child in ast.iter_child_nodes(node):
            name = place
            if isinstance(child, _PLACES):
                name = f"{place}.{child.name}".lstrip(".")
                if not isinstance(child, ast.ClassDef):
                    first = min([child.lineno, *(it.lineno for it in child.decorator_list)])
                    found.setdefault(name, set()).add(first)
            within(child, name)

    within(ast.parse(source), "")
    return found


def _name(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def mutants_of(source: str, file: str) -> list[Mutant]:
    """All mutants of a file's text."""
    found = sorted(_Finder(source, file).found(), key=lambda it: (it.start, it.end, it.change))
    seen: Counter[tuple[str, ...]] = Counter()
    numbered = []
    for mutant in found:
        seen[mutant.key] += 1
        number = seen[mutant.key]
        change = mutant.change if number == 1 else f"{mutant.change} ({number})"
        numbered.append(
            Mutant(
                mutant.file,
                mutant.function,
                mutant.line,
                change,
                mutant.start,
                mutant.end,
                mutant.text,
            )
        )
    return numbered


class _Finder:
    """Walks through a file's syntax tree and past what no test is to hold on to."""

    def __init__(self, source: str, file: str) -> None:
        self._source, self._file = source, file
        self._lines = source.splitlines()
        data = source.encode().splitlines(keepends=True)
        self._starts = [0]
        for line in data:
            self._starts.append(self._starts[-1] + len(line.decode()))
        self._raw = data

    def found(self) -> Iterator[Mutant]:
        yield from self._within(ast.parse(self._source), "")

    def _within(self, node: ast.AST, function: str) -> Iterator[Mutant]:
        for child in _to_mutate(node):
            place = function
            if isinstance(child, _PLACES):
                place = f"{function}.{child.name}".lstrip(".")
            for start, end, text, change in self._changes(child):
                line = self._lines[self._source.count("\n", 0, start)].strip()
                yield Mutant(self._file, place, line, change, start, end, text)
            yield from self._within(child, place)

    def _changes(self, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
        yield from self._operators(node)
        yield from self._constants(node)
        yield from self._conditions(node)
        match node:
            case ast.UnaryOp(op=ast.Not()):
                start = self._start(node)
                yield start, start + len("not "), "", "not dropped"
            case ast.Call(func=ast.Name(id="min" | "max" as name) as called):
                opposite = "max" if name == "min" else "min"
                yield *self._span(called), opposite, f"{name} to {opposite}"
            case ast.Return(value=ast.expr() as value) if not _is_none(value):
                yield *self._span(value), "None", "returns None"
            case ast.Expr(value=ast.Call(func=called)) if _name_of(called) not in _SPOKEN:
                yield *self._span(node), "pass", "call dropped"

    def _operators(self, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
        match node:
            case ast.Compare(left=left, ops=ops, comparators=others):
                for (one, other), operator in zip(pairwise([left, *others]), ops, strict=True):
                    yield from self._operator(one, other, *_COMPARISONS[type(operator)])
            case ast.BoolOp(op=operator, values=values):
                old, new = ("and", "or") if isinstance(operator, ast.And) else ("or", "and")
                for one, other in pairwise(values):
                    yield from self._operator(one, other, old, new)
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
                old, new = ("+", "-") if isinstance(operator, ast.Add) else ("-", "+")
                yield from self._operator(left, right, old, new)
            case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as operator, value=value):
                old, new = ("+=", "-=") if isinstance(operator, ast.Add) else ("-=", "+=")
                yield from self._operator(target, value, old, new)

    def _constants(self, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
        match node:
            case ast.Constant(value=bool() as value):
                yield *self._span(node), str(not value), f"{value} to {not value}"
            case ast.Constant(value=int() | float() as value):
                for other in (value + 1, value - 1) if value else (value + 1,):
                    yield *self._span(node), repr(other), f"{value} to {other}"

    def _conditions(self, node: ast.AST) -> Iterator[tuple[int, int, str, str]]:
        """What is neither compared nor negated already is negated."""
        conditions: list[ast.expr] = []
        match node:
            case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test):
                conditions = [test]
            case ast.comprehension(ifs=tests):
                conditions = tests
        for condition in conditions:
            if isinstance(condition, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr):
                start, end = self._span(condition)
                yield start, end, f"not ({self._source[start:end]})", "negated"

    def _operator(
        self, one: ast.AST, other: ast.AST, old: str, new: str
    ) -> Iterator[tuple[int, int, str, str]]:
        """The operator stands between the two, with brackets, spaces or a line's end about it."""
        start, end = self._end(one), self._start(other)
        word = rf"\b{old}\b" if old[0].isalpha() else re.escape(old)
        found = re.search(word.replace(" ", r"\s+"), self._source[start:end])
        if found is not None:
            yield start + found.start(), start + found.end(), new, f"{old} to {new}"

    # Places in the text; the tree counts the bytes of a line.

    def _offset(self, line: int, column: int) -> int:
        return self._starts[line - 1] + len(self._raw[line - 1][:column].decode())

    def _start(self, node: Any) -> int:
        return self._offset(node.lineno, node.col_offset)

    def _end(self, node: Any) -> int:
        return self._offset(node.end_lineno, node.end_col_offset)

    def _span(self, node: ast.AST) -> tuple[int, int]:
        return self._start(node), self._end(node)


def _to_mutate(node: ast.AST) -> Iterator[ast.AST]:
    """A node's children without annotations, decorators, patterns and texts."""
    if isinstance(node, ast.JoinedStr | ast.pattern | ast.Import | ast.ImportFrom):
        return
    if isinstance(node, ast.ClassDef) and any(_name_of(base) == "Protocol" for base in node.bases):
        return
    if isinstance(node, ast.If) and _name_of(node.test) == "TYPE_CHECKING":
        return
    if isinstance(node, ast.Call) and _name_of(node.func) in _SPOKEN:
        return
    skipped = {"annotation", "returns", "decorator_list", "format_spec"}
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            children = value if isinstance(value, list) else [value]
            yield from (child for child in children if isinstance(child, ast.AST))


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _name_of(node: ast.expr) -> str | None:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Subscript(value=value):
            return _name_of(value)
    return None
