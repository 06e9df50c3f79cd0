"""Who may do what: by default nobody, and a mistake in the roles is named."""

import pytest

from smartlink.operations.errors import ForbiddenError, InvalidError
from smartlink.operations.rights import Right, Roles, parse_roles

ROLES = """{
  "Ana@Example.com": {"viewer": ["*"], "operator": ["acme"], "contents": ["globex"]},
  "rui@example.com": {"admin": ["acme", "globex"]},
  "none@example.com": {}
}"""


def test_nobody_may_do_anything_by_default() -> None:
    for roles in (Roles(), parse_roles("", local=False), parse_roles("{}", local=True)):
        assert not any(roles.may("ana@example.com", right, "acme") for right in Right)
        assert not any(roles.may_everywhere("ana@example.com", right) for right in Right)
        assert not any(roles.tenants("ana@example.com", right) for right in Right)


def test_on_a_local_stack_without_roles_everybody_may_everything() -> None:
    roles = parse_roles(" ", local=True)
    assert all(roles.may("ana@host", right, "acme") for right in Right)
    assert all(roles.may_everywhere("ana@host", right) for right in Right)


def test_a_right_is_a_pair_of_right_and_tenant() -> None:
    roles = parse_roles(ROLES, local=True)
    ana, rui = "ana@example.com", "RUI@example.com"
    for account, right, tenants in (
        (ana, Right.VIEW, ["acme", "globex", "new"]),
        (ana, Right.OPERATE, ["acme"]),
        (ana, Right.ADMINISTER, []),
        (ana, Right.CONTENTS, ["globex"]),
        (rui, Right.VIEW, ["acme", "globex"]),
        (rui, Right.OPERATE, ["acme", "globex"]),
        (rui, Right.ADMINISTER, ["acme", "globex"]),
        (rui, Right.CONTENTS, []),
        ("none@example.com", Right.VIEW, []),
        ("stranger@example.com", Right.VIEW, []),
    ):
        asked = ["acme", "globex", "new"]
        assert [it for it in asked if roles.may(account, right, it)] == tenants
        assert roles.tenants(account, right).among(asked) == tenants
    assert roles.may_everywhere(ana, Right.VIEW)
    assert not roles.may_everywhere(rui, Right.VIEW)


def test_what_is_not_given_is_refused_with_the_place() -> None:
    roles = parse_roles(ROLES, local=False)
    roles.check("ana@example.com", Right.OPERATE, ["acme"])
    roles.check("stranger@example.com", Right.OPERATE, [])
    with pytest.raises(ForbiddenError, match=r"may not operate globex and 1 more: Terraform's"):
        roles.check("ana@example.com", Right.OPERATE, ["acme", "globex", "new"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[]", "must be a JSON object"),
        ("{", "is no JSON object"),
        ('{"a@x": {}, "a@x": {}}', "a name stands twice"),
        ('{"a@x": {}, "A@x": {}}', "entry 2 names an account that is named before it"),
        ('{"group:ops@x": {}}', "'group:ops@x' is no account: write its e-mail address alone"),
        ('{"ana": {}}', "'ana' is no account"),
        ('{"a@x": "admin"}', "entry 1 must be an object"),
        ('{"a@x": {"opertor": ["*"]}}', "entry 1: 'opertor' is no role: did you mean operator"),
        ('{"a@x": {"root": ["*"]}}', "'root' is no role: they are viewer, operator, admin, cont"),
        ('{"a@x": {"admin": "*"}}', "entry 1, admin must be a list of tenants"),
        ('{"a@x": {"admin": [1]}}', "entry 1, admin must be a list of tenants"),
        ('{"a@x": {"admin": ["NOPE!"]}}', "entry 1, admin: .*no tenant name"),
    ],
)
def test_a_mistake_is_named_and_gives_nothing(text: str, told: str) -> None:
    for local in (False, True):
        with pytest.raises(InvalidError, match=told) as caught:
            parse_roles(text, local=local)
        assert "SMARTLINK_ROLES" in str(caught.value)
