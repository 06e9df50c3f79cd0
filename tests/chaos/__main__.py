"""`make chaos`: the local stack under load and under the axe; the books must balance."""

import argparse
import logging
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from infra.local.checkout import STATE
from infra.local.errors import LocalStackError
from infra.local.signals import Terminated, ending_signals_raise
from tests.chaos.run import Outcome, chaos
from tests.chaos.scale import Scale

FOLDER = STATE / "chaos"
_SHOWN = 30


def main(arguments: Sequence[str]) -> int:
    """Run; answer 0 if nothing was lost, doubled or stuck."""
    asked = _options(arguments)
    scale = Scale(**{name: value for name, value in vars(asked).items() if name != "folder"})
    console = Console()
    logging.disable(logging.CRITICAL)
    shutil.rmtree(asked.folder, ignore_errors=True)
    asked.folder.mkdir(parents=True)
    (asked.folder / "scale.json").write_text(scale.write(), encoding="utf-8")
    try:
        with ending_signals_raise(), console.status("Starting …") as status:
            outcome = chaos(scale, asked.folder, status.update)
    except (KeyboardInterrupt, Terminated):
        return 130
    except LocalStackError as error:
        console.print(f"[red]chaos:[/red] {error}", soft_wrap=True)
        return error.exit_code
    show(outcome, console)
    again = f"python -m tests.chaos {scale}"
    if outcome.verdict.broken:
        console.print(f"\n[red]broken[/red]; logs and journal: {asked.folder}\nagain: {again}")
        return 1
    console.print(f"\nagain: {again}")
    return 0


def show(outcome: Outcome, console: Console) -> None:
    """Print the figures, and what is wrong."""
    verdict = outcome.verdict

    def figures(title: str, its: dict[str, int]) -> None:
        console.print(f"\n{title}", highlight=False)
        for name, number in its.items():
            console.print(f"  {number:>8,}  {name}", highlight=False)

    figures("Faults", {str(fault): outcome.faults[fault] for fault in sorted(outcome.faults)})
    figures("On the wire", {**outcome.wire, **outcome.ticks})
    figures("Seconds", {name: round(its) for name, its in outcome.seconds.items()})
    figures("Messages", {"offered": outcome.messages, **dict(sorted(verdict.figures.items()))})
    wrong = {"lost": verdict.lost, "doubled": verdict.doubled, "stuck": verdict.stuck}
    wrong["otherwise wrong"] = verdict.wrong
    figures("Broken", {name: len(its) for name, its in wrong.items()})
    for text in verdict.broken[:_SHOWN]:
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    default = Scale()
    parser.add_argument("--messages", type=int, default=default.messages)
    parser.add_argument("--tenants", type=int, default=default.tenants)
    parser.add_argument("--seed", type=int, default=default.seed, help="of messages and faults")
    parser.add_argument(
        "--seconds", type=float, default=default.seconds, help="of faults, under load"
    )
    parser.add_argument(
        "--patience", type=float, default=default.patience, help="seconds to settle afterwards"
    )
    parser.add_argument(
        "--hurried", action="store_true", help="shorter leases and pauses than the product's"
    )
    parser.add_argument("--folder", type=Path, default=FOLDER, help="made anew, for the logs")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
