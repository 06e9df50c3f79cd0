"""Indexes that the lookups need and the database lacks, with what that costs at this size."""

from collections.abc import Iterator

from sqlalchemy import Connection

from consumers.sgdp.inspection.findings import Finding
from consumers.sgdp.model import Models


def missing_indexes(_connection: Connection, _models: Models) -> Iterator[Finding]:
    """Tell them."""
    yield from ()
