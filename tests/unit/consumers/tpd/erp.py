"""A tenant's ERP in a SQLite file: the sample people of the demo."""

from dataclasses import dataclass, field

from infra.people import SamplePerson
from tests.support.tpd import NOW, Tpd

__all__ = ["NOW", "TenantErp"]


@dataclass
class TenantErp(Tpd):
    """A tenant's sample people."""

    people: list[SamplePerson] = field(default_factory=list)

    @property
    def customer(self) -> SamplePerson:
        """Somebody of whom nothing has to be kept."""
        return self.people[0]

    @property
    def worker(self) -> SamplePerson:
        """Somebody who is an employee as well."""
        return self.people[2]
