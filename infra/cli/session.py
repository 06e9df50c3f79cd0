"""One call of the command line: its options, its screen, and the place it works in."""

import logging
import os
from dataclasses import dataclass, field
from functools import cached_property

import typer

from infra.cli.screen import Screen
from infra.cli.target import Target, find_target
from infra.cli.world import World


@dataclass
class Session:
    """Made by the callback of the app; what costs time is made when it is first asked for."""

    project: str | None = None
    environment: str | None = None
    screen: Screen = field(default_factory=Screen)

    @cached_property
    def target(self) -> Target:
        """The local stack or the cloud project."""
        return find_target(self.project, self.environment, os.environ)

    @cached_property
    def world(self) -> World:
        """The adapters there."""
        quiet_logs()
        target = self.target
        # The relay's own composition root reads the environment, as it does when deployed.
        os.environ.update(target.variables)
        if target.local:
            os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = ""
            os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        return World(target)


def quiet_logs() -> None:
    """Keep the relay's JSON log lines off the operator's screen."""
    root = logging.getLogger()
    root.handlers[:] = [logging.NullHandler()]


CURRENT: list[Session] = []
"""The session of this process, for what is shown when it fails."""


def session_of(context: typer.Context) -> Session:
    """The session that the app's callback made."""
    session: Session = context.find_object(Session) or Session()
    return session
