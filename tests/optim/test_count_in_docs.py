"""How many optimizers there are is not written by hand: the next one would make it wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers import ROOT

TENS = "twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred"
# A number of at least twenty, perhaps a word, and what is counted.
COUNT = re.compile(
    rf"(?<![\w.,-])(?:[2-9]\d|\d{{3,}}|(?:{TENS})(?:[- ](?:one|two|three|four|five|six|seven|eight|nine))?)"
    r"(?:\s+(?!the\b)[a-z-]+)?\s+(?:rules|optimi[sz]ers)\b",
    re.IGNORECASE,
)
WRITTEN = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "optselect").rglob("*.py")]
# A decision says what was true on its day; the pages of optimizers are generated.
EXEMPT = {ROOT / "docs" / "decisions", ROOT / "docs" / "optimizers"}


def _counts(text: str) -> list[str]:
    return [" ".join(found.group().split()) for found in COUNT.finditer(text)]


@pytest.mark.parametrize(
    "text", ["Thirty-seven update rules", "all 37 rules", "brings thirty-seven\n  optimizers", "101 optimizers"]
)
def test_a_count_is_found(text: str) -> None:
    """The pattern finds what stood in the docs."""
    assert _counts(text)


@pytest.mark.parametrize(
    "text", ["5 optimizers", "3.15 optimizers", "of 40 trials the optimizers", "in 2026 the rules"]
)
def test_other_numbers_are_left_alone(text: str) -> None:
    """A comparison of a few optimizers, versions and figures of something else are no counts."""
    assert not _counts(text)


def test_no_page_counts_the_optimizers() -> None:
    """Neither docs nor docstrings say how many rules or optimizers there are."""
    read: list[Path] = [path for path in WRITTEN if EXEMPT.isdisjoint(path.parents)]
    found = {str(path.relative_to(ROOT)): _counts(path.read_text(encoding="utf-8")) for path in read}
    assert not {path: counts for path, counts in found.items() if counts}
