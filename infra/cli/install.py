"""``python -m infra.cli.install PATH`` installs the command `smartlink` of a checkout.

It writes a launcher. An editable install would put `infra` on the path of every process of the
environment, even of the functions, which must see only what is in their zip.
"""

import shlex
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
_LAUNCHER = """\
#!/bin/sh
# Made by `make`: the operator's command line of this checkout. Without the garbage collector
# Google's libraries load a quarter sooner, and a command's life is short.
PYTHONPATH={path}${{PYTHONPATH:+:$PYTHONPATH}} exec {python} -c \
  'import gc; gc.disable(); from infra.cli.app import main; main()' "$@"
"""


def install(path: Path) -> None:
    """Write the launcher."""
    folders = shlex.quote(f"{ROOT / 'functions'}:{ROOT}")
    # The link is not resolved, because it makes the interpreter the environment's Python.
    text = _LAUNCHER.format(path=folders, python=shlex.quote(str(Path(sys.executable).absolute())))
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


if __name__ == "__main__":
    install(Path(sys.argv[1]))
