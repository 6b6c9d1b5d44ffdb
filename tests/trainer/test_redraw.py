"""Training on a redrawn split: the same program, other rows."""

from __future__ import annotations

import copy
import dataclasses
from typing import Any

import numpy as np
import pytest
import tensorflow as tf

from optselect.data import SplitOptions, read
from optselect.optim.configuration import BASELINE
from optselect.task import make_spec
from optselect.task.prepared import Task
from optselect.trainer.by_fit import FitTrainer
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.feeding import parts
from optselect.trainer.messages import Job

JOB = Job(configuration=BASELINE, seed=5, epochs=2, test=True)


@pytest.fixture(scope="module")
def task() -> Task:
    """Iris, with weights that tell each row."""
    x, y = read("sklearn:iris").x, read("sklearn:iris").y
    weights = np.linspace(0.5, 1.5, len(x)).astype("float32")
    return Task.from_spec(make_spec(read((x, np.asarray(y), weights)), epochs=2, seed=0))


@pytest.fixture(scope="module")
def trainer(task: Task) -> CompiledTrainer:
    return CompiledTrainer(task, [BASELINE.rule], [5, 6])


def moved(task: Task, split: int) -> Task:
    """The task with its arrays in the order of the redrawn split."""
    other = copy.copy(task)
    for part, (x, y, w) in parts(task, split).items():
        for name, array in zip("xyw", (x, y, w), strict=True):
            setattr(other, f"{name}_{part}", array)
    return other


def rows(part: Any) -> set[tuple[float, ...]]:
    x, y, w = part
    return {(*map(float, a), float(b), float(c)) for a, b, c in zip(x, y, w.reshape(len(x)), strict=True)}


def test_rows_change_places_and_keep_their_target_and_weight(task: Task) -> None:
    """Training and validation rows stay the same rows together, in parts of the same sizes and classes."""
    own, other, third = parts(task), parts(task, 5), parts(task, 6)
    assert rows(own["train"]) | rows(own["validation"]) == rows(other["train"]) | rows(other["validation"])
    for part in ("train", "validation"):
        assert rows(own[part]) != rows(other[part]) != rows(third[part])
        assert len(own[part][1]) == len(other[part][1])
        assert np.array_equal(np.bincount(own[part][1]), np.bincount(other[part][1]))
    assert tf.nest.map_structure(np.array_equal, own["test"], other["test"]) == (True, True, True)
    assert not rows(other["train"]) & rows(other["validation"])


def test_it_trains_on_those_rows(task: Task, trainer: CompiledTrainer) -> None:
    """To the bit what a task with its rows in these places gives, before and after one on the task's own split."""
    redrawn = dataclasses.replace(JOB, redraw=True)
    first, plain, again = trainer.run(redrawn), trainer.run(JOB), trainer.run(redrawn)
    assert first.curves == again.curves
    assert first.metrics == again.metrics
    assert plain.curves["val_loss"] != first.curves["val_loss"]
    wanted = CompiledTrainer(moved(task, 5), [BASELINE.rule], [5]).run(JOB)
    assert first.curves == wanted.curves
    assert first.metrics == wanted.metrics
    assert plain.metrics == CompiledTrainer(task, [BASELINE.rule], [5]).run(JOB).metrics


def test_nothing_is_traced_anew(trainer: CompiledTrainer) -> None:
    """One program serves every split."""
    trainer.run(dataclasses.replace(JOB, redraw=True))
    before = sum(f.experimental_get_tracing_count() for f in trainer.program.traced.functions.values())
    trainer.run(dataclasses.replace(JOB, redraw=True, seed=6))
    assert sum(f.experimental_get_tracing_count() for f in trainer.program.traced.functions.values()) == before


def test_model_fit_trains_on_them_too(task: Task) -> None:
    """Where a model falls back to `model.fit` it gets the same rows."""
    redrawn = dataclasses.replace(JOB, redraw=True)
    assert FitTrainer(task).run(redrawn).metrics == pytest.approx(FitTrainer(moved(task, 5)).run(JOB).metrics, rel=1e-6)
    assert FitTrainer(task).run(JOB).metrics["val_loss"] != FitTrainer(task).run(redrawn).metrics["val_loss"]


def test_only_few_validation_rows_are_redrawn(task: Task) -> None:
    """With two thousand there is no need; with class weights, which validation rows lack, it is not done."""
    assert task.spec.redraws
    assert not dataclasses.replace(task.spec, class_weight=(1.0, 2.0, 1.0)).redraws
    many = dataclasses.replace(task.spec.split, validation=np.arange(2000))
    partition = dataclasses.replace(task.spec.partition, parts=many)
    assert not dataclasses.replace(task.spec, partition=partition).redraws


def test_folds_take_rows_that_the_search_did_not_have_and_weights_of_classes() -> None:
    """Pairs of other rows than the split of the search; the weights of classes are those of training rows."""
    x, y = read("sklearn:iris").x, read("sklearn:iris").y
    pairs = [(np.arange(0, 150, 3), np.arange(1, 150, 6)), (np.arange(2, 150, 3), np.arange(4, 150, 6))]
    splits = SplitOptions(
        cv=[*pairs, pairs[0]], test=(np.asarray(x)[:6] + 0.01, np.asarray(y)[[0, 1, 2, 50, 100, 149]])
    )
    weight = {0: 1.0, 1: 2.0, 2: 5.0}
    data = read((x, np.asarray(y)), splits=splits)
    made = Task.from_spec(make_spec(data, epochs=2, seed=0, class_weight=weight, splits=splits))
    assert made.spec.redraws
    first, second = parts(made, 0), parts(made, 1)
    for found, pair in ((first, pairs[0]), (second, pairs[1])):
        assert np.array_equal(found["train"][1], np.asarray(y)[pair[0]])
        assert np.array_equal(found["validation"][1], np.asarray(y)[pair[1]])
        assert np.ravel(found["train"][2]).tolist() == [weight[label] for label in np.asarray(y)[pair[0]]]
        assert len(found["validation"]) == 2
    assert FitTrainer(made).run(dataclasses.replace(JOB, seed=1, redraw=True)).finite
