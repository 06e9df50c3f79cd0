"""`make consumer`: writes a command's module, test, contract and entry in the catalogue."""

import importlib.util
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from infra.authors import templates
from infra.authors.catalog_file import PLACE, with_entry
from infra.authors.errors import AuthorError
from infra.authors.naming import Names, names_of
from infra.authors.placing import place
from infra.authors.schemas import FOLDER, review
from smartlink.consumer import Consumer
from smartlink.domain.catalog import CatalogError, parse_catalog
from smartlink.domain.json_bytes import unmarked

MEMORY_MIB = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What an author may choose besides the name."""

    timeout: int = 60  # seconds of one message
    personal: bool = False
    erp: bool = False


@dataclass(frozen=True, slots=True)
class Scaffolded:
    """The names and the files that were written."""

    names: Names
    module: Path
    test: Path
    schema: Path
    catalog: Path


def scaffold(root: Path, command: str, wish: Wish) -> Scaffolded:
    """Write all files or none. Raises AuthorError, which names the thing, the place and the fix."""
    names = names_of(command)
    catalog = root / PLACE
    text = _read(catalog)
    _refuse_clashes(text, names)
    made = Scaffolded(
        names,
        root / "functions" / "consumers" / f"{names.snake}.py",
        root / "tests" / "consumers" / f"test_{names.snake}.py",
        root / FOLDER / f"{command}.json",
        catalog,
    )
    _refuse_existing(root, made)
    new_catalog = with_entry(text, command, _entry(names, wish))
    created = _files(root, made, wish)
    try:
        place(created, {catalog: new_catalog})
    except OSError as error:
        message = f"{error.filename} could not be written: {error.strerror}. Nothing was changed."
        raise AuthorError(message) from error
    return made


def _read(catalog: Path) -> str:
    try:
        return unmarked(catalog.read_bytes()).decode().replace("\r\n", "\n")
    except OSError as error:
        message = f"{catalog} cannot be read: {error.strerror}. Run it in a checkout."
        raise AuthorError(message) from error


def _entry(names: Names, wish: Wish) -> dict[str, object]:
    entry: dict[str, object] = {
        "module": names.module,
        "topic": names.topic,
        "timeoutSeconds": wish.timeout,
        "memoryMiB": MEMORY_MIB,
    }
    flags = {"personal": wish.personal, "erp": wish.erp}
    return entry | {name: True for name, wanted in flags.items() if wanted}


def _files(root: Path, made: Scaffolded, wish: Wish) -> Mapping[Path, str]:
    names = made.names
    words = {
        "command": names.command,
        "snake": names.snake,
        "request": names.request,
        "response": names.response,
    }
    module = templates.CONSUMER.substitute(words, erp=templates.ERP if wish.erp else "")
    contract = review(root, [_loaded(names, module)], today=date.min)[0]
    return {
        made.module: module,
        made.test: templates.TEST.substitute(words),
        made.schema: contract.text or "",
    }


def _loaded(names: Names, text: str) -> Consumer:
    """Load the consumer from the module's text, which is not in the checkout yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{names.snake}.py"
        path.write_text(text, encoding="utf-8")
        spec = importlib.util.spec_from_file_location(f"draft_of_{names.snake}", path)
        assert spec is not None  # noqa: S101 - a file that ends with .py has one
        assert spec.loader is not None  # noqa: S101 - the same
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    loaded: Consumer = module.answer
    return loaded


def _refuse_clashes(text: str, names: Names) -> None:
    """Refuse a name, topic or module that the catalogue has already, in any casing."""
    try:
        commands = parse_catalog(text).commands
    except CatalogError as error:
        message = f"{PLACE}: {error}. Fix it first."
        raise AuthorError(message) from None
    for name, command in commands.items():
        if name == names.command:
            place_of = f"functions/{command.module.replace('.', '/')}.py"
            message = f"{name} is in {PLACE} already: edit {place_of}, or choose another name."
        elif name.lower() == names.command.lower():
            message = (
                f"{names.command} differs from {name} in {PLACE} by its capitals only: "
                f"choose another name."
            )
        elif command.topic == names.topic:
            message = f"The topic {names.topic} belongs to {name} in {PLACE}: choose another name."
        elif command.module == names.module:
            message = (
                f"The module {names.module} belongs to {name} in {PLACE}: choose another name."
            )
        else:
            continue
        raise AuthorError(message)


def _refuse_existing(root: Path, made: Scaffolded) -> None:
    package = made.module.with_suffix("")
    for path in (made.module, package, made.test, made.schema):
        if path.exists():
            message = (
                f"{path.relative_to(root)} is there already, and is not overwritten: "
                f"choose another name than {made.names.command}, or move it away."
            )
            raise AuthorError(message)
