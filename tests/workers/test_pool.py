"""Training processes that wait for the next study: the same answers as from new ones, and none is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from sklearn.datasets import load_diabetes, load_iris

from optselect.workers.pool import Pool, kind_of
from tests.helpers.asking import tuned

QUICK: dict[str, Any] = {
    "trials": 3, "epochs": 4, "optimizers": ["adam", "sgd"], "care": "quick", "mlflow": None, "workers": 1,
}  # fmt: skip
IRIS = load_iris(return_X_y=True)
DIABETES = load_diabetes(return_X_y=True)


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """The pool of a Python process that has just started."""
    fresh = Pool()
    monkeypatch.setattr("optselect.session.study_workers.POOL", fresh)
    yield fresh
    fresh.close()


def pids(pool: Pool) -> list[int]:
    return [worker.process.pid for worker in pool._waiting]


def found(folder: Path, data: Any = IRIS, model: Any = None, **options: Any) -> tuple[Any, ...]:
    """What a study found, without what a clock says; and what its model predicts."""
    result = tuned(model, data, out=folder, **QUICK | options)
    runs = [(r.number, r.stage, r.arm, r.seed, r.value, r.curves, r.metrics) for r in result.records]
    verdict = result.verdict
    told = [(str(f.configuration), f.held_out, f.p_best, f.versus) for f in verdict.ranking]
    predicted = result.predict(data[0][:20])["prediction"]
    return runs, verdict.word, repr(verdict.check), told, predicted.tolist()


def test_a_warm_process_gives_what_a_new_one_gives(pool: Pool, tmp_path: Path) -> None:
    """To the last bit, whatever the process trained before, with its traced program or with another one."""
    cold = found(tmp_path / "cold")
    [process] = pids(pool)
    assert found(tmp_path / "again") == cold
    fast = {"check": False, "whole": True}
    first = found(tmp_path / "unchecked", **fast)
    found(tmp_path / "fewer rows", (IRIS[0][:-3], IRIS[1][:-3]), seed=1, **fast)
    found(tmp_path / "another task", DIABETES, **fast)
    assert found(tmp_path / "after others") == cold
    assert found(tmp_path / "unchecked after others", **fast) == first
    assert pids(pool) == [process]


def test_the_kept_model_may_be_trained_by_the_program(tmp_path: Path) -> None:
    """Without a check it is that of `model.fit` but for the order of the rows; as a whole it knows the test rows."""
    unchecked = {"check": False, "trials": 1, "optimizers": ["adam"]}
    without = tuned(None, DIABETES, out=tmp_path / "a", **QUICK | unchecked)
    whole = tuned(None, DIABETES, out=tmp_path / "b", whole=True, **QUICK | unchecked)
    plain = tuned(None, DIABETES, out=tmp_path / "c", **QUICK | unchecked | {"check": True})
    assert "model.fit" not in without.verdict.text()
    assert "model.fit" in plain.verdict.text()
    answers = [r.predict(DIABETES[0])["prediction"] for r in (without, plain, whole)]
    assert np.corrcoef(answers[0], answers[1])[0, 1] > 0.98
    means = [_first_mean(result) for result in (without, whole)]
    rows = np.concatenate([without.spec.split.train, without.spec.split.validation])
    assert means == pytest.approx([DIABETES[0][rows, 0].mean(), DIABETES[0][:, 0].mean()], abs=1e-6)


def _first_mean(result: Any) -> float:
    """Of the first feature over the rows that the kept model was prepared by: it standardises what it is given."""
    preparation = result.model().layers[1]
    low, high = (float(np.asarray(preparation(np.full((1, 10), x, "float32")))[0, 0]) for x in (0.0, 0.05))
    return 0.05 * -low / (high - low)


def test_code_of_the_user_is_not_met_by_others(pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in which a user's function ran serves that function alone, as its files and the variables are now."""
    file, helper = tmp_path / "mine.py", tmp_path / "helper.py"
    file.write_text(
        "import helper\n\ndef build(input_shape, n_classes):\n    return helper.build(input_shape, n_classes)\n"
    )
    helper.write_text(HELPER)
    model = f"{file}:build"
    few = {"trials": 1, "optimizers": ["adam"], "confirm": 0}
    first = found(tmp_path / "a", model=model, **few)
    [mine] = pids(pool)
    assert found(tmp_path / "b", model=model, **few) == first
    monkeypatch.setenv("HIDDEN", "9")
    assert found(tmp_path / "c", model=model, **few) != first
    assert pids(pool) == [mine]
    monkeypatch.delenv("HIDDEN")
    helper.write_text(HELPER.replace("'relu'", "'tanh' or 'relu'"))
    assert found(tmp_path / "d", model=model, **few) != first
    [other] = pids(pool)
    assert other != mine
    found(tmp_path / "e", **few)
    assert pids(pool) != [other]
    assert not psutil.pid_exists(other)


HELPER = """
import os, keras

def build(shape, n):
    hidden = keras.layers.Dense(int(os.environ.get("HIDDEN", 4)), activation='relu')
    return keras.Sequential([keras.Input(shape), hidden, keras.layers.Dense(n, activation='softmax')])
"""


def test_processes_go_when_nobody_comes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """After some idle time the process has ended."""
    short = Pool(idle=2.0)
    monkeypatch.setattr("optselect.session.study_workers.POOL", short)
    found(tmp_path, trials=1, optimizers=["adam"], confirm=0, check=False)
    [process] = pids(short)
    deadline = time.monotonic() + 60
    while pids(short) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not pids(short)
    assert not psutil.pid_exists(process)


SCRIPT = """
import os, sys, time
import optselect
from optselect.workers.pool import POOL
from sklearn.datasets import load_iris
optselect.tune(None, load_iris(return_X_y=True), trials=1, epochs=1, optimizers=["adam"],
               evaluation=optselect.Evaluation(care="quick", confirm=0), tracking=optselect.Tracking(mlflow=None),
               run=optselect.RunOptions(workers=1, out={folder!r}))
[worker] = POOL._waiting
{then}
"""
EXITS = {
    "at exit": "print(worker.process.pid, flush=True)",
    "killed, with a child": (
        "pid = os.fork()\n"
        "if pid == 0:\n    assert not POOL._waiting; POOL.close(); time.sleep(30); os._exit(0)\n"
        "print(worker.process.pid, pid, flush=True); time.sleep(60)"
    ),
}


@pytest.mark.parametrize("how", EXITS)
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_none_is_left_behind(how: str, tmp_path: Path) -> None:
    """Whatever way the Python process ends; a forked child neither keeps nor ends the processes of its parent."""
    script = SCRIPT.format(folder=str(tmp_path), then=EXITS[how])
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    process, *children = map(int, parent.stdout.readline().split())
    if children:
        time.sleep(1.0)
        assert psutil.pid_exists(process), "the child ended it"
        parent.kill()
    parent.wait()
    deadline = time.monotonic() + 20
    while psutil.pid_exists(process) and time.monotonic() < deadline:
        time.sleep(0.1)
    gone = not psutil.pid_exists(process)
    for child in children:
        os.kill(child, 9)
    parent.stdout.close()
    assert gone


def test_what_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads, folder, import path, model code, and what libraries read when they start."""
    kind = kind_of(None, 1)
    assert kind == kind_of(None, 1)
    assert kind != kind_of(None, 2)
    assert kind != kind_of("a function", 1)
    monkeypatch.setenv("SOMETHING_ELSE", "1")
    assert kind == kind_of(None, 1)
    monkeypatch.setenv("TF_DETERMINISTIC_OPS", "1")
    assert kind != kind_of(None, 1)
    monkeypatch.undo()
    monkeypatch.chdir("/")
    assert kind != kind_of(None, 1)
    monkeypatch.undo()
    monkeypatch.syspath_prepend("/nowhere")
    assert kind != kind_of(None, 1)
