"""The examples run as they stand, only shorter."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from tests.helpers import ROOT

EXAMPLES = ROOT / "examples"
SHORT = [path.stem for path in sorted(EXAMPLES.glob("*.py")) if "def main(trials" in path.read_text()]


@pytest.mark.parametrize("name", SHORT)
@pytest.mark.filterwarnings("default")
def test_an_example_runs(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ends well, in a folder of its own, and prints a verdict: in this process, which has Keras already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(EXAMPLES)
    importlib.import_module(name).main(trials=7, epochs=2)
    assert "on held-out data" in capsys.readouterr().out
