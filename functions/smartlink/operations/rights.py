"""Who may do what, and for which tenants: the one place that decides it.

A right is a pair of a right and a tenant. `SMARTLINK_ROLES` gives rights to people; Terraform's
variable `roles` sets it. Whoever is not named there may do nothing.

    {"ana@example.com": {"operator": ["*"], "contents": ["acme"]},
     "rui@example.com": {"viewer": ["acme", "globex"]}}

`viewer` may look, `operator` may also act on messages, `admin` may also change tenants and the
configuration. `contents` is apart from them: nobody sees the content of a message without it.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from smartlink.domain.tenant import TenantError, check_tenant_name
from smartlink.i18n import _
from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.names import did_you_mean

EVERY = "*"
_VARIABLE = "SMARTLINK_ROLES"
_ACCOUNT = re.compile(r"[^@\s:]+@[^@\s:]+")


class Right(StrEnum):
    """What somebody may do."""

    VIEW = "view"  # states, counts, errors, log lines; no content
    OPERATE = "operate"  # redrive, discard, hold, publish; end a pause; jobs of these
    ADMINISTER = "administer"  # tenants' secrets, the configuration, a purge
    CONTENTS = "contents"  # see what a message holds


class Role(StrEnum):
    """What `SMARTLINK_ROLES` gives to somebody."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
    CONTENTS = "contents"


_GIVES: Mapping[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.VIEW}),
    Role.OPERATOR: frozenset({Right.VIEW, Right.OPERATE}),
    Role.ADMIN: frozenset({Right.VIEW, Right.OPERATE, Right.ADMINISTER}),
    Role.CONTENTS: frozenset({Right.CONTENTS}),
}


@dataclass(frozen=True, slots=True)
class Tenants:
    """The tenants for which somebody has a right."""

    every: bool = False
    named: frozenset[str] = frozenset()

    def __contains__(self, tenant: object) -> bool:
        return self.every or tenant in self.named

    def __bool__(self) -> bool:
        return self.every or bool(self.named)

    def among(self, tenants: Iterable[str]) -> list[str]:
        """Returns those of the tenants for which the right is given."""
        return [it for it in tenants if it in self]


NOBODY = Tenants()
EVERYBODY = Tenants(every=True)


@dataclass(frozen=True, slots=True)
class Roles:
    """The rights of all people. Made without anything, it gives nobody any."""

    given: Mapping[str, Mapping[Right, Tenants]] = field(default_factory=dict)
    everybody: bool = False  # on a local stack without roles, whoever is there may do everything

    def tenants(self, account: str, right: Right) -> Tenants:
        """Returns the tenants for which an account has the right: a query filters by them."""
        if self.everybody:
            return EVERYBODY
        return self.given.get(account.casefold(), {}).get(right, NOBODY)

    def may(self, account: str, right: Right, tenant: str) -> bool:
        """Tells whether an account has the right for this tenant."""
        return tenant in self.tenants(account, right)

    def may_everywhere(self, account: str, right: Right) -> bool:
        """Tells whether it has the right for every tenant: what concerns all of them needs that."""
        return self.tenants(account, right).every

    def check(self, account: str, right: Right, tenants: Iterable[str]) -> None:
        """Raises ForbiddenError unless the account has the right for each of these tenants."""
        own = self.tenants(account, right)
        without = [it for it in tenants if it not in own]
        if without:
            more = _(" and {others} more", others=len(without) - 1) if len(without) > 1 else ""
            message = _(
                "{account} may not {right} {without}{more}: Terraform's `roles` ({variable}) "
                "gives no such right",
                account=account,
                right=right,
                without=without[0],
                more=more,
                variable=_VARIABLE,
            )
            raise ForbiddenError(message)


def parse_roles(text: str, *, local: bool) -> Roles:
    """Reads `SMARTLINK_ROLES`. Raises InvalidError, which names the wrong entry.

    Nothing gives nobody any right; but on a local stack everybody may do everything then.
    """
    if not text.strip():
        return Roles(everybody=local)
    try:
        document = json.loads(text, object_pairs_hook=_unrepeated)
    except ValueError as error:
        message = _("{variable} is no JSON object: {error}", variable=_VARIABLE, error=error)
        raise InvalidError(message) from None
    if not isinstance(document, dict):
        message = _(
            '{variable} must be a JSON object, as in {{"ana@example.com": …}}', variable=_VARIABLE
        )
        raise InvalidError(message)
    given: dict[str, Mapping[Right, Tenants]] = {}
    for number, (account, roles) in enumerate(document.items(), 1):
        name = account.strip().casefold()
        if _ACCOUNT.fullmatch(name) is None:
            message = _(
                "{variable}: {account!r} is no account: write its e-mail address alone, "
                "without user: (the members of a group are not known here)",
                variable=_VARIABLE,
                account=account,
            )
            raise InvalidError(message)
        if name in given:
            message = _(
                "{variable}: entry {number} names an account that is named before it",
                variable=_VARIABLE,
                number=number,
            )
            raise InvalidError(message)
        given[name] = _rights(number, roles)
    return Roles(given)


def _unrepeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        message = _("a name stands twice in one object")
        raise ValueError(message)
    return dict(pairs)


def _rights(number: int, roles: object) -> Mapping[Right, Tenants]:
    """Reads what one account is given. The entry is named by its number: it is a person's."""
    where = _("{variable}: entry {number}", variable=_VARIABLE, number=number)
    if not isinstance(roles, dict):
        message = _(
            '{where} must be an object, as in {{"operator": ["{every}"]}}', where=where, every=EVERY
        )
        raise InvalidError(message)
    rights: dict[Right, Tenants] = {}
    for role, tenants in roles.items():
        if role not in list(Role):
            known = [str(it) for it in Role]
            hint = did_you_mean(role, known) or _(": they are {known}", known=", ".join(known))
            message = _("{where}: {role!r} is no role{hint}", where=where, role=role, hint=hint)
            raise InvalidError(message)
        own = _tenants(f"{where}, {role}", tenants)
        for right in _GIVES[Role(role)]:
            before = rights.get(right, NOBODY)
            rights[right] = Tenants(before.every or own.every, before.named | own.named)
    return rights


def _tenants(where: str, tenants: object) -> Tenants:
    if not isinstance(tenants, list) or not all(isinstance(it, str) for it in tenants):
        message = _(
            '{where} must be a list of tenants, or ["{every}"] for all of them',
            where=where,
            every=EVERY,
        )
        raise InvalidError(message)
    named = set(tenants) - {EVERY}
    try:
        return Tenants(EVERY in tenants, frozenset(map(check_tenant_name, named)))
    except TenantError as error:
        message = _("{where}: {error}", where=where, error=error)
        raise InvalidError(message) from None
