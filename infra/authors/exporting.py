"""`make schemas`: writes the contracts, unless a change would break older messages."""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from pathlib import Path

from infra.authors.errors import AuthorError, BreakingError
from infra.authors.loaded import loaded_consumer
from infra.authors.placing import write_whole
from infra.authors.schemas import Contract, review
from smartlink.consumer import Consumer
from smartlink.domain.catalog import CatalogError, parse_catalog

_NONE = "its consumer takes the content as it came (str), or the catalogue no longer has it"


def catalogue_consumers(root: Path) -> list[Consumer]:
    """Load the consumer of each command. Raises AuthorError."""
    path = root / "infra" / "catalog.json"
    try:
        commands = parse_catalog(path.read_bytes()).commands
    except (OSError, CatalogError) as error:
        message = f"{path}: {error}."
        raise AuthorError(message) from error
    return [loaded_consumer(name, command.module) for name, command in commands.items()]


def export(root: Path, accepted: str | None, today: date, say: Callable[[str], None]) -> None:
    """Bring all files up to date and list them; if one change breaks, write none of them.

    `accepted` is the reason that is recorded for changes that break older messages. Without it they
    raise BreakingError, which names each field.
    """
    if accepted is not None and not accepted.strip():
        message = "--accept-breaking needs a reason: people who send such messages read it."
        raise AuthorError(message)
    contracts = review(root, catalogue_consumers(root), accepted=accepted, today=today)
    refuse_breaks(contracts)
    for contract in contracts:
        if contract.stale and contract.text is not None:
            contract.path.parent.mkdir(exist_ok=True)
            write_whole(contract.path, contract.text.encode())
        elif contract.stale:
            contract.path.unlink()
    for line in listing(root, contracts):
        say(line)


def refuse_breaks(contracts: Sequence[Contract]) -> None:
    """Raise BreakingError if a contract has a breaking change."""
    broken = [f"  {it.command}: {change}" for it in contracts for change in it.breaks]
    if broken:
        lines = "\n".join(broken)
        message = (
            f"Messages that fitted until now would fail, so nothing was written:\n{lines}\n"
            f"If no such message is on its way any more, and every sender knows: "
            f"""make schemas ARGS='--accept-breaking "the reason"'"""
        )
        raise BreakingError(message)


def listing(root: Path, contracts: Sequence[Contract]) -> Iterator[str]:
    """Yield a line for each command."""
    width = max((len(it.command) for it in contracts), default=0)
    for it in contracts:
        place = it.path.relative_to(root)
        if it.text is not None:
            state = "unchanged" if not it.stale else "written" if it.stands is None else "renewed"
            yield f"{it.command:<{width}}  {place}: {state}"
        else:
            gone = f"; {place} removed" if it.stale else ""
            yield f"{it.command:<{width}}  no schema: {_NONE}{gone}"
