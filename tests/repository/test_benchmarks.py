"""The side-by-side benchmark: what it counts, what it prints, and that the command runs."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import ROOT


@pytest.fixture(autouse=True)
def _benchmarks_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT))


def _measured(**trials: float) -> dict[str, Any]:
    """The figures of a kind of model with these seconds a trial."""
    tools = {
        tool: {
            "ready": 100.5,
            "trials": 30,
            "trial": seconds,
            "study": 1000 * seconds,
            "val_loss": 2.3,
            "val_loss_optselect": 2.3,
            "apart": 0.001,
        }
        for tool, seconds in trials.items()
    }
    bound = {"gflops": 90.0, "counted": 0.01, "exact": math.nan}
    return {"tools": tools, "way": "graph", "step": 0.0123, "at_once": 1.5, "bound": bound}


def test_operations_are_those_counted_by_hand() -> None:
    """A step of the MLP costs two operations a kernel entry and row, three times over, the first layer's input out."""
    from benchmarks import arithmetic
    from benchmarks.kinds import KINDS

    work = arithmetic.flops(list(KINDS))
    kernels = 64 * 128 + 128 * 128 + 128 * 10
    assert work["mlp"]["forward"] == 2 * kernels
    assert arithmetic.operations(work["mlp"], 1) == 1149 * (6 * kernels - 2 * 64 * 128) + 288 * 2 * kernels
    assert work["cnn"]["forward"] == 2 * (28 * 28 * 9 * 16 + 14 * 14 * 9 * 16 * 32 + 7 * 7 * 32 * 10)
    assert work["lstm"]["forward"] == 2 * (32 * (2 + 32) * 4 * 32 + 32 * 10)
    assert work["lstm"]["first"] == 2 * 32 * 2 * 4 * 32
    assert work["text"]["first"] == 0  # a table is looked up
    attention = 32 * (4 * 32 * 32 + 2 * 32 * 32)  # queries, keys, values, output; scores and what they weigh
    block = attention + 32 * 2 * 32 * 64
    assert work["transformer"]["forward"] == 2 * (32 * 2 * 32 + 2 * block + 32 * 10)


def test_every_configuration_is_trained_once_by_turns() -> None:
    """The turns share out all configurations, however few there are."""
    from benchmarks.trainer import _turns

    for count in (1, 2, 3, 30, 31):
        assert [number for turn in _turns(count) for number in turn] == list(range(count))


def test_the_table_fits_a_terminal() -> None:
    """No line is wider than 100 columns, with ratios over 100 and trials of minutes too."""
    from benchmarks import report
    from benchmarks.kinds import KINDS

    measured = _measured(optselect=0.01, optuna=456.789, keras_tuner=4.5, sklearn=0.02)
    found = {
        "machine": report.machine(),
        "settings": {"epochs": 10, "trials": 30, "seconds": 40.0, "threads": 1, "workers": 2},
        "kinds": dict.fromkeys(KINDS, measured),
    }
    head, rows = report.head(found, list(report.TITLES)), [report.kind(name, measured, 31) for name in KINDS]
    lines = [line for part in (head, *rows, report.alone(found), report.aims(found)) for line in part]
    assert max(lines, key=len)[100:] == ""  # shows what is too much
    assert any("45679x" in line for line in lines)


@pytest.mark.slow
def test_the_command_compares_a_trial_and_draws_it(tmp_path: Path) -> None:
    """One trial of one epoch on the MLP: figures of both tools in numbers.json, and a picture."""
    words = [
        "--only",
        "mlp",
        "--tools",
        "optuna",
        "--trials",
        "1",
        "--epochs",
        "1",
        "--long",
        "4",
        "--cold",
        "8",
        "--out",
    ]
    command = [sys.executable, "-m", "benchmarks.trainer", *words, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "log.txt").read_text() == done.stdout
    numbers = json.loads((tmp_path / "numbers.json").read_text())
    tools = numbers["kinds"]["mlp"]["tools"]
    assert set(tools) == {"optselect", "optuna"}
    assert all(tool["trials"] == 1 and tool["trial"] > 0 and tool["study"] > tool["ready"] for tool in tools.values())
    assert tools["optuna"]["apart"] < 0.1  # the same weights and rows, in another order
    assert numbers["long"]["trials"] == 4
    assert numbers["cold"]["first_seconds"] < numbers["cold"]["whole_seconds"]
    assert (tmp_path / "trials.png").read_bytes().startswith(b"\x89PNG")


def test_an_unknown_kind_is_named() -> None:
    """A misspelt kind or tool ends the command with the known ones."""
    command = [sys.executable, "-m", "benchmarks.trainer", "--only", "mpl"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "'mpl' is none of mlp," in done.stderr
