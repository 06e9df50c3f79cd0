"""`python -m tests.project.licences`: what is installed here, and may it be used?

What a distribution says of its licence, against the list of those that ask nothing of the code that
uses them. A licence that is not on it is a person's to judge, and to add with the package's name.
"""

import re
import sys
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import Distribution, distributions
from typing import cast

ALLOWED = re.compile(
    r"MIT(-0)?|Apache|BSD|PSF|Python Software Foundation|ISC|MPL-2\.0|Mozilla Public License 2\.0",
    re.IGNORECASE,
)
# As a library that is called and not changed, LGPL asks nothing of its caller.
JUDGED = {
    "axe-playwright-python": "",  # its file LICENSE is MIT's; axe-core, which it holds, has MPL-2.0
    "psycopg": "LGPL-3.0-only",
    "psycopg-binary": "LGPL-3.0-only",
}
_LINE = 80  # a longer text is the licence itself, whose name the classifiers give


def licence(distribution: Distribution) -> str:
    """What the distribution says of its licence; empty if it says nothing."""
    about = cast("Message", distribution.metadata)  # typed as less than it is until Python 3.12
    if stated := about.get("License-Expression"):
        return str(stated)
    classifiers = about.get_all("Classifier") or []
    named = [it.rpartition(" :: ")[2] for it in classifiers if it.startswith("License ::")]
    text = (about.get("License") or "").strip()
    return ", ".join(named) or text[:_LINE]


def allowed(name: str, stated: str) -> bool:
    """Tell whether a licence may be used: each that holds, or one of those to choose from."""
    if JUDGED.get(name) == stated:
        return True
    chosen = re.split(r"\s+OR\s+", stated)
    return any(
        all(ALLOWED.search(part) for part in re.split(r"\s+AND\s+|, ", its)) for its in chosen
    )


def refused() -> Iterator[str]:
    """What is installed under a licence that is not on the list."""
    for it in distributions():
        stated = licence(it)
        if not allowed(it.name, stated):
            yield f"{it.name} {it.version}: {stated or 'it states no licence'}"


def main() -> int:
    """Print what is refused; 1 if anything is."""
    found = sorted(refused())
    for line in found:
        sys.stderr.write(f"licences: {line}\n")
    if not found:
        sys.stdout.write("licences: all of those installed are on the list\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
