"""`make mutants`: mutants drawn by a seed, each against the tests; what survives is told.

The results stand in `.mutants/`; a run that was cut off goes on where it was. After new tests,
`--survivors` tries again what had survived.
"""

import argparse
import hashlib
import json
import multiprocessing
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from random import Random

from tests.mutants.drawing import ROOT, Mutant, every_mutant, functions_of
from tests.mutants.trying import Copy, Test, Trial, dumped, loaded, survey, try_mutant

EQUIVALENT = Path(__file__).parent / "equivalent.json"
_RESULTS = ROOT / ".mutants"


class Run:
    """The mutants of a seed and what is known of them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._options = options
        self._file = _RESULTS / f"seed-{options.seed}.json"
        _RESULTS.mkdir(exist_ok=True)
        everything = [it for it in every_mutant() if options.only in it.file]
        self.possible = len(everything)
        self.drawn = Random(options.seed).sample(everything, min(options.runs, self.possible))
        self._reasons = equivalents()
        known = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        self._known = {name: Trial(**trial) for name, trial in known.items()}

    def go(self) -> None:
        """Tries what is not known yet."""
        again = {"survived", "unreached"} if self._options.survivors else set()
        wanted = [
            it
            for it in self.drawn
            if it.key not in self._reasons
            and (_name(it) not in self._known or self._known[_name(it)].verdict in again)
        ]
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
            copies = [Copy(Path(folder) / str(it)) for it in range(self._options.processes)]
            with _workers(copies, self._surveyed(copies[0])) as pool:
                trials = {pool.submit(_tried, mutant): mutant for mutant in wanted}
                for trial in as_completed(trials):
                    self._note(trials[trial], trial.result())

    def _surveyed(self, copy: Copy) -> list[Test]:
        """The tests and what they reach; kept as long as neither they nor the relay change."""
        file = _RESULTS / f"tests-{_digest()}.json"
        if not file.exists():
            print("every test is run once, to see what it reaches", flush=True)
            file.write_text(dumped(survey(copy)), "utf-8")
        return loaded(file.read_text("utf-8"))

    def _note(self, mutant: Mutant, trial: Trial) -> None:
        self._known[_name(mutant)] = trial
        text = json.dumps({name: asdict(it) for name, it in self._known.items()}, indent=1)
        self._file.write_text(text, "utf-8")
        tried = sum(_name(it) in self._known for it in self.drawn)
        print(f"{tried:5} of {len(self.drawn)}  {trial.verdict:9} {_shown(mutant)}", flush=True)

    def told(self) -> int:
        """Prints the figures and what survived; the number of survivors that nobody explains."""
        verdicts = Counter(self._verdict(it) for it in self.drawn)
        caught = verdicts["killed"] + verdicts["hung"]
        counted = len(self.drawn) - verdicts["equivalent"] - verdicts["untried"]
        print(f"mutants     {self.possible:>6,} possible, {len(self.drawn)} drawn by seed", end=" ")
        print(self._options.seed)
        for verdict, number in verdicts.most_common():
            print(f"{verdict:11} {number:>6,}")
        print(f"killed, equivalents left out: {caught} of {counted}", end=" ")
        print(f"({caught / max(counted, 1):.1%})")
        for mutant in self.drawn:
            if self._verdict(mutant) in {"survived", "unreached"}:
                print(f"SURVIVED  {_shown(mutant)}")
        return verdicts["survived"] + verdicts["unreached"]

    def _verdict(self, mutant: Mutant) -> str:
        if mutant.key in self._reasons:
            return "equivalent"
        trial = self._known.get(_name(mutant))
        return trial.verdict if trial else "untried"


def equivalents() -> dict[tuple[str, ...], str]:
    """Mutants that change nothing that anybody could notice, and why."""
    listed = json.loads(EQUIVALENT.read_text("utf-8"))
    return {(it["file"], it["function"], it["line"], it["change"]): it["reason"] for it in listed}


_mine: tuple[Copy, list[Test]]  # of a worker's process


def _workers(copies: Sequence[Copy], tests: list[Test]) -> ProcessPoolExecutor:
    """Processes, not threads: each forks, and what another thread holds then stays held."""
    context = multiprocessing.get_context("fork")
    given = context.SimpleQueue()
    for copy in copies:
        given.put(copy)
    return ProcessPoolExecutor(len(copies), context, _begin, (given, tests))


def _begin(copies: "SimpleQueue[Copy]", tests: list[Test]) -> None:
    global _mine  # noqa: PLW0603
    _mine = (copies.get(), tests)


def _tried(mutant: Mutant) -> Trial:
    copy, tests = _mine
    return try_mutant(copy, mutant, _reached_through(mutant, tests), tests)


def _reached_through(mutant: Mutant, tests: Sequence[Test]) -> set[str]:
    """The functions through which a test can meet the mutant: its own, or, for what is executed
    at the import, all of its file's; where there are none, all that there are."""
    lines = functions_of((ROOT / mutant.file).read_text("utf-8")).get(mutant.function)
    if lines:
        return {f"{mutant.file}:{line}" for line in lines}
    every = {name for test in tests for name in test.reaches}
    return {name for name in every if name.startswith(f"{mutant.file}:")} or every


def _digest() -> str:
    """Of all that a trial depends on but the mutant."""
    sha = hashlib.sha256()
    for path in _sources():
        sha.update(f"{path.relative_to(ROOT)} {path.stat().st_size}\n".encode())
        sha.update(path.read_bytes())
    return sha.hexdigest()[:16]


def _sources() -> Iterable[Path]:
    for room in ("functions/smartlink", "tests"):
        yield from sorted((ROOT / room).rglob("*.py"))


def _name(mutant: Mutant) -> str:
    return " | ".join(mutant.key)


def _shown(mutant: Mutant) -> str:
    place = f"{mutant.file.removeprefix('functions/smartlink/')} {mutant.function}"
    return f"{place}: {mutant.change} in `{mutant.line}`"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make mutants", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="draws the mutants")
    parser.add_argument("--runs", type=int, default=300, help="how many mutants")
    parser.add_argument("--only", default="", help="of files whose names hold this text")
    parser.add_argument("--processes", type=int, default=2, help="trials at the same time")
    parser.add_argument("--survivors", action="store_true", help="try again what had survived")
    return parser.parse_args()


def main() -> int:
    """Tries and tells; the exit code is the number of unexplained survivors, at most 100."""
    run = Run(_options())
    began = time.monotonic()
    run.go()
    left = run.told()
    print(f"{time.monotonic() - began:.0f} s")
    return min(left, 100)


if __name__ == "__main__":
    sys.exit(main())
