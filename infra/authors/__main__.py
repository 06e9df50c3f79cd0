"""``python -m infra.authors consumer|schemas|try``: see ``--help``."""

import sys

from infra.local.checkout import FUNCTIONS

# As functions-framework does, so that consumers are loaded by the names that they have in the zip.
sys.path.append(str(FUNCTIONS))

from infra.authors.command_line import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
