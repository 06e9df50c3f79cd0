"""One call of the command line: its options, its screen, and the place it works in."""

import getpass
import json
import logging
import os
import socket
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property

import typer

from infra.cli.screen import Screen
from infra.cli.target import Target, find_target
from infra.local.checkout import CATALOG
from smartlink import bootstrap
from smartlink.operations.audit import Facts, Recording, recorded
from smartlink.operator_wiring import OperatorWiring


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
    def deployment(self) -> OperatorWiring:
        """What the operations work with there."""
        quiet_logs()
        target = self.target
        # The relay's own composition root reads the environment, as it does when deployed.
        os.environ.update(target.variables)
        if target.local:
            os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = ""
            os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        return OperatorWiring(
            target.title,
            target.local,
            target.variables,
            target.functions,
            json.loads(CATALOG.with_name("firestore.json").read_bytes())["indexes"],
            self._local_operator,
        )

    def begin_relay(self) -> None:
        """Make the relay's own use cases ready to run here, without their logs on the screen."""
        _ = self.deployment.settings  # says what is wrong with them
        bootstrap.settings()  # turns the logs on
        quiet_logs()

    @property
    def who(self) -> str:
        """Name the person, for the log of what was done."""
        return self.deployment.operator.name

    @property
    def _local_operator(self) -> str:
        """What a local stack takes for the person's name: nobody verifies it."""
        return os.environ.get("SMARTLINK_OPERATOR") or f"{getpass.getuser()}@{socket.gethostname()}"

    def recorded(
        self,
        act: str,
        *,
        target: str,
        tenant: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        before: Facts | None = None,
    ) -> AbstractContextManager[Recording]:
        """Record an act before it is done, and what came of it."""
        return recorded(
            self.deployment,
            act,
            target=target,
            tenant=tenant,
            reason=reason,
            count=count,
            before=before,
            warn=lambda text: self.screen.note(text, "yellow"),
        )


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
