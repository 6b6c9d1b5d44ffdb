"""A task ready to train: prepared arrays, a model builder, a loss and metrics. Lives in a worker process."""

from __future__ import annotations

import weakref
from functools import cached_property
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from optselect.errors import InvalidModel, InvalidValue, UnknownName, suggestion
from optselect.tasks import preparation
from optselect.tasks.data import Data, take_rows
from optselect.tasks.judging import Judging, judging, larger_is_better
from optselect.tasks.models import Shape, load_builder
from optselect.tasks.schema import raw_inputs
from optselect.tasks.spec import TaskSpec
from optselect.tasks.user_code import where_it_failed

__all__ = ["Task"]

Arrays = np.ndarray | dict[str, np.ndarray]
"""Features as `model.fit` takes them; the first axis counts rows."""


class Task:
    """What is trained and how it is judged, with nothing about how it is optimised.

    x_train, x_validation, x_test: prepared features, an array or a dict of arrays. y_train, y_validation,
    y_test: int64 class numbers (rows,), or float32 (rows, 1) or (rows, classes), as the loss takes them; a
    regression target is standardised for the default model. loss: a keras.losses.Loss, the mean over a batch.
    scales: factors from a metric's value to units of the target, by name, 1.0 if absent. parameters: trainable
    weights of the body.
    """

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self._preparation = self._fit_preparation()
        x = {part: self._features(getattr(spec.split, part)) for part in ("train", "validation", "test")}
        self.x_train, self.x_validation, self.x_test = x["train"], x["validation"], x["test"]
        shape: Shape = _shape(self.x_train)
        self._builder = load_builder(spec.model, shape, len(spec.classes) or None)
        self._who = "default model" if spec.model is None else str(spec.model)
        self._last: Any = None
        model = self.build(spec.seed)
        self._adopt_dtypes(model)
        self._judging = self._judge(model)
        self.loss = self._judging.loss
        self.w_train: np.ndarray | None = None
        self.w_validation: np.ndarray | None = None
        self.w_test: np.ndarray | None = None
        self.parameters = int(sum(np.prod(w.shape) for w in model.trainable_weights))
        self.y_train, self.y_validation, self.y_test = self._targets()
        self._preflight(model)

    @classmethod
    def from_spec(cls, spec: TaskSpec) -> Task:
        """Prepare the data, build the model once, and check that the two fit.

        Raises InvalidModel or UnknownName if they, or the objective, do not.
        """
        return cls(spec)

    def build(self, seed: int) -> Any:
        """A freshly initialised keras.Model, built; it may be compiled. The same seed gives the same weights."""
        keras.utils.set_random_seed(seed)
        model = self._builder()
        if self._last is not None and self._last() is model:
            raise InvalidModel(f"{self._who}: returned the same model twice; build it inside the function.")
        self._last = weakref.ref(model)
        if self.spec.model is not None:
            self._check_inputs(model)
        if not model.built:
            self._answer(model, _head(self.x_train, 2))
        return model

    @cached_property
    def metric_names(self) -> list[str]:
        """The names of the metrics, the headline first."""
        return [metric.name for metric in self.metrics()]

    @property
    def headline(self) -> str:
        """The metric to show first."""
        return self.metric_names[0]

    def metrics(self) -> list[Any]:
        """Fresh keras.metrics.Metric instances."""
        return self._judging.metrics()

    @property
    def scales(self) -> dict[str, float]:
        """Factors that turn metrics of a standardised target into units of the target."""
        return {"rmse": self._deviation, "mae": self._deviation} if self._standardised else {}

    def maximize(self, name: str) -> bool:
        """Whether a figure ("val_accuracy", "accuracy", "loss") is better when larger.

        A metric whose name does not tell needs "max:NAME" or "min:NAME". Raises UnknownName, InvalidValue.
        """
        way, _, plain = name.rpartition(":")
        plain = plain.removeprefix("val_")
        if plain != "loss" and plain not in self.metric_names:
            known = [f"val_{n}" for n in ("loss", *self.metric_names)]
            raise UnknownName(f"Task: no figure `{name}`. {suggestion(name, known)}")
        if way in ("max", "min"):
            return way == "max"
        if plain == "loss":
            return False
        larger = larger_is_better(next(m for m in self.metrics() if m.name == plain))
        if larger is None:
            raise InvalidValue(f"Task: is a larger `{plain}` better? Say `max:val_{plain}` or `min:val_{plain}`.")
        return larger

    def full_model(self, body: Any) -> Any:
        """A keras.Model from raw inputs to class probabilities or to units of the target, sharing the body's weights.

        It takes what `raw_inputs` gives; its file loads without optselect unless the body is of the user's own classes.
        """
        steps = [self._preparation] if self._preparation is not None else []
        after = self._after()
        if not steps and after is None:
            return body
        x = inputs = self._prepared_inputs(body)
        x = body(x)
        tail = keras.Model(inputs, after(x) if after is not None else x, name=self._free_name("model"))
        if self.spec.schema is None:
            if not steps:
                return tail
            raw = keras.Input(_shape(self.x_train), dtype="float32")
            return keras.Model(raw, tail(self._preparation(raw)))
        return preparation.connect(self.spec.schema, [self._preparation, tail])

    def raw_inputs(self, features: Any) -> Any:
        """What `full_model` takes: for a table, a frame or Data turned into columns; arrays as they are."""
        x = features.x if isinstance(features, Data) else features
        if self.spec.schema is None:
            return x
        return raw_inputs(pd.DataFrame(x), self.spec.schema)

    @property
    def example_rows(self) -> Any:
        """Raw inputs of up to five training rows."""
        return self.raw_inputs(take_rows(self.spec.data.x, self.spec.split.train[:5]))

    def describe(self) -> dict[str, Any]:
        """Facts for people and for the record, JSON types only."""
        parts = self.spec.split
        return {
            "data": self.spec.data.name,
            "target": self.spec.data.target,
            "kind": self.spec.kind,
            "rows": self.spec.data.rows,
            "train_rows": len(parts.train),
            "validation_rows": len(parts.validation),
            "test_rows": len(parts.test),
            "classes": [str(c) for c in self.spec.classes],
            "features": [list(s) for s in _shapes(self.spec.data.x)],
            "prepared_features": [list(s) for s in _shapes(self.x_train)],
            "model": self._who,
            "parameters": self.parameters,
            "loss": self.loss.name,
            "metrics": self.metric_names,
            "objective": self.spec.objective,
            "notes": [*self.spec.describe(), *self._judging.notes],
        }

    # Preparation

    def _fit_preparation(self) -> Any:
        """What turns raw inputs into features; None where the user's own model takes arrays as they are."""
        spec = self.spec
        training = take_rows(spec.data.x, spec.split.train)
        name = self._free_name("preparation")
        if spec.schema is not None:
            return preparation.table_preparation(self.raw_inputs(training), spec.schema, name)
        if spec.model is None and isinstance(training, np.ndarray):
            return preparation.array_preparation(training, name)
        return None

    def _free_name(self, name: str) -> str:
        """A layer's name that is no column's: Keras wants all names in a graph to differ."""
        columns = {c.name for c in self.spec.schema.columns} if self.spec.schema is not None else set()
        while name in columns:
            name += "_"
        return name

    def _features(self, rows: np.ndarray) -> Arrays:
        raw = self.raw_inputs(take_rows(self.spec.data.x, rows))
        if self._preparation is not None:
            return preparation.transform(self._preparation, raw)
        if isinstance(raw, dict):
            return {name: _single_precision(part) for name, part in raw.items()}
        return _single_precision(raw)

    # Targets

    @property
    def _standardised(self) -> bool:
        return self.spec.kind == "regression" and self.spec.model is None

    @cached_property
    def _mean(self) -> float:
        return float(self.spec.y[self.spec.split.train].astype("float64").mean())

    @cached_property
    def _deviation(self) -> float:
        return float(self.spec.y[self.spec.split.train].astype("float64").std()) or 1.0

    def _targets(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        y = self.spec.y
        if self._standardised:
            y = ((y.astype("float64") - self._mean) / self._deviation).astype("float32")
        encoded = self._judging.encode(y, len(self.spec.classes))
        parts = self.spec.split
        return encoded[parts.train], encoded[parts.validation], encoded[parts.test]

    def _after(self) -> Any:
        """The layer from the body's outputs to what people read; None if they are that already."""
        if self._standardised:
            return keras.layers.Rescaling(self._deviation, offset=self._mean, dtype="float32")
        if self._judging.activation is not None:
            return keras.layers.Activation(self._judging.activation, dtype="float32")
        return None

    # Checks

    def _judge(self, model: Any) -> Judging:
        outputs = self._answer(model, _head(self.x_train, 8))
        if not isinstance(outputs, np.ndarray):
            raise InvalidModel(f"{self._who}: has several outputs; a model with one output can be tuned.")
        return judging(model, outputs, self.spec.kind, len(self.spec.classes), self._who)

    def _check_inputs(self, model: Any) -> None:
        expected = {tensor.name: tensor for tensor in _inputs(model)}
        given = _shape(self.x_train)
        if not expected:
            return
        if isinstance(given, tuple):
            if len(expected) != 1:
                raise InvalidModel(f"{self._who}: has inputs {', '.join(expected)}, the data has one array.")
            given = {next(iter(expected)): given}
        elif set(expected) != set(given):
            raise InvalidModel(f"{self._who}: has inputs {', '.join(expected)}, the data has {', '.join(given)}.")
        for name, tensor in expected.items():
            wanted = tuple(tensor.shape[1:])
            if not _fits(wanted, given[name]):
                prepared = " after preparation" if self.spec.schema is not None else ""
                raise InvalidModel(
                    f"{self._who}: takes rows of shape {wanted}, the data has rows of shape {given[name]}{prepared}. "
                    "Take `input_shape` as an argument of the function that builds the model."
                )

    def _adopt_dtypes(self, model: Any) -> None:
        """Give each input the type it declares, as `model.fit` would at every step."""
        dtypes = {tensor.name: tensor.dtype for tensor in _inputs(model)}
        for part in ("x_train", "x_validation", "x_test"):
            x = getattr(self, part)
            if isinstance(x, dict):
                x = {name: v.astype(dtypes.get(name, v.dtype), copy=False) for name, v in x.items()}
            elif len(dtypes) == 1:
                x = x.astype(next(iter(dtypes.values())), copy=False)
            setattr(self, part, x)

    def _answer(self, model: Any, x: Arrays) -> Any:
        try:
            answer = model(x, training=False)
        except Exception as problem:  # the user's layers may raise anything
            raise InvalidModel(
                f"{self._who}: does not take rows of shape {_shape(x)}: {where_it_failed(self._path, problem)}"
            ) from problem
        return keras.tree.map_structure(ops.convert_to_numpy, answer)

    @property
    def _path(self) -> Any:
        return getattr(self.spec.model, "path", self._who)

    def _preflight(self, model: Any) -> None:
        """One evaluation of loss and metrics, so that a mismatch is said now and not in every trial."""
        outputs = ops.convert_to_tensor(self._answer(model, _head(self.x_train, 8)))
        y = ops.convert_to_tensor(self.y_train[:8])
        names = self.metric_names
        if len(set(names)) < len(names):
            raise InvalidModel(f"{self._who}: metrics must have different names, got {', '.join(names)}.")
        for judge in (self.loss, *self.metrics()):
            try:
                judge(y, outputs)
            except Exception as problem:  # the user's functions may raise anything
                raise InvalidModel(
                    f"{self._who}: `{judge.name}` cannot compare targets of shape {tuple(y.shape)} with outputs of "
                    f"shape {tuple(outputs.shape)}: {where_it_failed(self._path, problem)}"
                ) from problem
        self.maximize(self.spec.objective)

    def _prepared_inputs(self, body: Any) -> Any:
        if isinstance(self.x_train, dict):
            return {n: keras.Input(v.shape[1:], dtype=str(v.dtype), name=n) for n, v in self.x_train.items()}
        return keras.Input(self.x_train.shape[1:], dtype=str(self.x_train.dtype))


def _inputs(model: Any) -> list[Any]:
    """The symbolic inputs of a model; none where it is not built yet or has no graph."""
    try:
        return list(model.inputs or [])
    except (AttributeError, ValueError):
        return []


def _fits(wanted: tuple[int | None, ...], given: tuple[int, ...]) -> bool:
    return len(wanted) == len(given) and all(w is None or w == g for w, g in zip(wanted, given, strict=True))


def _shape(x: Arrays) -> Shape:
    return {name: part.shape[1:] for name, part in x.items()} if isinstance(x, dict) else x.shape[1:]


def _shapes(x: Any) -> list[tuple[int, ...]]:
    return [part.shape[1:] for part in (x.values() if isinstance(x, dict) else [x])]


def _head(x: Arrays, rows: int) -> Arrays:
    return {name: part[:rows] for name, part in x.items()} if isinstance(x, dict) else x[:rows]


def _single_precision(x: np.ndarray) -> np.ndarray:
    return x.astype("float32") if x.dtype in ("float64", "float16") else x
