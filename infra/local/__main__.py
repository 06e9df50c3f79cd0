"""``python -m infra.local up`` and ``python -m infra.local demo``: see ``--help``."""

import os
import sys

from infra.local.checkout import FUNCTIONS

# As functions-framework does, because the demo reads the catalogue and the consumers' database with
# the functions' own code.
sys.path.append(str(FUNCTIONS))

from infra.local.command_line import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ))
