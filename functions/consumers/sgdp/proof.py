"""On which databases TPD's commands have been run, by the tests, on a real server."""

from sqlalchemy import URL

from smartlink.domain.said import said

PROVEN = {"postgresql": ("psycopg",), "sqlite": ("pysqlite",)}
"""The dialects and drivers that are run. All else is compiled SQL at best."""


class UnprovenError(Exception):
    """Nothing was ever run on this database, and nobody has said that it may be."""


def check_proven(url: URL, *, unproven: bool) -> None:
    """Raise UnprovenError at a database without proof, unless it is to be used all the same.

    SQL that compiles can still compare otherwise than it does elsewhere: by padding, collation,
    or what counts as empty. A row that is missed so keeps the person's name.
    """
    dialect, driver = url.get_backend_name(), url.get_driver_name()
    if unproven or driver in PROVEN.get(dialect, ()):
        return
    known = ", ".join(f"{name}+{its}" for name, drivers in PROVEN.items() for its in drivers)
    message = said(
        "nothing of TPD was ever run on {dialect}+{driver}, only on {known}: try a copy of the "
        'database, compare every row, and then write "unproven": true into the secret',
        dialect=dialect,
        driver=driver,
        known=known,
    )
    raise UnprovenError(message)
