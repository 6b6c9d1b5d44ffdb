"""Rules from other packages: found by their entry point, certified as the guide says, and harmless when broken."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.guide import FILES

RULE = FILES["optselect/optim/rules/qhadam.py"]
LIST = "from optselect.optim.rule import Rule; from optselect.optim.rules import RULES; print(*RULES); print({})"


def _install(folder: Path, code: str, value: str = "their_rules") -> None:
    """A package as an installer leaves it: a module, and a folder that says what it is."""
    (folder / "their_rules.py").write_text(code, encoding="utf-8")
    info = folder / "their_rules-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-rules\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[optselect.rules]\nqhadam = {value}\n")


def _python(folder: Path, code: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_rule_of_another_package_is_found(tmp_path: Path) -> None:
    """Installed is enough: the rule of the guide stands among the others, and no TensorFlow was loaded for it."""
    _install(tmp_path, RULE)
    run = _python(tmp_path, "import sys; " + LIST.format("Rule.from_dict('qhadam'), 'tensorflow' in sys.modules"))
    names, rule = run.stdout.splitlines()
    assert "qhadam" in names.split()
    assert rule.startswith("QHAdam(learning_rate=0.001, ")
    assert rule.endswith(" False")
    assert run.stderr == ""


@pytest.mark.parametrize(
    ("code", "value", "told"),
    [
        ("import nowhere_to_be_found", "their_rules", "`their_rules` are left out, for they do not load: ModuleNot"),
        ("1 / 0", "their_rules", "ZeroDivisionError"),
        ("", "their_rules:missing", "`their_rules:missing` are left out, for they do not load: AttributeError"),
    ],
)
def test_package_that_does_not_load_is_one_warning(tmp_path: Path, code: str, value: str, told: str) -> None:
    """A broken package costs its rules only: one warning says which and why, and the rest is as ever."""
    _install(tmp_path, code, value)
    run = _python(tmp_path, LIST.format("1"))
    assert run.returncode == 0
    assert "qhadam" not in run.stdout.split()
    assert run.stdout.split() == _python(tmp_path.parent, LIST.format("1")).stdout.split()
    assert run.stderr.count("optselect: ") == 1
    assert told in run.stderr


def test_name_that_is_taken_stays_with_the_first(tmp_path: Path) -> None:
    """A rule from elsewhere cannot take the place of one that is here; a warning says so."""
    _install(tmp_path, RULE.replace('"qhadam"', '"adam"'))
    run = _python(tmp_path, LIST.format("RULES['adam'].__module__, Rule.named('adam').__module__"))
    assert run.stdout.splitlines()[1] == "optselect.optim.rules.adam optselect.optim.rules.adam"
    assert run.stderr.count("optselect: ") == 1
    assert "brings a rule 'adam', but there is one already; rename it." in run.stderr
