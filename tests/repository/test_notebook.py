"""The notebook runs from the first cell to the last, and what is stored in it is what it shows."""

from __future__ import annotations

import importlib.util
import re
from typing import Any

import nbformat
import pytest

from tests.helpers import ROOT

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def runner() -> Any:
    """examples/run_notebook.py."""
    spec = importlib.util.spec_from_file_location("run_notebook", EXAMPLES / "run_notebook.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_stored_notebook_is_whole_and_small() -> None:
    """Every code cell was run, in order, without an error; nothing of the machine that ran it is in it."""
    path = EXAMPLES / "notebook.ipynb"
    stored = nbformat.read(path, as_version=4)
    nbformat.validate(stored)
    code = [cell for cell in stored.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    kinds = {output.output_type for cell in code for output in cell.outputs}
    assert "display_data" in kinds
    assert "error" not in kinds
    assert "on held-out data" in path.read_text()
    assert not re.search(r"/(tmp|home|root|work|Users)/", path.read_text())
    assert path.stat().st_size < 300_000


@pytest.mark.slow
def test_the_notebook_runs(runner: Any) -> None:
    """With few trials: a verdict, a picture and the report's path come out."""
    notebook = runner.executed("TRIALS, EPOCHS = 8, 2")
    outputs = [output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs]
    pages = [output.data["text/html"] for output in outputs if "text/html" in output.get("data", {})]
    assert any("on held-out data" in page and "P(best)" in page and "Code to paste" in page for page in pages)
    assert any("image/png" in output.get("data", {}) for output in outputs)
    assert outputs[-1].text.strip() == "optselect-studies/penguins/report.html"
