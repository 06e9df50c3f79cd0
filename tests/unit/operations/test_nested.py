"""Files of people's that are nested too deeply to be read."""

import pytest

from smartlink.operations import export
from smartlink.operations.errors import InvalidError

DEEP = b"[" * 100_000 + b"]" * 100_000


def test_an_export_that_is_nested_too_deeply_is_refused_by_name() -> None:
    """As any other that is no JSON: no traceback."""
    with pytest.raises(InvalidError, match=r"trace\.json is no JSON"):
        export.parse(DEEP, "trace.json")
