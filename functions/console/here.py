"""What a page has at hand while it answers one request."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from flask import g

from console.gates import Visitor
from smartlink.domain.retry import RetryPolicy
from smartlink.i18n import _
from smartlink.observability import WARNING, event
from smartlink.operations.activation import CheckErp, ErpChecked
from smartlink.operations.acts import Act
from smartlink.operations.audit import Facts, Recording, recorded
from smartlink.operations.board import Board, Scope
from smartlink.operations.configuration import policy_in_force
from smartlink.operations.ports import Deployment, Identity
from smartlink.operations.preview import Previews
from smartlink.operations.rights import Right


class Acting:
    """The deployment as it is in the hands of whoever looks at the pages.

    The process acts with an account of its own, so the audit must be told the person's name. And it
    lives long, so the policy in force is looked up for each request.
    """

    def __init__(self, base: Deployment, operator: Identity) -> None:
        """`base`: of the process."""
        self._base = base
        self.operator = operator

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (each is as in Deployment)
        return getattr(self._base, name)

    @cached_property
    def policy(self) -> RetryPolicy:
        """The retry policy in force now."""
        return policy_in_force(self._base)


@dataclass
class Here:
    """The deployment, the visitor, and what all visitors' looks share."""

    deployment: Deployment
    visitor: Visitor
    board: Board
    previews: Previews
    check_erp: CheckErp
    checks_erp: bool  # else `check_erp` says that it was not made

    @classmethod
    def of(
        cls,
        base: Deployment,
        visitor: Visitor,
        board: Board,
        previews: Previews,
        check_erp: CheckErp | None,
    ) -> "Here":
        """Makes it for one request."""
        own = cast("Deployment", Acting(base, visitor.identity))
        return cls(own, visitor, board, previews, check_erp or _unchecked, check_erp is not None)

    def scope(self, tenant: str | None = None, right: Right = Right.VIEW) -> Scope:
        """Returns the tenants that may be seen, or the one that is named. Raises
        UnknownTenantError."""
        return self.visitor.scope(right).within(self.deployment, tenant or None)

    def tenant(self, name: str, right: Right = Right.VIEW) -> str:
        """Returns the name of a tenant that may be seen. Raises UnknownTenantError, and
        ForbiddenError if the visitor may see it but has not this right."""
        self.scope(name)
        self.visitor.check(right, name)
        return name

    @contextmanager
    def recorded(
        self,
        act: Act,
        *,
        target: str,
        tenant: str | None = None,
        reason: str | None = None,
        count: int | None = None,
        before: Facts | None = None,
    ) -> Iterator[Recording]:
        """Records an act before it is done, and what came of it; then all looks are made anew."""
        with recorded(
            self.deployment,
            act,
            target=target,
            tenant=tenant,
            reason=reason,
            count=count,
            before=before,
            warn=lambda text: event("audit_incomplete", text, WARNING),
        ) as recording:
            try:
                yield recording
            finally:
                self.board.forget()


def _unchecked(_payload: bytes) -> ErpChecked:
    return ErpChecked(unchecked=_("this console cannot reach an ERP"))


def here() -> Here:
    """Returns what this request has at hand."""
    found: Here = g.here
    return found
