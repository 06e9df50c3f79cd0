"""``python -m infra.acceptance`` prints the list of assumptions in terraform/README.md."""

import sys

from infra.acceptance.assumptions import page

if __name__ == "__main__":
    sys.stdout.buffer.write(f"{page()}\n".encode())
