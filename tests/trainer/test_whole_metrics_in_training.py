"""Metrics of all rows in trainings: whatever trains and wherever the rows are, they are those of scikit-learn."""

from __future__ import annotations

import copy
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss, roc_auc_score

keras = pytest.importorskip("keras")

from optselect.data import read  # noqa: E402
from optselect.errors import InvalidData, InvalidModel, UnknownName  # noqa: E402
from optselect.model.objective import Objective  # noqa: E402
from optselect.optim.configuration import BASELINE  # noqa: E402
from optselect.task import make_spec  # noqa: E402
from optselect.task.baselines import baselines  # noqa: E402
from optselect.task.checking import check_whole  # noqa: E402
from optselect.task.prepared import Task  # noqa: E402
from optselect.trainer.by_fit import FitTrainer  # noqa: E402
from optselect.trainer.compiled import CompiledTrainer  # noqa: E402
from optselect.trainer.feeding import Feed  # noqa: E402
from optselect.trainer.messages import Job, Population  # noqa: E402
from optselect.trainer.trial import defined  # noqa: E402

ROWS = 240
EPOCHS = 2
random = np.random.default_rng(0)
X = random.normal(size=(ROWS, 3)).astype("float32")
Y = np.where(X[:, 0] + random.normal(size=ROWS) > 0.6, "yes", "no")
PRICES = 1000 + 50 * X[:, 0] + random.normal(size=ROWS)
WEIGHTS = random.exponential(size=ROWS).astype("float32")
CONFIGURATION = dataclasses.replace(BASELINE, batch_size=48)
JOB = Job(configuration=CONFIGURATION, seed=3, epochs=EPOCHS, test=True)


def own_score(y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
    """AUC once more, as a function of a user's."""
    assert y_true.dtype == np.int64
    return float(roc_auc_score(y_true, y_pred, sample_weight=sample_weight))


def binary(objective: Any, model: Any = None) -> Task:
    return Task.from_spec(
        make_spec(read((X, Y), sample_weight=WEIGHTS), epochs=EPOCHS, seed=0, objective=objective, model=model)
    )


def numbers(objective: str) -> Task:
    return Task.from_spec(make_spec(read((X, PRICES)), epochs=1, seed=0, objective=objective))


def logits() -> Any:
    """A model of a user's: one output of logits, and a metric of Keras of another name."""
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile("sgd", loss=loss, metrics=[keras.metrics.AUC(from_logits=True, name="keras_auc")])
    return model


@pytest.fixture(scope="module")
def task() -> Task:
    return binary("val_auc", logits)


@pytest.fixture(scope="module")
def trainer(task: Task) -> CompiledTrainer:
    return CompiledTrainer(task, [BASELINE.rule])


def expected(task: Task, model: Any, part: str) -> dict[str, float]:
    """By scikit-learn, of what the model says."""
    said = keras.ops.convert_to_numpy(keras.ops.sigmoid(model.predict(getattr(task, f"x_{part}"), verbose=0)))
    p = said.reshape(-1).astype("float64")
    y, w = getattr(task, f"y_{part}").reshape(-1).astype(int), getattr(task, f"w_{part}")
    return {
        "auc": roc_auc_score(y, p, sample_weight=w),
        "balanced_accuracy": balanced_accuracy_score(y, p > 0.5, sample_weight=w),
        "f1": f1_score(y, p > 0.5, sample_weight=w),
        "log_loss": log_loss(y, p, sample_weight=w),
    }


def test_in_the_compiled_program(trainer: CompiledTrainer, task: Task) -> None:
    """After every epoch what the study improves; on the test set all of them."""
    run, model = trainer.run(JOB), task.build(3)
    state = trainer.program.start(CONFIGURATION, 3)
    state, curves, _ = trainer.program.train(state, CONFIGURATION, seed=3, epochs=EPOCHS, total_epochs=EPOCHS)
    trainer.program.load(state, CONFIGURATION, model)
    assert task.headline == Objective("auc", maximize=True)
    assert len(curves["val_auc"]) == EPOCHS
    assert run.metrics["val_auc"] == pytest.approx(expected(task, model, "validation")["auc"], abs=1e-6)
    for name, value in expected(task, model, "test").items():
        assert run.metrics[f"test_{name}"] == pytest.approx(value, abs=1e-6), name
    assert not any(name.startswith("val_f1") for name in run.metrics)
    runs = trainer.population(Population(jobs=(JOB, dataclasses.replace(JOB, seed=4))))
    assert runs[0].metrics == pytest.approx(run.metrics, abs=1e-5)


def test_of_rows_on_disk(trainer: CompiledTrainer, task: Task, tmp_path: Path) -> None:
    """Chunks are put together: a mean of their metrics would be something else."""
    other = copy.copy(task)
    for part in ("train", "validation", "test"):
        for name in "xyw":
            np.save(tmp_path / f"{name}_{part}.npy", getattr(other, f"{name}_{part}"))
            setattr(other, f"{name}_{part}", np.load(tmp_path / f"{name}_{part}.npy", mmap_mode="r"))
    on_disk = trainer.program.kept.over(task)
    state = on_disk.start(CONFIGURATION, 3)
    whole = on_disk.evaluate(state, CONFIGURATION, "test", further=True)
    on_disk.feed = Feed(other, chunk_bytes=200)
    assert on_disk.evaluate(state, CONFIGURATION, "test", further=True) == pytest.approx(whole, abs=1e-5)
    found = FitTrainer(other).run(JOB)
    assert {f"test_{name}" for name in expected(task, task.build(0), "test")} <= found.metrics.keys()


def test_a_function_in_both_trainers() -> None:
    """It gets the target as class numbers, the probability of the second class, and the weights that it takes."""
    task = binary(own_score, logits)
    run = CompiledTrainer(task, [BASELINE.rule]).run(JOB)
    assert run.metrics["test_own_score"] == pytest.approx(run.metrics["test_auc"], abs=1e-6)
    plain = FitTrainer(task).run(JOB)
    assert len(plain.curves["val_own_score"]) == EPOCHS
    assert plain.metrics["test_own_score"] == pytest.approx(plain.metrics["test_auc"], abs=1e-6)
    assert "val_own_score" in baselines(task)["linear"].metrics


def test_numbers_are_in_units_of_the_target() -> None:
    """Though the default model is trained on a standardized target."""
    task = numbers("val_r2")
    (metric,) = task.whole_metrics
    assert (task.headline, metric.name) == (Objective("r2", maximize=True), "r2")
    (output,) = task._judged_outputs()
    assert np.allclose(output.numbers(task.y_test).numpy(), PRICES[task.spec.split.test], atol=1e-3)


def failing(y_true: Any, y_pred: Any) -> float:
    raise ArithmeticError("no score")


def nowhere(y_true: Any, y_pred: Any) -> float:
    return float("nan")


def everywhere(y_true: Any, y_pred: Any) -> Any:
    return y_true == y_pred


@pytest.mark.parametrize(("function", "said"), [(failing, "no score"), (nowhere, "nan"), (everywhere, "one number")])
def test_a_function_that_gives_no_number_is_refused(function: Any, said: str) -> None:
    """Before any training, with the reason."""
    with pytest.raises(InvalidModel) as refused:
        binary(("max", function))
    assert said in str(refused.value)


def test_what_a_task_does_not_have_is_refused() -> None:
    """AUC of a number, R2 of a class, a metric of another model, one that needs what the model does not answer."""
    for objective, known in (("val_auc", "val_r2"), ("val_mystery", "val_rmse")):
        with pytest.raises(UnknownName, match=known):
            numbers(objective)
    for objective in ("val_r2", "val_keras_auc"):
        with pytest.raises(UnknownName, match="val_balanced_accuracy"):
            binary(objective)
    with pytest.raises(UnknownName, match="probabilities"):
        binary("val_log_loss", margins)
    assert binary("val_auc", margins).headline.name == "auc"


def margins() -> Any:
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.compile("sgd", loss="hinge")
    return model


def test_a_metric_that_the_validation_set_does_not_define_is_refused(task: Task) -> None:
    """AUC where all rows have one class."""
    (metric,) = task.epoch_metrics
    with pytest.raises(InvalidData, match="val_auc"):
        check_whole(metric, np.zeros((8, 1), "float32"), np.zeros((8, 1), "float32"), None, "rows")
    with pytest.raises(InvalidData, match="val_auc"):  # on the rows of a seed
        defined(task, {"val_loss": 0.5, "val_auc": np.nan})
    assert defined(task, {"val_auc": 0.5, "test_auc": np.nan, "test_f1": 0.0}) == {"val_auc": 0.5, "test_f1": 0.0}


def test_a_metric_of_compile_can_be_the_objective() -> None:
    """A stateful one of Keras's: over the whole set, its name beside ours."""
    task = binary("val_keras_auc", logits)
    assert (task.headline, task.epoch_metrics) == (Objective("keras_auc", maximize=True), ())
    assert "auc" in [metric.name for metric in task.whole_metrics]
