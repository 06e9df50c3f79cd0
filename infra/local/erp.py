"""The tenants' ERP databases: sample people, and a row that payroll has locked."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import text

from consumers.sgdp.engine import engine_for
from infra.local.tenants import LocalTenant
from infra.people import SamplePerson, count_people, create_people_database

# Whoever would anonymise this person fails, as in an ERP that is busy with the row: the consumer's
# surroundings fail, nothing in the consumer plays a failure.
_LOCK = """
CREATE TRIGGER locked_by_payroll BEFORE UPDATE ON people WHEN OLD.id = {id}
BEGIN SELECT RAISE(ABORT, 'row locked by payroll'); END
"""


class ErpDatabase:
    """A tenant's own database of sample people, made anew unless one is to be kept."""

    def __init__(self, tenant: LocalTenant, folder: Path, seed: int, *, keep: bool = False) -> None:
        """Fill it; the same seed gives the same people. Of one that is kept no people are told."""
        self._url = tenant.database_url(folder)
        self.path = Path(self._url.removeprefix("sqlite:///"))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.people: Sequence[SamplePerson] = ()
        if keep and self.path.exists():
            return
        self.path.unlink(missing_ok=True)
        self.people = create_people_database(self._url, seed=seed)

    def anonymised(self) -> tuple[int, int]:
        """Count the people, and those of them who are anonymised."""
        return count_people(engine_for(self._url))

    def lock(self, person: SamplePerson) -> None:
        """Let no one change this person's row."""
        self._execute(_LOCK.format(id=int(person.id)))

    def unlock(self) -> None:
        """Release the row."""
        self._execute("DROP TRIGGER IF EXISTS locked_by_payroll")

    def _execute(self, statement: str) -> None:
        with engine_for(self._url).begin() as connection:
            connection.execute(text(statement))
