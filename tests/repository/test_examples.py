"""The examples run as they stand, only shorter."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

EXAMPLES = ROOT / "examples"
SHORT = [path.stem for path in sorted(EXAMPLES.glob("*.py")) if "def main(trials" in path.read_text()]


@pytest.mark.parametrize("name", SHORT)
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    """It ends well, in a folder of its own, and prints a verdict."""
    code = f"import sys; sys.path.insert(0, {str(EXAMPLES)!r}); import {name}; {name}.main(trials=7, epochs=2)"
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "on held-out data" in done.stdout
