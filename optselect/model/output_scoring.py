"""How one output is judged: its loss, its metrics, which way each is better, and the labels they compare with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np

from optselect.data.target import Kind, Target
from optselect.errors import InvalidModel
from optselect.model.objective import larger_by_name
from optselect.model.outputs import Output

__all__ = ["FunctionLoss", "Judging", "judging", "larger_is_better"]

Labels = Literal["numbers", "one-hot", "column"]
Activation = Literal["softmax", "sigmoid"]

_FOR_CLASSES = ("crossentropy", "hinge")
_MEANS = ("sum_over_batch_size", "mean", "mean_with_sample_weight")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judging:
    """What training minimises at one output and what is reported of it.

    loss: the mean over the batch. metrics: gives fresh pairs of a keras.metrics.Metric and whether it heeds sample
    weights, the headline first. labels: class numbers as they are, one-hot (rows, ..., classes), or numbers in the
    shape of the output, float32. activation: turns the output into probabilities, None if it is that, or in
    regression. probabilities: whether the output, with the activation if there is one, tells those of the classes.
    """

    loss: Any
    metrics: Callable[[], list[tuple[Any, bool]]]
    labels: Labels
    activation: Activation | None
    probabilities: bool
    notes: tuple[str, ...]
    shape: tuple[int, ...]

    def encode(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """The target as the loss takes it."""
        if self.labels == "numbers":
            return y
        if self.labels == "column":
            return y.astype("float32").reshape(len(y), *self.shape)
        one_hot: np.ndarray = np.eye(n_classes, dtype="float32")[y]
        return one_hot


def judging(output: Output, target: Target, *, defaults: bool, who: str) -> Judging:
    """From compile(), where the user compiled; else from the last layer and the kind of question.

    defaults: whether the usual metrics of the question are reported where compile() names none. Raises InvalidModel
    if units or loss do not fit the target.
    """
    last = _last_activation(output)
    binary = _is_binary(output, target)
    _check_units(output, target, binary, last, who)
    loss, notes = _user_loss(output.compiled.loss, binary, who)
    if loss is not None:
        _check_loss(loss, target, binary, who)
        logits = bool(loss.get_config().get("from_logits", False)) if _is_builtin(loss) else last == "linear"
        if _is_builtin(loss) and "crossentropy" in _name(loss) and logits != (last == "linear"):
            notes.append(
                f"{who}: the last layer answers {'logits' if last == 'linear' else 'probabilities'}, "
                f"but the loss has from_logits={logits}"
            )
    else:
        logits = last == "linear"
        loss = _inferred_loss(target.kind, binary, logits)
    labels = _labels(loss, binary, target.kind)
    activation: Activation | None = None
    if target.kind == "classification" and logits:
        activation = "sigmoid" if binary else "softmax"
    compiled = output.compiled

    def metrics() -> list[tuple[Any, bool]]:
        given = [(metric, False) for metric in _listed(compiled.metrics)]
        given += [(metric, True) for metric in _listed(compiled.weighted_metrics)]
        if not given and defaults:
            return [(metric, False) for metric in _default_metrics(target.kind, labels, logits)]
        return [(_metric(metric, labels, logits, who), weighted) for metric, weighted in given]

    return Judging(
        loss=loss,
        metrics=metrics,
        labels=labels,
        activation=activation,
        probabilities=target.kind == "classification" and (logits or last != "linear"),
        notes=tuple(notes),
        shape=output.answers.shape[1:],
    )


def larger_is_better(metric: Any) -> bool | None:
    """Whether a metric is better when larger; None if neither Keras nor its name tells."""
    metric = getattr(metric, "metric", metric)  # the name of an output beside it tells nothing
    direction = getattr(metric, "_direction", None)  # what keras_tuner reads too
    if direction is not None:
        return bool(direction == "up")
    return larger_by_name(metric.name)


def _is_binary(output: Output, target: Target) -> bool:
    """Whether each unit answers for itself: the probability of the second of two classes."""
    shape = output.answers.shape[1:]
    return len(target.classes) == 2 and (shape[-1:] == (1,) or (shape == target.shape != ()))


def _check_units(output: Output, target: Target, binary: bool, last: str, who: str) -> None:
    shape, inner = output.answers.shape[1:], target.shape
    if inner and shape == inner and (binary or target.kind == "regression"):
        return
    if shape[:-1] != inner or not shape:
        of = f" for {'x'.join(map(str, inner))} values a row" if inner else " a row"
        wanted = ", ".join(map(str, ("rows", *inner, "units")))
        raise InvalidModel(f"{who}: must answer a vector{of}, shape ({wanted}), got shape {output.answers.shape}.")
    units = shape[-1]
    at = f" at `{output.name}`" if output.name else ""
    ends = f"{who}: the model ends in {units} unit{'s' * (units != 1)}{at}, "
    if target.kind == "regression":
        if units != 1:
            raise InvalidModel(f"{ends}the target is one number: Dense(1).")
    elif binary:
        if last == "softmax":
            raise InvalidModel(f"{ends}and softmax of one unit is always 1: Dense(2, activation='softmax').")
    elif units != len(target.classes):
        n = len(target.classes)
        raise InvalidModel(f"{ends}the target has {n} classes: Dense({n}, activation='softmax').")


def _last_activation(output: Output) -> str:
    """softmax, sigmoid or linear: by the last layer, or by what it answers if it does not say."""
    layer, answers = output.layer, output.answers
    while isinstance(layer, keras.Model) and layer.layers:
        layer = layer.layers[-1]
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    if name in ("softmax", "sigmoid", "linear"):
        return name
    if name in ("hard_sigmoid", "sparsemax"):
        return "sigmoid" if name == "hard_sigmoid" else "softmax"
    if (answers >= 0).all() and (answers <= 1).all():
        sums_to_one = answers.shape[-1] > 1 and np.allclose(answers.sum(axis=-1), 1, atol=1e-3)
        return "softmax" if sums_to_one else "sigmoid"
    return "linear"


def _user_loss(given: Any, binary: bool, who: str) -> tuple[Any, list[str]]:
    """The compiled loss as an instance with the mean over the batch, None if there is none; and what to say of it."""
    if given is None:
        return None, []
    if isinstance(given, str) and given.lower() in ("crossentropy", "ce"):
        return _inferred_loss("classification", binary, logits=False), []
    try:
        found = keras.losses.get(given)
    except ValueError:
        raise InvalidModel(f"{who}: compiled with the loss {given!r}, which Keras does not know.") from None
    if isinstance(found, keras.losses.Loss):
        if found.reduction in _MEANS or not _is_builtin(found):
            return found, []
        note = f"{who}: compiled with a loss that is no mean over the batch ({found.reduction}); the mean is trained on"
        return type(found).from_config({**found.get_config(), "reduction": "sum_over_batch_size"}), [note]
    for candidate in vars(keras.losses).values():
        if _is_loss_class(candidate) and _snake(candidate.__name__) == getattr(found, "__name__", ""):
            return candidate(), []
    return FunctionLoss(found), []


def _is_loss_class(candidate: Any) -> bool:
    """Whether this is a class of loss."""
    return isinstance(candidate, type) and issubclass(candidate, keras.losses.Loss)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class FunctionLoss(keras.losses.Loss):  # type: ignore[misc]
    """A user's function (y, prediction) -> loss a row."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self.function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self.function(y_true, y_pred)


def _is_builtin(loss: Any) -> bool:
    return type(loss).__module__.startswith("keras.")


def _name(loss: Any) -> str:
    return _snake(type(loss).__name__)


def _check_loss(loss: Any, target: Target, binary: bool, who: str) -> None:
    if not _is_builtin(loss):
        return
    name = _name(loss)
    if target.kind == "regression" and any(word in name for word in _FOR_CLASSES):
        raise InvalidModel(
            f"{who}: compiled with {name}, a loss for classes, but the target is a number to predict: "
            'mean_squared_error, or `kind="classification"`.'
        )
    if binary and "categorical" in name:
        raise InvalidModel(f"{who}: compiled with {name}, but the model ends in 1 unit: binary_crossentropy.")


def _inferred_loss(kind: Kind, binary: bool, logits: bool) -> Any:
    if kind == "regression":
        return keras.losses.MeanSquaredError()
    if binary:
        return keras.losses.BinaryCrossentropy(from_logits=logits)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)


def _labels(loss: Any, binary: bool, kind: Kind) -> Labels:
    if kind == "regression" or binary:
        return "column"
    if "sparse" in _name(loss) or not _is_builtin(loss):  # a loss of the user's own gets what model.fit would get
        return "numbers"
    return "one-hot"


def _default_metrics(kind: Kind, labels: Labels, logits: bool) -> list[Any]:
    if kind == "classification":
        return [_accuracy("accuracy", labels, logits)]
    return [keras.metrics.RootMeanSquaredError(name="rmse"), keras.metrics.MeanAbsoluteError(name="mae")]


def _accuracy(name: str, labels: Labels, logits: bool) -> Any:
    if labels == "numbers":
        return keras.metrics.SparseCategoricalAccuracy(name=name)
    if labels == "one-hot":
        return keras.metrics.CategoricalAccuracy(name=name)
    return keras.metrics.BinaryAccuracy(name=name, threshold=0.0 if logits else 0.5)


def _listed(given: Any) -> list[Any]:
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple):
        return [m for item in given for m in _listed(item)]
    return [] if given is None else [given]


def _metric(given: Any, labels: Labels, logits: bool, who: str) -> Any:
    """A fresh instance of a compiled metric, named as `model.fit` names it."""
    if isinstance(given, str) and given.lower() in ("accuracy", "acc"):
        return _accuracy(given, labels, logits)
    try:
        found = keras.metrics.get(given)
    except ValueError:
        raise InvalidModel(f"{who}: compiled with the metric {given!r}, which Keras does not know.") from None
    if type(found) is keras.metrics.MeanMetricWrapper:
        return keras.metrics.MeanMetricWrapper(found._fn, name=found.name, **found._fn_kwargs)
    if isinstance(found, keras.metrics.Metric):
        try:
            fresh = type(found).from_config(found.get_config())
        except Exception as problem:  # a user's class may take other arguments than its configuration tells
            raise InvalidModel(
                f"{who}: the metric `{found.name}` cannot be made afresh ({type(problem).__name__}: {problem}). Give "
                f"{type(found).__name__} a get_config() that holds all its arguments."
            ) from problem
        fresh.name = given if isinstance(given, str) else found.name
        return fresh
    own = getattr(found, "name", None) or getattr(found, "__name__", "metric")
    return keras.metrics.MeanMetricWrapper(found, name=given if isinstance(given, str) else own)
