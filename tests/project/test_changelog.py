"""Each release says what it measures: a reader sees what has become better and what worse."""

import re

from tests.project.checkout import ROOT

_VERSION = re.compile(r"^## \[(\d[^\]]*)\]", re.MULTILINE)


def test_every_released_version_has_its_figures() -> None:
    """`python -m tests.bench.tables --release` prints the block."""
    text = (ROOT / "CHANGELOG.md").read_text()
    starts = [*_VERSION.finditer(text)]
    assert starts
    ends = [*(it.start() for it in starts[1:]), len(text)]
    for version, end in zip(starts, ends, strict=True):
        section = text[version.end() : end]
        figures = section.partition("\n### Figures\n")[2].partition("\n### ")[0]
        lines = [line for line in figures.splitlines() if line.startswith("- ")]
        assert len(lines) >= 3, f"{version[1]} has no figures"
        assert all(re.search(r"\d", line) for line in lines), version[1]
