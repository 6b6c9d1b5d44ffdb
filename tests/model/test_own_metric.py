"""A function of the user's as the objective, before any training."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from optselect.data import read
from optselect.errors import InvalidModel, InvalidValue
from optselect.model.own_metric import own_metric
from optselect.options import Settings
from optselect.task import make_spec


def f_score(y_true: Any, y_pred: Any) -> float:
    return float((y_true == (y_pred > 0.5)).mean())


def gain(y_true: Any, y_pred: Any) -> float:
    return float((y_true - y_pred).sum())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "own.py"
    path.write_text("def gain(y_true, y_pred):\n    return 1.0\n\ndef f_score(y_true, y_pred):\n    return 2.0\n")
    return path


def test_what_means_a_function(file: Path) -> None:
    """A name, a path or a function; a direction in front, or told by the name."""
    asked = {
        "val_loss": None,
        "max:val_mystery": None,
        f"{file}:f_score": "max:val_f_score",
        f"min:{file}:f_score": "min:val_f_score",
        f"max:{file}:gain": "max:val_gain",
        f_score: "max:val_f_score",
        ("min", gain): "min:val_gain",
        ("max", f"{file}:gain"): "max:val_gain",
        ("max", lambda y, p: 0.0): "max:val_metric",
    }
    for given, text in asked.items():
        found = own_metric(given)
        assert (found.asked if found else None) == text, given


@pytest.mark.parametrize(
    ("given", "error"),
    [(gain, InvalidValue), (3, InvalidValue), (("up", gain), InvalidValue), ("max:absent.py:gain", InvalidModel)],
)
def test_what_is_refused(given: Any, error: type[Exception]) -> None:
    """A direction that nothing tells, a number, another word for the direction, a file that is not there."""
    with pytest.raises(error):
        own_metric(given)


def test_a_task_with_it_crosses_to_a_worker_and_has_another_fingerprint(file: Path) -> None:
    """The code of the function counts; a task without one has no entry for it."""
    data = read("sklearn:iris")
    plain = make_spec(data, epochs=1, seed=0)
    assert "metric" not in plain.fingerprint()
    specs = [make_spec(data, epochs=1, seed=0, objective=("max", given)) for given in (gain, f_score, f"{file}:gain")]
    assert len({spec.fingerprint()["metric"] for spec in specs}) == len(specs)
    assert pickle.loads(pickle.dumps(specs[0])).metric == specs[0].metric
    same = make_spec(data, epochs=1, seed=0, objective=f"max:{file}:gain")
    assert same.fingerprint() == specs[2].fingerprint()


def test_settings_record_a_path_and_no_function(file: Path) -> None:
    """What no file can hold is named among the objects."""
    assert Settings(data="a.csv", objective=f"max:{file}:gain").to_record()["objective"] == f"max:{file}:gain"
    assert Settings(data="a.csv", objective=("max", gain)).to_record()["objects"] == ["objective"]
