"""The changelog: every fragment is of a known type, and all of them are assembled."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from optselect import __version__
from tests.helpers import ROOT

FOLDER = ROOT / "changelog.d"
TYPES = [
    kind["directory"] for kind in tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["towncrier"]["type"]
]
FRAGMENTS = [path for path in sorted(FOLDER.iterdir()) if path.suffix == ".md"]


@pytest.mark.parametrize("fragment", FRAGMENTS, ids=lambda path: path.name)
def test_a_fragment_says_its_type(fragment: Path) -> None:
    """changelog.d/NAME.TYPE.md: one of another name would be left out of the changelog."""
    assert fragment.name.removesuffix(".md").rpartition(".")[2] in TYPES


def test_all_fragments_are_assembled() -> None:
    """Each under its type as items of one list, one level deep, and nothing is lost."""
    command = [sys.executable, "-m", "towncrier", "build", "--draft", "--version", __version__]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    lines = {line.strip() for line in done.stdout.splitlines()}
    for fragment in FRAGMENTS:
        first, *more = fragment.read_text(encoding="utf-8").strip().splitlines()
        assert f"- {first.removeprefix('- ')}" in done.stdout
        assert {line.strip() for line in more} <= lines
    assert not any(line.startswith("  - ") for line in done.stdout.splitlines())
    assert done.stdout.startswith(f"## {__version__} (")


def test_the_newest_release_is_not_newer_than_the_package() -> None:
    """A release is written into the changelog with the version that the package has."""
    released = [line.split()[1] for line in (ROOT / "CHANGELOG.md").read_text().splitlines() if line.startswith("## ")]
    assert not released or released[0] == __version__
