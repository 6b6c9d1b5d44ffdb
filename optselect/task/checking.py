"""Checks of a task before any training: that data, model, loss and metrics fit each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from optselect.errors import InvalidData, InvalidModel
from optselect.model.whole_metrics import CalledMetric, WholeMetric
from optselect.user_code.functions import where_it_failed

__all__ = ["check_inputs", "check_judges", "check_whole", "input_tensors", "make_ready", "undefined"]

Shape = tuple[int, ...]

_TAKE_SHAPE = "Take `input_shape` as an argument of the function that builds the model."
_BATCHES = "Are the data's rows batches? Then take them apart: `dataset.unbatch()`."


def input_tensors(model: Any) -> list[Any]:
    """The symbolic inputs of a model; none where it is not built yet or has no graph."""
    try:
        return list(model.inputs or [])
    except (AttributeError, ValueError):
        return []


def check_inputs(model: Any, given: Shape | dict[str, Shape] | list[Shape], prepared: bool, who: str) -> None:
    """Raise InvalidModel unless the model takes rows of this shape, or such arrays by name or, in a list, by place.

    prepared: whether the shapes are of a table that was turned into features.
    """
    expected = {tensor.name: tensor for tensor in input_tensors(model)}
    if not expected:
        return
    _check_batch_size(expected, who)
    if isinstance(given, list):
        if len(given) != len(expected):
            raise InvalidModel(
                f"{who}: has {len(expected)} inputs ({', '.join(expected)}), the data has {len(given)} arrays."
            )
        given = dict(zip(expected, given, strict=True))
    elif isinstance(given, tuple):
        if len(expected) != 1:
            raise InvalidModel(f"{who}: has inputs {', '.join(expected)}, the data has one array.")
        given = {next(iter(expected)): given}
    elif set(expected) != set(given):
        raise InvalidModel(f"{who}: has inputs {', '.join(expected)}, the data has {', '.join(given)}.")
    for name, tensor in expected.items():
        wanted = tuple(tensor.shape[1:])
        if not _fits(wanted, given[name]):
            raise InvalidModel(
                f"{who}: takes rows of shape {wanted}, the data has rows of shape {given[name]}"
                f"{' after preparation' * prepared}. "
                f"{_BATCHES if _fits(wanted, given[name][1:]) and len(given[name]) > 1 else _TAKE_SHAPE}"
            )


def _check_batch_size(expected: dict[str, Any], who: str) -> None:
    """Raise InvalidModel if an input fixes the number of rows in a batch."""
    for tensor in expected.values():
        if tensor.shape and tensor.shape[0] is not None:
            shape = tuple(tensor.shape[1:])
            raise InvalidModel(
                f"{who}: fixes the batch size at {tensor.shape[0]} (`batch_shape={tuple(tensor.shape)}`). optselect "
                f"searches the batch size, and the last batch of an epoch is smaller, so that it must be open: "
                f"`keras.Input({shape})`, and `stateful=False` in recurrent layers."
            )


def _fits(wanted: tuple[int | None, ...], given: Shape) -> bool:
    return len(wanted) == len(given) and all(w is None or w == g for w, g in zip(wanted, given, strict=True))


def check_judges(judges: Sequence[Any], y: Any, outputs: Any, weights: Any, who: str, path: Path) -> None:
    """Trace loss and metrics once, so that a mismatch is said now and not in every trial.

    judges: the loss and metrics. y, outputs, weights: a few rows, structures of arrays; weights may be None. Raises
    InvalidModel for what does not fit, has no graph form, or answers more than one number.
    """
    y, outputs = (keras.tree.map_structure(tf.convert_to_tensor, part) for part in (y, outputs))
    weights = None if weights is None else keras.tree.map_structure(tf.convert_to_tensor, weights)
    given = (y, outputs, weights)
    for judge in judges:
        run = _of_metric(judge) if isinstance(judge, keras.metrics.Metric) else _of_loss(judge)
        try:
            if isinstance(judge, keras.metrics.Metric):
                make_ready(judge, *given)
            answer = tf.function(run, autograph=False).get_concrete_function(*given).structured_outputs
        except Exception as problem:  # the user's functions may raise anything
            raise InvalidModel(_what_fails(judge, run, problem, given, who, path)) from problem
        if not isinstance(answer, tf.TensorSpec | tf.Tensor) or answer.shape.rank != 0:
            got = f"shape {tuple(answer.shape)}" if hasattr(answer, "shape") else type(answer).__name__
            raise InvalidModel(
                f"{who}: `{judge.name}` must answer one number, got {got}. Average, as in "
                "F1Score(average='macro') or Loss(reduction='sum_over_batch_size')."
            )


def make_ready(metric: Any, y: Any, outputs: Any, weights: Any) -> None:
    """Have a metric make its variables, as some do at their first update, and begin anew."""
    metric.update_state(y, outputs, sample_weight=weights)
    metric.reset_state()


def check_whole(metric: WholeMetric, y: Any, answers: Any, weights: Any, source: str) -> None:
    """Compute a metric of all validation rows once, with any answers.

    y, weights: of the validation rows; weights may be None. answers: of the model to a few rows. Raises InvalidData
    where the metric is not defined on these rows, InvalidModel where it is a function of the user's that fails.
    """
    targets = [tf.convert_to_tensor(np.asarray(leaf[:])) for leaf in keras.tree.flatten(y)]
    some = [np.resize(leaf, (len(targets[0]), *leaf.shape[1:])) for leaf in keras.tree.flatten(answers)]
    each = None if weights is None else tf.reshape(keras.tree.flatten(weights)[0], (-1,))
    if not np.isfinite(metric(targets, dict(enumerate(map(tf.convert_to_tensor, some))), each)):
        raise undefined(metric, source)


def undefined(metric: WholeMetric, source: str) -> InvalidData | InvalidModel:
    """The error for a metric that gave no number on the validation rows."""
    if isinstance(metric, CalledMetric):
        return InvalidModel(
            f"Task: the objective `{metric.name}` has no value on the validation set: {metric.problem}."
        )
    return InvalidData(
        f"{source}: `val_{metric.name}` is not defined on the validation set: each class must have a row there. "
        "Take another split, or another objective."
    )


def _of_metric(metric: Any) -> Callable[[Any, Any, Any], Any]:
    def run(y: Any, outputs: Any, weights: Any) -> Any:
        state = [tf.zeros_like(v.value) for v in metric.variables]
        state = metric.stateless_update_state(state, y, outputs, sample_weight=weights)
        return metric.stateless_result(state)

    return run


def _of_loss(loss: Any) -> Callable[[Any, Any, Any], Any]:
    return lambda y, outputs, weights: loss(y, outputs, sample_weight=weights)


def _what_fails(
    judge: Any,
    run: Callable[[Any, Any, Any], Any],
    problem: Exception,
    given: tuple[Any, Any, Any],
    who: str,
    path: Path,
) -> str:
    try:
        run(*given)
    except Exception as eager:  # it does not work either where nothing is traced
        return (
            f"{who}: `{judge.name}` cannot compare targets of shape {_shapes(given[0])} with outputs of shape "
            f"{_shapes(given[1])}: {where_it_failed(path, eager)}"
        )
    return (
        f"{who}: `{judge.name}` has no graph form: it works on numbers, not on tensors in a TensorFlow graph, where "
        f"training happens. Write it with keras.ops. {where_it_failed(path, problem)}"
    )


def _shapes(structure: Any) -> str:
    return " and ".join(str(tuple(leaf.shape)) for leaf in keras.tree.flatten(structure))
