"""Execute notebook.ipynb anew and keep what it shows.

uv run --extra dev python examples/run_notebook.py
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
NOTEBOOK = HERE / "notebook.ipynb"
SIZE = "TRIALS, EPOCHS = 28, 15"


def executed(size: str = SIZE) -> Any:
    """The notebook with fresh outputs, run in a folder of its own. size: the line that says how much is trained."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    for cell in notebook.cells:
        cell.source = cell.source.replace(SIZE, size)
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(HERE / "data", Path(folder) / "data")
        NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    for cell in notebook.cells:
        cell.metadata = nbformat.NotebookNode()  # when each cell ran
        if cell.cell_type == "code":  # what libraries say on standard error differs by machine
            cell.outputs = [found for found in cell.outputs if found.get("name") != "stderr"]
    return notebook


if __name__ == "__main__":
    nbformat.write(executed(), NOTEBOOK)
    print(f"{NOTEBOOK.name}: {NOTEBOOK.stat().st_size / 1e3:.0f} kB")
