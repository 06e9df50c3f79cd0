"""What is printed, on consoles that cannot write every sign."""

import io
import sys


def print_any_text() -> None:
    """Let a sign that the console's encoding lacks be written as another instead of raising.

    Windows gives a pipe and a file its old code page: a table's lines or an arrow would end a
    command half way, after what it did and before what it says of it.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
