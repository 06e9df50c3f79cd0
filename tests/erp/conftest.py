"""The same university on PostgreSQL and on SQLite, made anew for each test by copying."""

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text

from tests.erp import university
from tests.erp.postgres import PostgresServer, running_postgres
from tests.support.tpd import SALT, Tpd

MAP = json.loads((Path(__file__).parent / "university.json").read_text())
_NUMBERS = count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A server whose database `university` is filled."""
    with running_postgres() as server:
        run_on(server, "CREATE DATABASE university")
        engine = create_engine(server.url("university"))
        university.fill(engine)
        engine.dispose()  # a template may have no other user
        yield server


@pytest.fixture(scope="session")
def sqlite_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("university") / "university.db"
    engine = create_engine(f"sqlite:///{path}")
    university.fill(engine)
    engine.dispose()
    return path


@pytest.fixture
def on_postgres(postgres: PostgresServer) -> Iterator[Tpd]:
    """A tenant whose ERP is on PostgreSQL."""
    name = f"erp_{next(_NUMBERS)}"
    run_on(postgres, f"CREATE DATABASE {name} TEMPLATE university")
    erp = tenant(postgres.url(name))
    yield erp
    erp.engine.dispose()
    run_on(postgres, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def on_sqlite(sqlite_file: Path, tmp_path: Path) -> Iterator[Tpd]:
    """A tenant whose ERP is in a file."""
    shutil.copy(sqlite_file, tmp_path / "erp.db")
    erp = tenant(f"sqlite:///{tmp_path / 'erp.db'}?timeout=5")
    yield erp
    erp.engine.dispose()


@pytest.fixture(params=["postgresql", "sqlite"])
def erp(request: pytest.FixtureRequest) -> Tpd:
    """A tenant's ERP, on each database in turn."""
    fixture = "on_postgres" if request.param == "postgresql" else "on_sqlite"
    made: Tpd = request.getfixturevalue(fixture)
    return made


@pytest.fixture
def data_map() -> dict[str, Any]:
    """The university's map, to be changed at will."""
    copied: dict[str, Any] = json.loads(json.dumps(MAP))
    return copied


@pytest.fixture
def run(postgres: PostgresServer) -> Callable[..., None]:
    """Run statements as the DBA."""
    return lambda *statements, database="postgres": run_on(postgres, *statements, database=database)


def tenant(url: str) -> Tpd:
    return Tpd("acme", {"databaseUrl": url, "map": MAP, "salt": SALT})


def run_on(server: PostgresServer, *statements: str, database: str = "postgres") -> None:
    engine = create_engine(server.url(database), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for statement in statements:
            connection.execute(text(statement))
    engine.dispose()
