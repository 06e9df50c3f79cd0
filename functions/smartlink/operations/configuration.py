"""Shows which `totvsAppConfig_v2.json` is in force, and writes a new generation."""

import difflib
import json
from collections.abc import Sequence
from dataclasses import dataclass

from smartlink.domain.config import ConfigError, parse_config
from smartlink.domain.json_bytes import unmarked
from smartlink.domain.retry import RetryPolicy
from smartlink.i18n import Text, _, data
from smartlink.operations.errors import (
    GenerationChangedError,
    MissingError,
    NoGenerationError,
)
from smartlink.operations.ports import Deployment
from smartlink.operations.retries import InvalidConfigError, check
from smartlink.ports import ConfigFile, NotFound
from smartlink.services.polling.config import Config
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
    """The file, its problem, and the policy that the relay uses."""

    current: ConfigFile | None
    last_good: ConfigFile | None
    problem: Text | None  # of the current file
    policy: RetryPolicy


@dataclass(frozen=True, slots=True)
class Proposal:
    """A valid new generation, and how it differs from the current one."""

    data: bytes
    replaces: str | None  # the current generation; None: there is no file
    difference: Sequence[str]
    policy: RetryPolicy


def policy_in_force(deployment: Deployment) -> RetryPolicy:
    """Returns the policy that a poll would use now, found as the relay finds it."""
    return Config(deployment.config, deployment.store).policy()


def look(deployment: Deployment) -> InForce:
    """Returns the file, what is wrong with it, and the policy in force."""
    current, good = deployment.config.current(), deployment.store.load()
    problem = problem_of(current, deployment.settings)
    if current is not None and problem is None:
        policy = parse_config(current.data, current.generation)
    elif good is not None:
        policy = parse_config(good.data, good.generation)
    else:
        policy = deployment.policy
    return InForce(current, good, problem, policy)


def problem_of(current: ConfigFile | None, settings: Settings) -> Text | None:
    """Returns what is wrong with a file."""
    if current is None:
        return _("the file is missing")
    try:
        check(current.data, current.generation, settings)
    except InvalidConfigError as error:
        return data(error)
    return None


def propose(deployment: Deployment, data: bytes, generation: str | None) -> Proposal:
    """Checks a new file and compares it with the current one. It writes nothing.

    Raises InvalidConfigError. Raises GenerationChangedError if `generation` is not the current one;
    "0" means that there must be no file, and None that any generation will do.
    """
    policy = check(data, "new", deployment.settings)
    current = deployment.config.current()
    now = current.generation if current else None
    if generation is not None and generation != (now or "0"):
        message = _(
            "{config_uri} is at generation {now}, not {generation}: somebody changed it",
            config_uri=deployment.settings.config_uri,
            now=now or _("0 (missing)"),
            generation=generation,
        )
        raise GenerationChangedError(message)
    return Proposal(data, now, _difference(current.data if current else b"", data), policy)


def write(deployment: Deployment, proposal: Proposal) -> None:
    """Writes the new generation if the file is unchanged since the proposal; the next poll reads
    it."""
    deployment.config.write(proposal.data, proposal.replaces)


def earlier(deployment: Deployment, generation: str | None) -> ConfigFile:
    """Returns the generation to go back to: the given one, or else the newest other valid one.

    It looks in the bucket, and then at the last valid one that the relay keeps. Raises MissingError
    if there is none.
    """
    if generation is not None:
        try:
            return deployment.config.at(generation)
        except (NotFound, ValueError):
            message = _("There is no generation {generation}", generation=generation)
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
    message = _(
        "No earlier generation of {config_uri} is kept that could work.",
        config_uri=deployment.settings.config_uri,
    )
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
    """Returns the JSON's indented lines, so that the difference does not show its layout."""
    try:
        return json.dumps(json.loads(unmarked(data)), indent=2).splitlines()
    except (ValueError, RecursionError):
        return data.decode("utf-8", "replace").splitlines()
