"""``python -m infra.deploy deploy development``: see ``--help``."""

import os
import sys

from infra.deploy.command_line import run

if __name__ == "__main__":
    sys.exit(run(sys.argv[1:], os.environ))
