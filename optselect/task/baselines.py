"""What simple answers score on a task's own split: a constant, and a linear model. A network must beat them."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from optselect.data.on_disk import take
from optselect.data.target import Target
from optselect.model.output_scoring import Judging
from optselect.task.description import SimpleAnswer
from optselect.task.prepared import Task

__all__ = ["baselines"]

_SCORED_NUMBERS = 4_000_000  # that an answer to the scored rows may hold: beyond, evenly spaced rows are scored
_FITTED_NUMBERS = 2_000_000  # rows times columns that the linear model is fitted to
_FITTED_ROWS, _COLUMNS = 5000, 1000  # of the linear model, at most
_ITERATIONS = 100  # of the logistic regression
_SMALLEST = 1e-7  # a probability, where its logarithm is asked for: that of Keras's losses


def baselines(task: Task) -> dict[str, SimpleAnswer]:
    """The scores of a constant answer and, where the features are plain numbers, of a linear model.

    They are under "constant" and "linear": the loss and the metrics of the task itself on its validation and test
    rows, in units of the target. The constant is the mean or the median of the training rows, whichever has the lower
    loss, or the shares of the classes. The linear model is a ridge or a logistic regression of scikit-learn on
    standardized features.
    """
    found = {"constant": _constant(task)}
    linear = _linear(task)
    return found if linear is None else {**found, "linear": linear}


# A constant


def _constant(task: Task) -> SimpleAnswer:
    """The better of the constants by the loss on the training rows."""
    rows = _some_rows(task, "train")
    candidates = [_constants(task, middle) for middle in (np.mean, np.median)]
    losses = [_loss(task, "train", rows, _repeated(task, values, len(rows))) for values in candidates]
    best = candidates[int(np.argmin(np.nan_to_num(losses, nan=np.inf)))]
    metrics: dict[str, float] = {}
    for part, prefix in (("validation", "val"), ("test", "test")):
        rows = _some_rows(task, part)
        metrics |= _scores(task, part, rows, _repeated(task, best, len(rows)), prefix)
    return SimpleAnswer(answer=_in_words(task, best), metrics=metrics)


def _constants(task: Task, middle: Callable[..., Any]) -> list[np.ndarray]:
    """What each output answers to every row. middle: of numbers, the mean or the median."""
    judged = {place: (target, judging) for place, _, target, judging in task._judged.judged}
    y = keras.tree.flatten(task.y_train)
    found = []
    for place, output in enumerate(task._judged.outputs):
        if place not in judged:
            found.append(np.zeros(output.answers.shape[1:], "float32"))
            continue
        target, judging = judged[place]
        if target.kind == "regression":
            found.append(np.asarray(middle(np.asarray(y[place], "float64"), axis=0), "float32"))
        else:
            found.append(_shares(np.asarray(y[place]), target, judging))
    return found


def _shares(y: np.ndarray, target: Target, judging: Judging) -> np.ndarray:
    """The classes' shares, as an output of the model says them."""
    if judging.labels == "column":
        share = np.full(y.shape[1:], float(y.mean()))
        return _as_output(share, judging)
    if judging.labels == "one-hot":
        share = y.reshape(-1, y.shape[-1]).mean(axis=0)
    else:
        share = np.bincount(y.reshape(-1), minlength=len(target.classes)) / max(y.size, 1)
    return _as_output(np.broadcast_to(share, judging.shape), judging)


def _as_output(probabilities: np.ndarray, judging: Judging) -> np.ndarray:
    """Probabilities as the model's last layer answers them: themselves or logits."""
    if judging.activation is None:
        return np.asarray(probabilities, "float32")
    p = np.clip(probabilities, _SMALLEST, 1 - _SMALLEST)
    return np.asarray(np.log(p / (1 - p)) if judging.activation == "sigmoid" else np.log(p), "float32")


def _repeated(task: Task, values: Sequence[np.ndarray], rows: int) -> Any:
    return task._judged.arranged([np.broadcast_to(value, (rows, *value.shape)) for value in values])


def _in_words(task: Task, values: Sequence[np.ndarray]) -> str:
    """What the constant answer is; "" where it is not one number or one class."""
    if len(task._judged.judged) != 1:
        return ""
    place, _, target, _ = task._judged.judged[0]
    if target.kind == "classification":
        train = target.values[task.spec.split.train]
        return str(target.classes[int(np.bincount(train.reshape(-1)).argmax())])
    if values[place].size != 1:
        return ""
    mean, deviation = task.moments.get(target.name, (0.0, 1.0))
    return f"{mean + deviation * float(values[place].reshape(())):.4g}"


# A linear model


def _linear(task: Task) -> SimpleAnswer | None:
    """None where the features are no plain table of finite numbers, or there are several targets or values."""
    judged = task._judged.judged
    if len(judged) != 1 or len(task._judged.outputs) != 1 or judged[0][2].shape:
        return None
    _, _, target, judging = judged[0]
    width = _columns(task.x_train)
    if not width or width > _COLUMNS:
        return None
    every = np.arange(len(task.spec.split.train))
    rows = _evenly(every, min(_FITTED_ROWS, max(1, _FITTED_NUMBERS // width)))
    x, y = _matrix(task.x_train, rows), np.asarray(keras.tree.flatten(task.y_train)[0])[rows]
    weights = None if task.w_train is None else np.asarray(keras.tree.flatten(task.w_train)[0])[rows].reshape(-1)
    if x is None:
        return None
    answer = _fitted(x, y, weights, target, judging)
    if answer is None:
        return None
    metrics: dict[str, float] = {}
    for part, prefix in (("validation", "val"), ("test", "test")):
        rows = _some_rows(task, part, width)
        matrix = _matrix(getattr(task, f"x_{part}"), rows)
        if matrix is None:
            return None
        metrics |= _scores(task, part, rows, task._judged.arranged([answer(matrix)]), prefix)
    return SimpleAnswer(answer="ridge" if target.kind == "regression" else "logistic regression", metrics=metrics)


def _fitted(
    x: np.ndarray, y: np.ndarray, weights: np.ndarray | None, target: Target, judging: Judging
) -> Callable[[np.ndarray], np.ndarray] | None:
    """A linear model's answers to rows, in the form of the network's output; None where it cannot be fitted."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.preprocessing import StandardScaler
    from threadpoolctl import threadpool_limits

    scaler = StandardScaler().fit(x)
    if target.kind == "regression":
        ridge = Ridge().fit(scaler.transform(x), y.reshape(-1), sample_weight=weights)
        return lambda rows: ridge.predict(scaler.transform(rows)).reshape(-1, *judging.shape).astype("float32")
    numbers = y.argmax(axis=-1) if judging.labels == "one-hot" else y.reshape(-1).astype("int64")
    if len(np.unique(numbers)) < 2:
        return None
    # Threads that wait for each other took 2 s of a fit of 0.06 s, on digits with two cores.
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # one that has not converged is a baseline too
        model = LogisticRegression(max_iter=_ITERATIONS).fit(scaler.transform(x), numbers, sample_weight=weights)

    def answer(rows: np.ndarray) -> np.ndarray:
        found = np.zeros((len(rows), len(target.classes)))
        found[:, model.classes_] = model.predict_proba(scaler.transform(rows))
        shaped = found[:, 1].reshape(-1, *judging.shape) if judging.labels == "column" else found
        return _as_output(shaped, judging)

    return answer


def _columns(x: Any) -> int:
    """How many numbers a row has; 0 where some are not numbers."""
    parts = keras.tree.flatten(x)
    if any(np.dtype(part.dtype).kind not in "biuf" for part in parts):
        return 0
    return sum(int(np.prod(part.shape[1:])) for part in parts)


def _matrix(x: Any, rows: np.ndarray) -> np.ndarray | None:
    """Some rows as one table of numbers; None where some are not finite."""
    parts = [np.asarray(take(part, rows)[:], "float64").reshape(len(rows), -1) for part in keras.tree.flatten(x)]
    table = np.concatenate(parts, axis=1)
    return table if np.isfinite(table).all() else None


# Scores


def _some_rows(task: Task, part: str, width: int = 0) -> np.ndarray:
    """Row numbers of a part: all of them, or evenly spaced ones of a large part."""
    each = width + sum(int(np.prod(output.answers.shape[1:])) for output in task._judged.outputs)
    rows = np.arange(len(getattr(task.spec.split, part)))
    return _evenly(rows, max(1, _SCORED_NUMBERS // max(each, 1)))


def _evenly(rows: np.ndarray, most: int) -> np.ndarray:
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype("int64")]


def _given(task: Task, part: str, rows: np.ndarray) -> tuple[Any, Any]:
    """Targets and weights of some rows as tensors."""
    y, w = getattr(task, f"y_{part}"), getattr(task, f"w_{part}")
    tensors = [
        None if x is None else keras.tree.map_structure(lambda a: keras.ops.convert_to_tensor(np.asarray(a[rows])), x)
        for x in (y, w)
    ]
    return tensors[0], tensors[1]


def _loss(task: Task, part: str, rows: np.ndarray, outputs: Any) -> float:
    y, w = _given(task, part, rows)
    return float(task.loss(y, keras.tree.map_structure(_tensor, outputs), sample_weight=w))


def _scores(task: Task, part: str, rows: np.ndarray, outputs: Any, prefix: str) -> dict[str, float]:
    """Loss and metrics of answers to some rows of a part, by name; those that are finite."""
    y, w = _given(task, part, rows)
    each = None if w is None else keras.ops.reshape(keras.tree.flatten(w)[0], (-1,))
    answers = keras.tree.map_structure(_tensor, outputs)
    found = {"loss": float(task.loss(y, answers, sample_weight=w))}
    scales: Mapping[str, float] = task.scales
    for metric in task.metrics():
        metric.update_state(y, answers, sample_weight=w)
        found[metric.name] = float(metric.result()) * scales.get(metric.name, 1.0)
    places = dict(enumerate(keras.tree.flatten(answers)))
    for whole in task.whole_metrics:
        found[whole.name] = float(whole(keras.tree.flatten(y), places, each))
    return {f"{prefix}_{name}": value for name, value in found.items() if np.isfinite(value)}


def _tensor(values: np.ndarray) -> Any:
    return keras.ops.convert_to_tensor(np.ascontiguousarray(values, "float32"))
