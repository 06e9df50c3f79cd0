"""Shows people what runs where."""

import json
from pathlib import Path

from rich.table import Table

from infra.local.rest import Json
from infra.local.stack import RunningStack


def whereabouts(stack: RunningStack) -> Table:
    """Make a table of the addresses. A log has the name of its process."""
    table = Table(title=f"Smart Link on this machine · project {stack.addresses.project}")
    table.add_column("what")
    table.add_column("where", no_wrap=True)
    table.add_column("pid", justify="right")
    places = stack.addresses
    rows = {
        "firestore": places.firestore,
        "pubsub": places.pubsub,
        "storage": f"http://{places.storage}",
        "secret-manager": places.secret_manager,
        "simulator": places.base_url,
        **places.functions,
    }
    for name, where in rows.items():
        pid = stack.pids.get(name)
        shown = "broker" if name == "simulator" and not places.simulator else name
        table.add_row(shown, where, "outside" if pid is None else str(pid))
    return table


def hints(stack: RunningStack, folder: Path, example: Json | None) -> str:
    """Write where to look and what to try."""
    lines = [f"Logs: {stack.logs}/<what>.log. For programs: {folder / 'stack.json'}"]
    simulator = stack.addresses.simulator
    if simulator and example:
        url = f"{simulator}/simulator/requests"
        asked = json.dumps([example])
        lines += [
            "Ask for a person's data, as TPD does:",
            f"  curl -s {url} -H 'Content-Type: application/json' -d '{asked}'",
            "Instead of waiting for ticks: a poll fetches the message, a second sends the answer:",
            f"  curl -s -X POST {stack.addresses.functions['poll']}",
            "See what became of it:",
            f"  curl -s {url}",
        ]
    return "\n".join(lines)
