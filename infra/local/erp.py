"""The tenants' ERP databases, with sample people and a row that can be locked."""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import text

from consumers.sgdp.engine import engine_for
from infra.local.tenants import LocalTenant
from infra.people import SamplePerson, count_people, create_people_database

# A consumer that anonymises this person fails, as in an ERP that is using the row. So the
# consumer's surroundings fail, and the consumer itself simulates no failure.
_LOCK = """
CREATE TRIGGER locked_by_payroll BEFORE UPDATE ON people WHEN OLD.id = {id}
BEGIN SELECT RAISE(ABORT, 'row locked by payroll'); END
"""


class ErpDatabase:
    """A tenant's own database of sample people."""

    def __init__(self, tenant: LocalTenant, folder: Path, seed: int, *, keep: bool = False) -> None:
        """Make the database and fill it. The same seed gives the same people.

        With `keep` a database that exists stays as it is, and `people` is empty.
        """
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
        """Lock this person's row, so that nobody can change it."""
        self._execute(_LOCK.format(id=int(person.id)))

    def unlock(self) -> None:
        """Release the row."""
        self._execute("DROP TRIGGER IF EXISTS locked_by_payroll")

    def _execute(self, statement: str) -> None:
        with engine_for(self._url).begin() as connection:
            connection.execute(text(statement))
