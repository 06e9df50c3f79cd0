"""One call of the command line: its options, its screen, and the deployment that it uses."""

import getpass
import json
import logging
import os
import socket
import sys
from collections.abc import Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property

import typer

from infra.cli.screen import Screen
from infra.cli.target import Target, find_target
from infra.local.checkout import CATALOG
from smartlink import bootstrap
from smartlink.i18n import Text, _, told
from smartlink.operations.acts import Act
from smartlink.operations.audit import Facts, Recording, recorded
from smartlink.operator_wiring import OperatorWiring


@dataclass
class Session:
    """The app's callback makes it. What takes time is made at its first use."""

    project: str | None = None
    environment: str | None = None
    screen: Screen = field(default_factory=Screen)

    @cached_property
    def target(self) -> Target:
        """The local stack or the cloud project."""
        return find_target(self.project, self.environment, os.environ)

    @cached_property
    def deployment(self) -> OperatorWiring:
        """The deployment on which the operations work."""
        quiet_logs()
        target = self.target
        # The relay's own composition reads the environment, as in a deployed function.
        os.environ.update(target.variables)
        if target.local:
            os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = ""
            os.environ["NO_PROXY"] = os.environ["no_proxy"] = "127.0.0.1,localhost"
        return OperatorWiring(
            target.variables,
            target.title,
            target.functions,
            json.loads(CATALOG.with_name("firestore.json").read_bytes()),
            self._local_operator,
        )

    def begin_relay(self) -> None:
        """Prepare to run the relay's use cases in this process, without their logs on the
        screen."""
        _ = self.deployment.settings  # raises InvalidError if they are wrong
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
        act: Act,
        *,
        target: str,
        tenant: str | Collection[str] | None = None,
        reason: str | None = None,
        count: int | None = None,
        before: Facts | None = None,
    ) -> AbstractContextManager[Recording]:
        """Record an act before it is done, and what came of it.

        Where no reason is given, a person at a terminal is asked for it; that a program gives none
        is told, and is on record.
        """
        return recorded(
            self.deployment,
            act,
            target=target,
            tenant=tenant,
            reason=self._reason(reason),
            count=count,
            before=before,
            warn=self.warn,
        )

    def warn(self, text: Text) -> None:
        """Tell of what went wrong beside the result."""
        self.screen.note(text, "yellow")

    def _reason(self, given: str | None) -> str | None:
        if given is not None and given.strip():
            return given
        if sys.stdin.isatty() and not self.screen.as_json:
            asked: str = typer.prompt(told(_("Why (it is kept with your name)")), err=True)
            return asked
        self.screen.note(
            _("No reason is given, and that is on record: --reason says why."), "yellow"
        )
        return None


def quiet_logs() -> None:
    """Keep the relay's JSON log lines off the operator's screen."""
    root = logging.getLogger()
    root.handlers[:] = [logging.NullHandler()]


CURRENT: list[Session] = []
"""The session of this process, with which its errors are shown."""


def session_of(context: typer.Context) -> Session:
    """Return the session that the app's callback made."""
    session: Session = context.find_object(Session) or Session()
    return session
