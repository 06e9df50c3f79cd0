"""`totvsAppConfig_v2.json`: what is in force, and a new generation."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.retry import RetryPolicy
from smartlink.operations.errors import (
    GenerationChangedError,
    MissingError,
    NoGenerationError,
)
from smartlink.operations.ports import Deployment
from smartlink.operations.retries import InvalidConfigError, check
from smartlink.ports import ConfigFile, NotFound
from smartlink.settings import Settings

SAMPLE = """\
{
  "TotvsAppGlobalConfig": {
    "IntegrationSmartLinkInfo": {
      "QtdeTentativasExec": 5,
      "FatorTempoExecucao": 1,
      "MinutesInterval": 3
    }
  }
}
"""
"""A file to start from: what is in force where there is none."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The file as it is, and what the relay makes of it."""

    current: ConfigFile | None
    last_good: ConfigFile | None
    problem: str | None  # with the current one
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new generation that can work, and how it differs from the current one."""

    data: bytes
    replaces: str | None  # the current generation; None: there is no file
    difference: Sequence[str]
    policy: RetryPolicy


def look(deployment: Deployment) -> InForce:
    """The file, what is wrong with it, and the policy in force."""
    current, good = deployment.config.current(), deployment.store.load()
    problem = _problem(current, deployment.settings)
    policy = parse_config(good.data, good.generation) if problem and good else deployment.policy
    return InForce(current, good, problem, policy)


def _problem(current: ConfigFile | None, settings: Settings) -> str | None:
    if current is None:
        return "the file is missing"
    try:
        check(current.data, current.generation, settings)
    except InvalidConfigError as error:
        return str(error)
    return None


def propose(deployment: Deployment, data: bytes, generation: str | None) -> Proposal:
    """Check a new file, and compare it with the current one; nothing is written.

    Raises InvalidConfigError, and GenerationChangedError if `generation` (None: any; "0": none)
    is not the current one.
    """
    policy = check(data, "new", deployment.settings)
    current = deployment.config.current()
    now = current.generation if current else None
    if generation is not None and generation != (now or "0"):
        message = (
            f"{deployment.settings.config_uri} is at generation {now or '0 (missing)'}, "
            f"not {generation}: somebody changed it"
        )
        raise GenerationChangedError(message)
    return Proposal(data, now, _difference(current.data if current else b"", data), policy)


def write(deployment: Deployment, proposal: Proposal) -> None:
    """Make it the current generation, if the one it was compared with still is. Each poll reads
    it anew."""
    deployment.config.write(proposal.data, proposal.replaces)


def earlier(deployment: Deployment, generation: str | None) -> ConfigFile:
    """A generation to go back to: this one, else the newest other one that can work.

    That is one of the bucket's, else the last good one that the relay keeps. Raises MissingError.
    """
    if generation is not None:
        try:
            return deployment.config.at(generation)
        except (NotFound, ValueError):
            message = f"There is no generation {generation}"
            raise NoGenerationError(message) from None
    current = deployment.config.current()
    now = current.generation if current else None
    versions = deployment.config.generations()
    kept = [deployment.config.at(it.number) for it in versions if not it.current]
    good = deployment.store.load()
    if good is not None:
        kept.append(good)
    for file in kept:
        same = current is not None and file.data == current.data
        if file.generation != now and not same and _works(file):
            return file
    message = f"No earlier generation of {deployment.settings.config_uri} is kept that could work."
    raise MissingError(message)


def _works(file: ConfigFile) -> bool:
    try:
        parse_config(file.data, file.generation)
    except ConfigError:
        return False
    return True


def _difference(old: bytes, new: bytes) -> list[str]:
    lines = difflib.unified_diff(_lines(old), _lines(new), "now", "new", lineterm="", n=2)
    return list(lines)


def _lines(data: bytes) -> list[str]:
    """Its JSON, indented, so that only what is said differs."""
    try:
        return json.dumps(json.loads(data.removeprefix(b"\xef\xbb\xbf")), indent=2).splitlines()
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace").splitlines()
