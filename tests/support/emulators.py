"""Which tests need Google's emulators."""

import os

import pytest

from infra.local.errors import MissingPartError
from infra.local.sdk import find_toolkit


def _missing() -> str:
    try:
        find_toolkit()
    except MissingPartError as error:
        return str(error)
    return ""


MISSING = _missing()
# A machine without the emulators skips; the gate must not.
needs_emulators = pytest.mark.skipif(bool(MISSING) and "CI" not in os.environ, reason=MISSING)
