"""Rules that train a model: what is drawn on the plane is what Keras would have done."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest

from optselect.demo.descent import Descent
from optselect.demo.on_model import PLANES, Plane, _Trainer
from optselect.demo.run import descend
from optselect.errors import OptselectError
from optselect.optim.rules import RULES
from optselect.task import Task
from optselect.trainer.feeding import batch_rows
from optselect.util.seeds import derive

STEPS, SIZE = 12, 16


@pytest.fixture(scope="module")
def trainer(iris: Any) -> _Trainer:
    """Of iris, for two rules."""
    return _Trainer(Task.from_spec(iris), [RULES["sgd"](), RULES["adam"]()], steps=STEPS, batch_size=SIZE, seed=0)


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_a_path_is_that_of_keras(iris: Any, trainer: _Trainer, name: str) -> None:
    """The stock optimizer through the same batches ends at the same weights, and the loss is the model's there."""
    rule = RULES[name](learning_rate=0.01)
    weights, losses = trainer.train(rule, np.arange(STEPS + 1))
    task = Task.from_spec(iris)
    model = task.build(0)
    task.compile(model, getattr(keras.optimizers, type(rule).__name__)(learning_rate=0.01))
    order = batch_rows(derive(0, "race"), SIZE, STEPS, len(task.y_train)).reshape(STEPS, SIZE)
    for step, rows in enumerate(order):
        flat = np.concatenate([np.ravel(v) for v in model.trainable_variables])
        np.testing.assert_allclose(weights[step], flat, rtol=1e-4, atol=1e-5)
        loss = model.evaluate(task.x_train, task.y_train, batch_size=999, verbose=0, return_dict=True)["loss"]
        assert losses[step] == pytest.approx(loss, rel=1e-4)
        model.train_on_batch(task.x_train[rows], task.y_train[rows])


def test_a_plane_projects_to_the_nearest_point() -> None:
    """What lies in it is held whole; what is added at a right angle changes nothing but the share."""
    rng = np.random.default_rng(0)
    plane = Plane(origin=rng.normal(size=9), directions=rng.normal(size=(2, 9)))
    inside = plane.origin + np.array([[2.0, -1.0], [0.5, 3.0]]) @ plane.directions
    np.testing.assert_allclose(plane.project(inside), [[2, -1], [0.5, 3]], atol=1e-9)
    assert plane.held(inside) == pytest.approx(1)
    away = rng.normal(size=9)
    away -= np.linalg.lstsq(plane.directions.T, away, rcond=None)[0] @ plane.directions
    np.testing.assert_allclose(plane.project(inside + away), [[2, -1], [0.5, 3]], atol=1e-9)
    assert 0 < plane.held(inside + away) < 1


@pytest.fixture(scope="module", params=PLANES)
def found(request: pytest.FixtureRequest) -> tuple[str, Descent]:
    """A descent on iris on each kind of plane."""
    return request.param, descend(
        ["sgd", "adam"], on="sklearn:iris", learning_rate=0.02, steps=STEPS, plane=request.param
    )


def test_all_start_in_the_middle_and_the_map_knows_the_loss_there(found: tuple[str, Descent]) -> None:
    """The initial weights are the origin of the plane; the height of the map at it is the loss before any step."""
    _, made = found
    for runner in made.runners:
        np.testing.assert_allclose(runner.path[0], [0, 0], atol=1e-5)
        assert runner.heights[0] == made.runners[0].heights[0]
        assert runner.heights[-1] < runner.heights[0]
    nearest = made.z[np.abs(made.y).argmin(), np.abs(made.x).argmin()]
    around = np.ptp(made.z[np.abs(made.y).argsort()[:3]][:, np.abs(made.x).argsort()[:3]])
    assert abs(nearest - made.runners[0].heights[0]) <= around + 1e-5
    json.dumps(made.to_dict(), allow_nan=False)


def test_the_share_that_a_plane_holds_is_said(found: tuple[str, Descent]) -> None:
    """Principal directions hold most of two short paths, random ones almost nothing; picture and notes say so."""
    kind, made = found
    shares = [runner.held for runner in made.runners]
    assert all(share is not None and 0 <= share <= 1.0001 for share in shares)
    assert min(shares) > 0.7 if kind == "paths" else max(shares) < 0.1
    assert "the plane holds" in made.about
    assert any("off the plane" in note for note in made.notes)


def test_the_best_rate_is_looked_for_on_the_model() -> None:
    """Out of four a decade over the declared range, and a rate in the text is kept."""
    made = descend(["adam", "sgd(learning_rate=0.5)"], on="sklearn:iris", steps=6)
    adam, sgd = made.runners
    assert len(adam.tried) == 17
    assert adam.learning_rate in adam.tried
    assert (sgd.tried, sgd.learning_rate) == ((), 0.5)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"plane": "flat"}, "paths"),
        ({"batch_size": 0}, "`batch_size`"),
        ({"start": (0.0, 1.0)}, "`start`"),
        ({"model": "nowhere.py:build"}, "nowhere.py"),
    ],
)
def test_bad_input_is_refused(arguments: dict[str, Any], said: str) -> None:
    """One message that names what is wrong."""
    with pytest.raises(OptselectError, match=said):
        descend(["sgd"], on="sklearn:iris", steps=3, **arguments)
