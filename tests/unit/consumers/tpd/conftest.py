"""Tenants' ERPs, made for each test."""

from collections.abc import Callable
from pathlib import Path

import pytest

from infra.people import MAP, create_people_database

from .erp import TenantErp

PEOPLE = 12  # of whom numbers 3, 6, 9 and 12 are employees


@pytest.fixture
def erp_of(tmp_path: Path) -> Callable[[str], TenantErp]:
    """Make a tenant's ERP, with people of its own."""

    def make(tenant: str) -> TenantErp:
        # The time-out keeps the test of a locked database short.
        url = f"sqlite:///{tmp_path / tenant}.db?timeout=0.05"
        people = create_people_database(url, PEOPLE, seed=sum(tenant.encode()))
        return TenantErp(tenant, {"databaseUrl": url, "map": MAP}, people=people)

    return make


@pytest.fixture
def erp(erp_of: Callable[[str], TenantErp]) -> TenantErp:
    return erp_of("acme")
