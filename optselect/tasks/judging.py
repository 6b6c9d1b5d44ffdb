"""How a model is judged: its loss, its metrics, which way each is better, and the labels they compare with."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any, Literal

import keras
import numpy as np

from optselect.errors import InvalidModel
from optselect.tasks.target import Kind

__all__ = ["Judging", "judging", "larger_is_better"]

Labels = Literal["numbers", "one-hot", "column"]
Activation = Literal["softmax", "sigmoid"]

_FOR_CLASSES = ("crossentropy", "hinge")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Judging:
    """What training minimises and what is reported.

    loss: reduction sum_over_batch_size. metrics: gives fresh instances, the headline first. labels: class numbers
    (rows,), one-hot (rows, classes), or a column (rows, 1) of float32. activation: turns the model's outputs into
    probabilities, None if they are, or in regression.
    """

    loss: Any
    metrics: Callable[[], list[Any]]
    labels: Labels
    activation: Activation | None
    notes: tuple[str, ...]

    def encode(self, y: np.ndarray, n_classes: int) -> np.ndarray:
        """The target as the loss takes it."""
        if self.labels == "numbers":
            return y
        if self.labels == "column":
            return y.astype("float32").reshape(-1, 1)
        one_hot: np.ndarray = np.eye(n_classes, dtype="float32")[y]
        return one_hot


def judging(model: Any, outputs: np.ndarray, kind: Kind, n_classes: int, who: str) -> Judging:
    """From compile(), where the user compiled; else from the last layer and the kind of question.

    outputs: what the model answers to a few rows, shape (rows, units). Raises InvalidModel if units or loss
    do not fit the target.
    """
    _check_units(model, outputs, kind, n_classes, who)
    units = outputs.shape[-1]
    last = _last_activation(model, outputs)
    loss = _user_loss(model)
    notes: list[str] = []
    if loss is not None:
        _check_loss(loss, units, kind, n_classes, who)
        logits = bool(loss.get_config().get("from_logits", False)) if _is_builtin(loss) else last == "linear"
        if _is_builtin(loss) and "crossentropy" in _name(loss) and logits != (last == "linear"):
            notes.append(
                f"{who}: the last layer answers {'logits' if last == 'linear' else 'probabilities'}, "
                f"but the loss has from_logits={logits}"
            )
    else:
        logits = last == "linear"
        loss = _inferred_loss(kind, units, logits)
    labels = _labels(loss, units, kind)
    activation: Activation | None = None
    if kind == "classification" and logits:
        activation = "sigmoid" if units == 1 else "softmax"

    def metrics() -> list[Any]:
        return _user_metrics(model, labels, logits) or _default_metrics(kind, labels, logits)

    return Judging(loss=loss, metrics=metrics, labels=labels, activation=activation, notes=tuple(notes))


def larger_is_better(metric: Any) -> bool | None:
    """Whether a metric is better when larger; None if neither Keras nor its name tells."""
    direction = getattr(metric, "_direction", None)  # what keras_tuner reads too
    if direction is not None:
        return bool(direction == "up")
    name = metric.name.lower()
    if any(word in name for word in ("loss", "error", "rmse", "mae", "mse", "mape", "entropy", "diverg", "deviance")):
        return False
    if any(word in name for word in ("acc", "auc", "precision", "recall", "f1", "score", "r2", "iou", "dice", "kappa")):
        return True
    return None


def _check_units(model: Any, outputs: np.ndarray, kind: Kind, n_classes: int, who: str) -> None:
    if outputs.ndim != 2:
        raise InvalidModel(f"{who}: must answer a vector a row, shape (rows, units), got shape {outputs.shape}.")
    units = outputs.shape[1]
    ends = f"{who}: the model ends in {units} unit{'s' * (units != 1)}, "
    if kind == "regression":
        if units != 1:
            raise InvalidModel(f"{ends}the target is one number: Dense(1).")
    elif units == 1 and n_classes == 2:
        if _last_activation(model, outputs) == "softmax":
            raise InvalidModel(f"{ends}and softmax of one unit is always 1: Dense(2, activation='softmax').")
    elif units != n_classes:
        raise InvalidModel(f"{ends}the target has {n_classes} classes: Dense({n_classes}, activation='softmax').")


def _last_activation(model: Any, outputs: np.ndarray) -> str:
    """softmax, sigmoid or linear: by the last layer, or by what it answers if it does not say."""
    layer = model.layers[-1] if model.layers else None
    with contextlib.suppress(AttributeError, ValueError):  # a subclassed model has no graph to ask
        layer = model.output._keras_history.operation
    while isinstance(layer, keras.Model) and layer.layers:
        layer = layer.layers[-1]
    if isinstance(layer, keras.layers.Softmax):
        return "softmax"
    name = getattr(getattr(layer, "activation", None), "__name__", "")
    if name in ("softmax", "sigmoid", "linear"):
        return name
    if name in ("hard_sigmoid", "sparsemax"):
        return "sigmoid" if name == "hard_sigmoid" else "softmax"
    if (outputs >= 0).all() and (outputs <= 1).all():
        sums_to_one = outputs.shape[1] > 1 and np.allclose(outputs.sum(axis=1), 1, atol=1e-3)
        return "softmax" if sums_to_one else "sigmoid"
    return "linear"


def _single(given: Any) -> Any:
    """Keras takes lists and dicts for several outputs; ours have one."""
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple) and len(given) == 1:
        return _single(given[0])
    return given


def _user_loss(model: Any) -> Any:
    """The compiled loss as an instance with the mean over the batch, None if there is none."""
    given = _single(model.loss) if model.compiled else None
    if given is None:
        return None
    found = keras.losses.get(given)
    if isinstance(found, keras.losses.Loss):
        if found.reduction == "sum_over_batch_size" or not _is_builtin(found):
            return found
        return type(found).from_config({**found.get_config(), "reduction": "sum_over_batch_size"})
    for candidate in vars(keras.losses).values():
        if _is_loss_class(candidate) and _snake(candidate.__name__) == found.__name__:
            return candidate()
    return _FunctionLoss(found)


def _is_loss_class(candidate: Any) -> bool:
    """Whether this is a class of loss."""
    return isinstance(candidate, type) and issubclass(candidate, keras.losses.Loss)


def _snake(name: str) -> str:
    return "".join(f"_{c.lower()}" if c.isupper() and i else c.lower() for i, c in enumerate(name))


class _FunctionLoss(keras.losses.Loss):  # type: ignore[misc]
    """A user's function (y, prediction) -> loss a row."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        super().__init__(name=getattr(function, "__name__", "loss"))
        self._function = function

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return self._function(y_true, y_pred)


def _is_builtin(loss: Any) -> bool:
    return type(loss).__module__.startswith("keras.")


def _name(loss: Any) -> str:
    return _snake(type(loss).__name__)


def _check_loss(loss: Any, units: int, kind: Kind, n_classes: int, who: str) -> None:
    if not _is_builtin(loss):
        return
    name = _name(loss)
    if kind == "regression" and any(word in name for word in _FOR_CLASSES):
        raise InvalidModel(
            f"{who}: compiled with {name}, a loss for classes, but the target is a number to predict: "
            "mean_squared_error, or `--kind classification`."
        )
    if kind == "classification" and units == 1 and "categorical" in name:
        raise InvalidModel(f"{who}: compiled with {name}, but the model ends in 1 unit: binary_crossentropy.")


def _inferred_loss(kind: Kind, units: int, logits: bool) -> Any:
    if kind == "regression":
        return keras.losses.MeanSquaredError()
    if units == 1:
        return keras.losses.BinaryCrossentropy(from_logits=logits)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=logits)


def _labels(loss: Any, units: int, kind: Kind) -> Labels:
    if kind == "regression" or units == 1:
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


def _user_metrics(model: Any, labels: Labels, logits: bool) -> list[Any]:
    """Fresh instances of the compiled metrics, named as `model.fit` names them."""
    compiled = model._compile_metrics if model.compiled else None
    given = [*_listed(compiled and compiled._user_metrics), *_listed(compiled and compiled._user_weighted_metrics)]
    return [_metric(metric, labels, logits) for metric in given]


def _listed(given: Any) -> list[Any]:
    if isinstance(given, dict):
        given = list(given.values())
    if isinstance(given, list | tuple):
        return [m for item in given for m in _listed(item)]
    return [] if given is None else [given]


def _metric(given: Any, labels: Labels, logits: bool) -> Any:
    if isinstance(given, str) and given.lower() in ("accuracy", "acc"):
        return _accuracy(given, labels, logits)
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.MeanMetricWrapper) and type(found) is keras.metrics.MeanMetricWrapper:
        return keras.metrics.MeanMetricWrapper(found._fn, name=found.name, **found._fn_kwargs)
    if isinstance(found, keras.metrics.Metric):
        fresh = type(found).from_config(found.get_config())
        fresh.name = given if isinstance(given, str) else found.name
        return fresh
    name = given if isinstance(given, str) else getattr(found, "__name__", "metric")
    return keras.metrics.MeanMetricWrapper(found, name=name)
