"""Reads the arguments of a program that has subcommands."""

import argparse
from collections.abc import Sequence


def parsed(parser: argparse.ArgumentParser, arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the arguments, of which each subcommand has set `parser` to its own parser.

    An option that nobody knows is told with the options of the subcommand; argparse shows the
    subcommands there, among which it cannot be found.
    """
    asked, unknown = parser.parse_known_args(arguments)
    if unknown:
        asked.parser.error(f"unrecognized arguments: {' '.join(unknown)}")
    return asked
