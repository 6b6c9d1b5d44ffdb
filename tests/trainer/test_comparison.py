"""A compiled program is compared with `model.fit` before anything is concluded from it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from optselect.data import read
from optselect.optim.rules.adam import Adam
from optselect.task import make_spec
from optselect.task.agreement import Agreement
from optselect.task.prepared import Task
from optselect.trainer.by_fit import FitTrainer
from optselect.trainer.comparison import Reference
from optselect.trainer.compiled import CompiledTrainer
from optselect.trainer.first_look import FirstLook
from optselect.trainer.messages import Plan, decided

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 6)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


class NumpyNoise(keras.layers.Layer):
    """Noise that no seed of Keras's knows of."""

    def call(self, x: Any, training: bool = False) -> Any:
        return x + 0.1 * tf.random.normal(tf.shape(x)) if training else x


def usual() -> Any:
    """Statistics of batches, Keras's own noise, and layers that are as usual."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(8, "relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def noisy() -> Any:
    return keras.Sequential([keras.Input((6,)), NumpyNoise(), keras.layers.Dense(1, "sigmoid")])


def cut_off() -> Any:
    """No gradient reaches the first layer."""
    return keras.Sequential(
        [
            keras.Input((6,)),
            keras.layers.Dense(4, name="cut"),
            keras.layers.Lambda(keras.ops.stop_gradient),
            keras.layers.Dense(1, "sigmoid"),
        ]
    )


def task_of(model: Callable[[], Any]) -> Task:
    return Task.from_spec(make_spec(read((X, Y)), model=model, epochs=1, seed=0))


@pytest.fixture(scope="module")
def compared() -> tuple[Reference, CompiledTrainer, Agreement]:
    """A usual model, its program, and how they agree."""
    task = task_of(usual)
    reference = Reference(task, 3)
    trainer = CompiledTrainer(task, [Adam()], [3])
    return reference, trainer, reference.agreement(trainer.program)


def test_equal(compared: Any) -> None:
    """A program that does what `model.fit` does agrees with it far below the tolerance, a smaller last batch
    included."""
    _, _, found = compared
    assert (found.equal, found.what, found.rows % 32 > 0, found.steps) == (True, "training", True, 3)
    assert found.difference < 1e-5
    assert found.reason() == ""
    assert found.notes() == []


@pytest.mark.parametrize("wrong", ["rate", "val_loss"])
def test_different(compared: Any, monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    """A program whose update or validation is another one does not agree, and the reason names a figure."""
    reference, trainer, _ = compared
    program = trainer.program
    train = type(program).train

    def other(self: Any, state: Any, configuration: Any, **options: Any) -> Any:
        if wrong == "rate":
            rule = configuration.rule.replaced(learning_rate=1.1e-3)
            return train(self, state, dataclasses.replace(configuration, rule=rule), **options)
        state, curves, seconds = train(self, state, configuration, **options)
        return state, {**curves, wrong: [value * 1.001 for value in curves[wrong]]}, seconds

    monkeypatch.setattr(type(program), "train", other)
    found = reference.agreement(program)
    assert not found.equal
    assert wrong == "rate" or found.figure == wrong
    assert found.figure in found.reason()


def test_falls_back_and_says_so(compared: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials then use `model.fit`, the study's description says why, and every process follows."""
    reference, trainer, agreement = compared
    differs = dataclasses.replace(agreement, equal=False, difference=0.5)
    look = FirstLook(reference.task, 3, Plan(steps=0), None)
    monkeypatch.setattr(Reference, "agreement", lambda self, program: differs)
    monkeypatch.setattr(trainer.program.traced, "agreement", None)
    chosen, note = look.checked(trainer, "")
    described = look.described()
    monkeypatch.setattr(trainer.program.traced, "agreement", None)
    assert isinstance(chosen, FitTrainer)
    assert differs.figure in note
    assert described.comparison == differs
    assert decided(described) == "fit"
    assert decided(dataclasses.replace(described, comparison=agreement, way="xla")) == "xla"
    assert "not equal" in differs.told()


def test_noise_of_its_own() -> None:
    """Where a layer draws numbers that are not Keras's, losses without that noise are compared, and it is said so."""
    task = task_of(noisy)
    reference = Reference(task, 0)
    found = reference.agreement(CompiledTrainer(task, [Adam()], [0]).program)
    assert (found.equal, found.what) == (True, "inference")
    assert len(found.notes()) == 1
    assert "without the noise" in found.told()


def test_weights_that_no_gradient_reaches() -> None:
    """They are named."""
    task = task_of(cut_off)
    reference = Reference(task, 0)
    found = reference.agreement(CompiledTrainer(task, [Adam()], [0]).program)
    assert found.equal
    assert {"/".join(path.split("/")[-2:]) for path in found.unreached} == {"cut/kernel", "cut/bias"}
    assert "cut/kernel" in found.notes()[0]
    assert found.notes(silent=True) == []


def test_once_a_program(iris: Any) -> None:
    """The first process compares and scores for all; a process that is told so does not, nor does one whose program
    stays from an earlier task of the same form."""
    rule = Adam()
    task = Task.from_spec(iris)
    first = FirstLook(task, 0, Plan(steps=0), None)
    trainer, _ = first.checked(CompiledTrainer(task, [rule], [0]), "")
    assert isinstance(trainer, CompiledTrainer)
    known = trainer.program.traced.agreement
    assert known is not None
    again = FirstLook(task, 0, Plan(steps=0), trainer.program.kept)
    again.checked(CompiledTrainer(task, [rule], program=trainer.program.kept.over(task, [0])), "")
    assert again.described().comparison == known
    follower = FirstLook(task, 0, Plan(steps=0, compare=False), None)
    follower.checked(trainer, "")
    assert not follower.described().compared
