"""`smartlink config show|check|push|rollback`: totvsAppConfig_v2.json."""

import difflib
import json
from pathlib import Path
from typing import Annotated

import typer

from infra.cli import options as opt
from infra.cli.errors import CliError, ForbiddenError, MissingError, UsageError
from infra.cli.schedule import checked, schedule_view, show_schedule
from infra.cli.screen import Screen, iso
from infra.cli.session import Session, session_of
from infra.cli.target import CHECKOUT
from infra.cli.world import World
from smartlink.domain.config import ConfigError, parse_config
from smartlink.ports import ConfigFile, NotFound
from smartlink.settings import Settings, load_settings

_File = Annotated[str, typer.Argument(metavar="FILE", help="A totvsAppConfig_v2.json.")]
_Generation = Annotated[
    str | None,
    typer.Option("--generation", help="The generation you looked at: refused if it has changed."),
]


def show(context: typer.Context) -> None:
    """Show the file in the bucket, what is in force, and the retry schedule that it means."""
    session = session_of(context)
    world, screen = session.world, session.screen
    current, good = world.config.current(), world.store.load()
    problem = _problem(current, world.settings)
    policy = parse_config(good.data, good.generation) if problem and good else world.policy
    if screen.as_json:
        screen.json(
            {
                "uri": world.settings.config_uri,
                "generation": current.generation if current else None,
                "problem": problem,
                "lastGood": good.generation if good else None,
                "generations": [
                    {"generation": it.number, "written": iso(it.written), "current": it.current}
                    for it in world.config.generations()
                ],
                "inForce": schedule_view(policy),
            }
        )
        return
    screen.facts(
        (
            ("File", world.settings.config_uri),
            ("Generation", current.generation if current else "(missing)"),
            ("Problem", problem),
            ("Last good kept", good.generation if good else None),
            ("In force", policy.generation),
        )
    )
    show_schedule(screen, policy)


def _problem(current: ConfigFile | None, settings: Settings) -> str | None:
    if current is None:
        return "the file is missing"
    try:
        checked(current.data, current.generation, settings)
    except CliError as error:
        return str(error)
    return None


def check(context: typer.Context, file: _File) -> None:
    """Check a file and print the retry schedule it means; refuse what cannot work."""
    session = session_of(context)
    policy = checked(_read(file), "checked", _settings(session))
    if session.screen.as_json:
        session.screen.json(schedule_view(policy))
        return
    show_schedule(session.screen, policy)


def _settings(session: Session) -> Settings:
    """Those of the place, or without one the defaults: a file can be checked anywhere."""
    try:
        return session.world.settings
    except UsageError:
        if session.project or session.environment:
            raise
        return load_settings(CHECKOUT)


def _read(file: str) -> bytes:
    try:
        return Path(file).read_bytes()
    except OSError as error:
        message = f"{file} cannot be read: {error.strerror}"
        raise UsageError(message) from None


def push(
    context: typer.Context, file: _File, *, generation: _Generation = None, yes: opt.Yes = False
) -> None:
    """Upload a file that has been checked, and show the difference. Each poll reads it anew."""
    session = session_of(context)
    _replace(session, _read(file), generation, yes=yes)


def rollback(
    context: typer.Context,
    *,
    to: Annotated[
        str | None,
        typer.Option("--to", help="A generation (else the one before, or the last good)."),
    ] = None,
    generation: _Generation = None,
    yes: opt.Yes = False,
) -> None:
    """Make an earlier generation the current one again, as a new generation."""
    session = session_of(context)
    world = session.world
    try:
        earlier = world.config.at(to) if to else _earlier(world)
    except (NotFound, ValueError):
        message = f"There is no generation {to}: smartlink config show --json lists them."
        raise MissingError(message) from None
    session.screen.note(f"Back to generation {earlier.generation}.")
    _replace(session, earlier.data, generation, yes=yes)


def _earlier(world: World) -> ConfigFile:
    """The newest other generation that can work: of the bucket, else the last good kept."""
    current = world.config.current()
    now = current.generation if current else None
    kept = [world.config.at(it.number) for it in world.config.generations() if not it.current]
    good = world.store.load()
    if good is not None:
        kept.append(good)
    for file in kept:
        same = current is not None and file.data == current.data
        if file.generation != now and not same and _works(file):
            return file
    message = f"No earlier generation of {world.settings.config_uri} is kept that could work."
    raise MissingError(message)


def _works(file: ConfigFile) -> bool:
    try:
        parse_config(file.data, file.generation)
    except ConfigError:
        return False
    return True


def _replace(session: Session, data: bytes, generation: str | None, *, yes: bool) -> None:
    world, screen = session.world, session.screen
    policy = checked(data, "new", world.settings)
    current = world.config.current()
    now = current.generation if current else None
    if generation is not None and generation != (now or "0"):
        message = (
            f"{world.settings.config_uri} is at generation {now or '0 (missing)'}, "
            f"not {generation}: somebody changed it; look again (smartlink config show)."
        )
        raise ForbiddenError(message)
    changes = _difference(current.data if current else b"", data)
    if not yes or not changes:
        _show(screen, changes, schedule_view(policy), written=False)
        if changes:
            screen.say("Dry run, nothing was changed. Add --yes to do it.")
        return
    world.config.write(data, now)
    _show(screen, changes, schedule_view(policy), written=True)
    screen.say("Written. The next poll reads it; messages keep the delay they wait for now.")


def _show(screen: Screen, changes: list[str], view: dict[str, object], *, written: bool) -> None:
    if screen.as_json:
        screen.json({"written": written, "difference": changes, "schedule": view})
        return
    if not changes:
        screen.say("No difference: nothing to do.")
    for line in changes:
        screen.say(line, {"+": "green", "-": "red"}.get(line[:1]))


def _difference(old: bytes, new: bytes) -> list[str]:
    lines = difflib.unified_diff(_lines(old), _lines(new), "now", "new", lineterm="", n=2)
    return list(lines)


def _lines(data: bytes) -> list[str]:
    """Its JSON, indented, so that only what is said differs."""
    try:
        return json.dumps(json.loads(data.removeprefix(b"\xef\xbb\xbf")), indent=2).splitlines()
    except ValueError:
        return data.decode("utf-8", "replace").splitlines()
