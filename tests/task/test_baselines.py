"""What answers without a network score, and what a verdict says where a network is no better."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from optselect.data import read
from optselect.optim.configuration import BASELINE
from optselect.record.entries import TrialRecord
from optselect.study.oddities import oddities
from optselect.task import make_spec
from optselect.task.baselines import baselines
from optselect.task.prepared import Task
from optselect.task.suspects import suspects
from optselect.util.intervals import estimate, limits
from optselect.verdict.context import Context
from tests.helpers.played import contest, played, record, verdict
from tests.helpers.studying import Formulas, notes, run, space, trials

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4)).astype("float32")
CLASS = np.digitize(X[:, 0], [0.7, 1.5])
NUMBER = (1000 + 50 * X[:, 0] + RANDOM.normal(size=300)).astype("float32")


def ending(units: int, activation: str | None, loss: str | None = None, *before: Callable[[], Any]) -> Any:
    def build() -> Any:
        layers = [keras.Input((4,)), *(layer() for layer in before), keras.layers.Dense(units, activation)]
        model = keras.Sequential(layers)
        if loss:
            made = {"logits": lambda: keras.losses.BinaryCrossentropy(from_logits=True)}.get(loss, lambda: loss)()
            model.compile(loss=made, metrics=["accuracy"] if "entropy" in loss or loss == "logits" else ["mae"])
        return model

    return build


def task_of(x: Any, y: Any, model: Any = None) -> Task:
    return Task.from_spec(make_spec(read((x, y)), model=model, epochs=1, seed=0))


HEADS = {
    "softmax": (CLASS, ending(3, "softmax")),
    "logits": (CLASS, ending(3, None)),
    "one-hot": (CLASS, ending(3, "softmax", "categorical_crossentropy")),
    "sigmoid": (CLASS > 0, ending(1, "sigmoid")),
    "one logit": (CLASS > 0, ending(1, None, "logits")),
}


@pytest.mark.parametrize("head", HEADS)
def test_a_constant_has_the_entropy_of_the_classes(head: str) -> None:
    """However the model's last layer says its classes: the constant's loss is the cross-entropy of the shares in the
    training rows, its accuracy the share of the largest class; a linear model is better where the classes are linear.
    """
    labels, model = HEADS[head]
    task = task_of(X, labels, model)
    found = baselines(task)
    train, test = (np.asarray(labels).astype(int)[getattr(task.spec.split, part)] for part in ("train", "test"))
    shares = np.bincount(train) / len(train)
    metrics = found["constant"].metrics
    assert metrics["test_loss"] == pytest.approx(-np.log(shares[test]).mean(), rel=1e-4)
    assert metrics["test_accuracy"] == pytest.approx((test == shares.argmax()).mean(), abs=1e-6)
    assert found["linear"].metrics["test_loss"] < metrics["test_loss"]
    assert found["constant"].answer in ("0", "False")


@pytest.mark.parametrize("loss", ["mean_squared_error", "mean_absolute_error", None])
def test_a_constant_is_mean_or_median_in_units_of_the_target(loss: str | None) -> None:
    """Whichever has the lower loss. None: the default model, whose target is standardized."""
    task = task_of(X, NUMBER, ending(1, None, loss) if loss else None)
    found = baselines(task)
    train, test = NUMBER[task.spec.split.train], NUMBER[task.spec.split.test]
    middle = np.median(train) if loss == "mean_absolute_error" else train.mean()
    constant = found["constant"]
    assert constant.metrics["test_mae"] == pytest.approx(np.abs(test - middle).mean(), rel=1e-4)
    assert float(constant.answer) == pytest.approx(middle, rel=1e-3)
    assert found["linear"].metrics["test_mae"] < 0.1 * constant.metrics["test_mae"]


def test_several_outputs_have_a_constant_and_no_linear_model() -> None:
    """So have images with too many numbers, and rows with several values."""

    def two() -> Any:
        inputs = keras.Input((4,))
        outputs = {
            "a": keras.layers.Dense(1, name="a")(inputs),
            "b": keras.layers.Dense(3, "softmax", name="b")(inputs),
        }
        return keras.Model(inputs, outputs)

    task = Task.from_spec(make_spec(read((X, {"a": NUMBER, "b": CLASS})), model=two, epochs=1, seed=0))
    found = baselines(task)
    assert set(found) == {"constant"}
    assert {"val_loss", "test_loss", *(f"test_{name}" for name in task.metric_names)} <= set(found["constant"].metrics)


def test_suspects() -> None:
    """Inputs and targets of a user's model that are far from one, unless a layer scales them; labels that are nearly
    all of one class. The default model scales its data."""
    model = ending(1, None)
    far, scaled = task_of(100 * X, NUMBER, model), ending(1, None, None, keras.layers.BatchNormalization)
    assert ["Normalization" in cause for cause in suspects(far, model())] == [True, False]
    assert not any("Normalization" in cause for cause in suspects(far, scaled()))
    assert suspects(task_of(100 * X, NUMBER), None) == []
    rare = (np.arange(300) % 20 == 0).astype(int)
    assert len(suspects(task_of(X, rare, ending(1, "sigmoid")), ending(1, "sigmoid")())) == 1


# -- what the verdict says --------------------------------------------------------------------------------------------


def said(context: Context, *, accuracy: float = 0.9, swing: float = 0.0) -> str:
    of = contest([])
    found = verdict(of, played(of, lambda c, seed: (0.5, accuracy + (swing if seed % 2 else -swing))))
    return dataclasses.replace(found, context=context).text()


def context(constant: float = 0.5, linear: float = 0.5, **more: Any) -> Context:
    return Context(constant={"test_accuracy": constant}, linear={"test_accuracy": linear}, **more)


def test_no_better_than_a_constant_is_the_first_line() -> None:
    """With what the constant says and the likely cause; equal is no better."""
    for constant in (0.9, 0.95):
        first = said(context(constant, answer="yes", suspects=("the inputs reach 600", "another"))).split("Likely")[0]
        assert first.startswith("No better than a constant")
        assert "yes" in first
        assert "600" in said(context(constant, suspects=("the inputs reach 600",)))
    assert "constant" not in said(context(0.8))
    assert said(Context(constant={}, linear={})) == said(context(0.1, 0.1))


def test_a_linear_model_and_a_wide_interval_are_told() -> None:
    """A better linear model, and an interval that holds the constant's score."""
    assert "A linear model is better" in said(context(0.5, 0.95))
    assert "A linear model" not in said(context(0.5, 0.85))
    assert "A linear model" not in said(context(0.95, 0.95))
    assert "what a constant has" in said(context(0.92), swing=0.1)


def trained(curves: dict[str, list[float]], **metrics: float) -> TrialRecord:
    base = record(0, "search", BASELINE, 0, 0.5, 0.9)
    return dataclasses.replace(base, curves=curves, metrics={"val_loss": 0.5, **metrics}, value=0.5)


@pytest.mark.parametrize(
    ("odd", "word"),
    [
        (trained({"gradient_norm": [0.0, 0.0], "loss": [1.0, 1.0]}), "gradient"),
        (trained({"loss": [1.0, 1.0, 1.0]}), "same in every epoch"),
        (trained({"loss": [2.0, 1.0]}, val_loss=0.0), "exactly 0"),
        (trained({"loss": [2.0, 1.0]}, val_auc=math.nan), "val_auc"),
    ],
)
def test_signs_that_nothing_is_learned(odd: TrialRecord, word: str) -> None:
    """Each is named after one training, and in the verdict before all else; a training as usual has none."""
    usual = trained({"gradient_norm": [0.1, 0.0], "loss": [2.0, 1.0]}, val_auc=0.5)
    assert oddities([usual], "val_loss") == []
    [found] = oddities([odd], "val_loss")
    assert word in found
    assert said(context(oddities=(found,))).startswith(f"Warning: {found}")
    assert oddities([odd, usual], "val_loss") == []


def test_trainings_that_all_end_alike() -> None:
    """Other settings and the same validation loss to the last bit: nothing was compared."""
    first = trained({"loss": [2.0, 1.0]})
    other = dataclasses.replace(first, configuration=dataclasses.replace(BASELINE, batch_size=64))
    assert len(oddities([first, other], "val_loss")) == 1
    assert oddities([first, first], "val_loss") == []


def test_a_headline_that_is_never_answered_gives_way_to_the_objective() -> None:
    """A model that judges itself may not answer the metrics that a target usually has."""
    of = contest([])
    records = [
        dataclasses.replace(r, metrics={"val_loss": r.value or 0.0, "test_loss": r.value or 0.0})
        for r in played(of, lambda c, seed: (0.5, 0.9))
    ]
    found = verdict(of, records)
    assert (found.headline, found.maximize, found.recommended.held_out.mean) == ("loss", False, 0.5)


def test_a_failed_check_is_told() -> None:
    """That `model.fit` could not train the recommendation, and that no model was saved."""
    of = contest([])
    found = verdict(of, played(of, lambda c, seed: (0.5, 0.9)))
    failed = dataclasses.replace(found, failures={"check": "no gradients", "refit": "no memory"}).text()
    assert "no gradients" in failed
    assert "no memory" in failed


# -- intervals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rmse", "val_mean_squared_error", "price_mae", "val_accuracy", "test_auc"])
def test_an_interval_stays_where_the_metric_can_be(name: str) -> None:
    """It is the usual one, ended at the metric's limits; a value beyond them shows that the name misleads."""
    low, high = limits(name)
    values = [0.01, 0.99]
    wide, kept = estimate(values), estimate(values, within=(low, high))
    assert (kept.low, kept.high) == (max(low, wide.low), min(high, wide.high))
    assert (kept.mean, kept.se) == (wide.mean, wide.se)
    assert estimate([-0.1, 0.3], within=(low, high)) == estimate([-0.1, 0.3])
    assert limits(f"my_{name}") == (low, high)


def test_names_that_do_not_tell_leave_intervals_alone() -> None:
    """A difference, a score below zero, a loss that may be negative."""
    for name in ("r2_score", "loss", "val_cosine_similarity", "poisson", "gain"):
        assert limits(name) == (-math.inf, math.inf)


# -- range tests ------------------------------------------------------------------------------------------------------


def test_a_range_that_diverges_is_searched_below(tmp_path: Path) -> None:
    """Where all rates of the space diverge the test goes on below, and so does the search; no trial has a rate that is
    known to diverge, the default's included. An arm that learns where it should is searched as ever."""
    over, rules = space("sgd", "adam"), {"sgd": (1e-10, 0.1)}
    run(tmp_path, Formulas(**rules), over, trials=12)
    [probe] = [note["run"] for note in notes(tmp_path, "probe") if note["arm"] == "sgd"]
    assert probe["rates"] == sorted(probe["rates"])
    assert probe["rates"][0] < 1e-10 < over.optimizers["sgd"]["learning_rate"].low
    limit = min(r for r, loss in zip(probe["rates"], probe["losses"], strict=True) if not math.isfinite(loss))
    rates = [t["configuration"]["optimizer"]["learning_rate"] for t in trials(tmp_path) if t["arm"] == "sgd"]
    assert len(rates) == 6
    assert max(rates) < limit
    (tmp_path / "usual").mkdir()
    run(tmp_path / "usual", Formulas(), space("adam"), trials=6)
    alone = [t["configuration"] for t in trials(tmp_path / "usual")]
    assert [t["configuration"] for t in trials(tmp_path) if t["arm"] == "adam"] == alone


def test_nothing_that_diverges_everywhere_goes_on_for_ever(tmp_path: Path) -> None:
    """A model that diverges at any rate ends its range test, and its trials."""
    executor = Formulas(sgd=(1e-30, 0.1))
    run(tmp_path, executor, space("sgd"), trials=4)
    assert len(trials(tmp_path)) == 4
    assert len(executor.asked) < 12
