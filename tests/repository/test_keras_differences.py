"""What docs/keras-differences.md says of Keras is still so."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import ROOT

SCRIPTS = sorted((ROOT / "examples" / "keras_differences").glob("*.py"))
PAGE = (ROOT / "docs" / "keras-differences.md").read_text(encoding="utf-8")
QUICK = SCRIPTS[:2]

every_script = pytest.mark.parametrize("script", SCRIPTS, ids=[path.stem for path in SCRIPTS])


def _holds(script: Path) -> None:
    run = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120, check=False)
    assert run.returncode == 0, f"Keras was repaired, or the script fails: {run.stdout}{run.stderr[-2000:]}"
    assert run.stdout.strip() in PAGE, "the page quotes another output"


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS[2:], ids=[path.stem for path in SCRIPTS[2:]])
def test_difference_is_there(script: Path) -> None:
    """The script finds the difference, and the page quotes what it prints."""
    _holds(script)


@pytest.mark.parametrize("script", QUICK, ids=[path.stem for path in QUICK])
def test_gravest_difference_is_there(script: Path) -> None:
    """The two that make a training wrong are looked for in every run."""
    _holds(script)


@every_script
def test_page_has_every_script(script: Path) -> None:
    """Each script has its section, headed by its first sentence, and no section is without one."""
    claim = ast.get_docstring(ast.parse(script.read_text(encoding="utf-8")))
    assert f"## {int(script.name[:2])}. {claim}\n" in PAGE
    assert f"`{script.name}`:" in PAGE
    assert len(re.findall(r"^## \d", PAGE, re.MULTILINE)) == len(SCRIPTS)
