"""Early stopping as plain data: checked, written and read, and known to the task."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

import numpy as np
import pytest

from optselect.data import read
from optselect.errors import InvalidValue, UnknownName
from optselect.task import EarlyStopping, make_spec

ALL = EarlyStopping(
    monitor="val_accuracy", min_delta=0.5, patience=2, mode="max", baseline=0.25, start_from_epoch=3
)  # fmt: skip


def spec_of(stopping: EarlyStopping | None, epochs: int = 20, *, numbers: bool = False) -> Any:
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
    target = x[:, 0] if numbers else (x[:, 0] > 0).astype(int)
    return make_spec(read((x, target)), epochs=epochs, seed=0, stopping=stopping)


def test_names_and_defaults_are_keras_own() -> None:
    """Every argument of Keras's class but `verbose` has its name, and its default but for the weights."""
    keras = pytest.importorskip("keras")
    theirs = inspect.signature(keras.callbacks.EarlyStopping).parameters
    ours = {field.name: field.default for field in dataclasses.fields(EarlyStopping)}
    assert set(ours) == set(theirs) - {"verbose", "self"}
    differing = {name for name, default in ours.items() if default != theirs[name].default}
    assert differing == {"patience", "restore_best_weights"}


@pytest.mark.parametrize("stopping", [EarlyStopping(patience=0), ALL, EarlyStopping(patience=4, baseline=0.0)])
def test_the_callback_has_every_argument(stopping: EarlyStopping) -> None:
    """What is written is read again, and the callback is that of Keras with the same numbers."""
    assert EarlyStopping.from_dict(stopping.to_dict()) == stopping
    callback = stopping.callback()
    for name, value in stopping.to_dict().items():
        assert getattr(callback, name) == value, name


def test_the_callback_has_a_mode_where_keras_would_refuse_to_guess() -> None:
    """Not for a loss, of which Keras knows it, and not for a name that tells nothing."""
    monitored = {"val_accuracy": "max", "val_rmse": "min", "val_loss": None, "loss": None, "val_mystery": None}
    for monitor, mode in monitored.items():
        assert EarlyStopping(monitor=monitor, patience=1).arguments().get("mode") == mode


@pytest.mark.parametrize(
    "wrong", [{"patience": -1}, {"patience": 2.5}, {"patience": True}, {"start_from_epoch": -1},
              {"min_delta": float("nan")}, {"baseline": float("inf")}, {"baseline": "low"}],
)  # fmt: skip
def test_numbers_outside_their_domain_are_refused(wrong: dict[str, Any]) -> None:
    """The message names the argument."""
    with pytest.raises(InvalidValue, match=f"`{next(iter(wrong))}`"):
        EarlyStopping(**{"patience": 1, **wrong})


def test_unknown_words_are_refused() -> None:
    """A mode and an argument that do not exist, and a missing patience."""
    with pytest.raises(UnknownName, match="'maxi'"):
        EarlyStopping(patience=1, mode="maxi")  # type: ignore[arg-type]
    with pytest.raises(UnknownName, match="`restore`"):
        EarlyStopping.from_dict({"patience": 1, "restore": True})
    with pytest.raises(InvalidValue, match="`patience`"):
        EarlyStopping.from_dict({"min_delta": 1.0})


@pytest.mark.parametrize(("patience", "start", "needed"), [(0, 0, 2), (1, 0, 2), (4, 0, 5), (4, 3, 8)])
def test_a_patience_that_outlasts_the_epochs_is_refused(patience: int, start: int, needed: int) -> None:
    """One epoch fewer than it needs to stop is too few."""
    stopping = EarlyStopping(patience=patience, start_from_epoch=start)
    spec_of(stopping, needed)
    with pytest.raises(InvalidValue, match=rf"epoch {needed}, .* {needed - 1}\b"):
        spec_of(stopping, needed - 1)


def test_a_figure_that_nothing_reports_is_refused_with_those_there_are() -> None:
    """Before TensorFlow is loaded where the model is the default one."""
    with pytest.raises(UnknownName, match=r"`val_acc`.*'val_accuracy'.*Known: .*\bval_loss\b"):
        spec_of(EarlyStopping(monitor="val_acc", patience=2))
    with pytest.raises(UnknownName, match="`accuracy`"):  # of the training part: no program computes it
        spec_of(EarlyStopping(monitor="accuracy", patience=2))
    spec_of(EarlyStopping(monitor="loss", patience=2))


def test_it_is_part_of_what_must_not_change() -> None:
    """A study without it has the fingerprint that it always had; the task of the final model has none."""
    plain, stopping = spec_of(None), spec_of(ALL)
    more = stopping.fingerprint().items() - plain.fingerprint().items()
    assert len(more) == 1
    assert stopping.fingerprint() != spec_of(dataclasses.replace(ALL, patience=3)).fingerprint()
    assert stopping.joined().stopping is None


def test_a_task_knows_direction_and_units() -> None:
    """`mode` follows the metric; numbers in units of the target become those in which the default model is trained."""
    pytest.importorskip("keras")
    from optselect.task.prepared import Task

    asked = EarlyStopping(monitor="val_rmse", patience=2, min_delta=0.5, baseline=2.0)
    task = Task.from_spec(spec_of(asked, numbers=True))
    scale, found = task.scales["rmse"], task.stopping
    assert found == dataclasses.replace(asked, mode="min", min_delta=0.5 / scale, baseline=2.0 / scale)
    assert scale != 1.0
    known = ["val_accuracy", "val_mystery"]
    assert ALL.resolved(known, lambda _: None).mode == "max"
    with pytest.raises(InvalidValue, match="`mode`"):
        EarlyStopping(monitor="val_mystery", patience=1).resolved(known, lambda _: None)
