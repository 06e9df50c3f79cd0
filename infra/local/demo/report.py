"""Shows a demo's result to people, in 80 columns."""

from collections import Counter
from collections.abc import Iterable

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.local.demo.result import Group, Result
from infra.local.rest import Json

SHOWN_OPEN = 6
SHOWN_CLUES = 20


def show(result: Result, console: Console) -> None:
    """Print tables, where to look further, and the verdict."""
    console.print(_requests(result))
    console.print(_databases(result))
    console.print(_collections(result))
    for retried in result.retried:
        console.print(_retried(retried), soft_wrap=True)
    if result.look:
        console.print("\n[bold]Look further[/bold]")
        for line in result.look:
            console.print(Text(f"  {line}"), soft_wrap=True)
    _verdict(result, console)


def _requests(result: Result) -> Table:
    table = Table(title="TPD requests", box=SIMPLE_HEAD, expand=True)
    for column in ("command", "tenant"):
        table.add_column(column, no_wrap=True)
    table.add_column("requests", justify="right")
    table.add_column("before")
    table.add_column("after")
    for group in result.groups():
        command = f"{group.command}, dry run" if group.to_verify else group.command
        table.add_row(
            command,
            group.tenant,
            str(len(group.rows)),
            _statuses(row.before for row in group.rows),
            Text(_statuses(row.after for row in group.rows), style=_colour(group)),
        )
    return table


def _colour(group: Group) -> str:
    return "green" if all(row.processed for row in group.rows) else "red"


def _statuses(statuses: Iterable[str]) -> str:
    counts = Counter(statuses)
    if len(counts) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} {status}" for status, count in counts.items())


def _databases(result: Result) -> Table:
    table = Table(title="People in the ERP databases", box=SIMPLE_HEAD, expand=True)
    table.add_column("tenant")
    for column in ("people", "anonymised before", "after", "asked for"):
        table.add_column(column, justify="right")
    for tenant, masking in result.masking.items():
        counts = (masking.people, masking.before, masking.after, masking.expected)
        style = "green" if masking.right else "red"
        table.add_row(tenant, *(Text(str(count), style=style) for count in counts))
    return table


def _collections(result: Result) -> Table:
    title = "Firestore" if result.mode == "emulators" else "Firestore, its twin in memory"
    table = Table(title=title, box=SIMPLE_HEAD, expand=True)
    table.add_column("collection")
    table.add_column("what it holds")
    table.add_column("documents", justify="right")
    meaning = {
        "GTotvsLinkMessage": "live messages: empty when all is done",
        "GTotvsLinkMessageExec": "history: requests and answers",
        "GTotvsLinkLog": "log lines",
    }
    for name, count in result.collections.items():
        table.add_row(name, meaning.get(name, ""), str(count))
    return table


def _retried(retried: Json) -> Text:
    errors, attempts = retried["errors"], retried["attempts"]
    failed = f"failed {len(errors)} times and was done at attempt {attempts}"
    line = f"{retried['tenant']}: message {retried['id']} {failed}:"
    return Text(f"{line}\n  {' / '.join(dict.fromkeys(errors))}")


def _verdict(result: Result, console: Console) -> None:
    total, missing = len(result.rows), len(result.open)
    if result.ok:
        seconds = result.seconds.get("processed", 0)
        console.print(
            f"\n[bold green]All {total} requests are “Processada”[/bold green] ({seconds} s)."
        )
        return
    if not missing:
        wrong = ", ".join(name for name, masking in result.masking.items() if not masking.right)
        text = f"All {total} requests are “Processada”, but the wrong people are anonymised"
        console.print(f"\n[bold red]{text}: {wrong}.[/bold red]")
        return
    console.print(f"\n[bold red]{missing} of {total} requests are not “Processada”.[/bold red]")
    for row in result.open[:SHOWN_OPEN]:
        asked = f"{row.ask.tenant} {row.ask.command} {row.request_id}"
        console.print(Text(f"  {asked}: {row.after} {row.problem or ''}"), soft_wrap=True)
    if missing > SHOWN_OPEN:
        console.print(f"  and {missing - SHOWN_OPEN} more (--json lists all)")
    console.print("[bold]What is known of the reasons[/bold]")
    for clue in result.clues[:SHOWN_CLUES]:
        console.print(Text(f"  {clue}"), soft_wrap=True)
