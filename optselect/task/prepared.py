"""A task ready to train: prepared arrays, a model builder, a loss and metrics. Lives in a worker process."""

from __future__ import annotations

import contextlib
import json
import weakref
from collections.abc import Iterator, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
from keras import ops

from optselect.data.dataset import Data, bad_rows, non_finite, take_rows
from optselect.data.on_disk import Array, DiskArray
from optselect.data.schema import raw_inputs
from optselect.data.target import Target
from optselect.errors import InvalidData, InvalidModel, InvalidValue, UnknownName
from optselect.model import preparation
from optselect.model.architecture import architecture
from optselect.model.builders import Shape, load_builder, user_function
from optselect.model.composing import Composed, compose
from optselect.model.objective import Objective, larger_by_name
from optselect.model.offered_metrics import OFFERED, offered, unknown_metric
from optselect.model.output_scoring import Judging, larger_is_better
from optselect.model.own_methods import has_call, is_own, names_figures_itself, own_compile, trains_and_tests_itself
from optselect.model.self_judged import SelfJudged, self_judged
from optselect.model.serving import free_name, serve
from optselect.model.signature import signature
from optselect.model.source_code import compile_code
from optselect.model.whole_metrics import CalledMetric, FormulaMetric, JudgedOutput, WholeMetric
from optselect.task import checking
from optselect.task.description import TargetFacts, TaskDescription
from optselect.task.early_stopping import EarlyStopping
from optselect.task.spec import TaskSpec
from optselect.user_code.functions import where_it_failed
from optselect.util.whole_files import draft, write

__all__ = ["Task"]

Arrays = Array | dict[str, Array] | tuple[Array, ...]
"""Features as a model takes them, a tuple where they go by place; the first axis counts rows."""

_PARTS = ("train", "validation", "test")
_SAFE = "All finished trainings are safe in the ledger: mend that and run the same command again."


class Task:
    """A task inside a worker: prepared data and a model that is ready to be built; nothing about how it is optimized.

    Attributes `x_train`, `x_validation`, `x_test`: prepared features, an array, or a dict or tuple of arrays; where the
    data stay on disk each is a `DiskArray` that is prepared as it is read. `y_train`, `y_validation`, `y_test`: int64
    class numbers of shape (rows,), or float32 of shape (rows, 1) or (rows, classes), as the loss takes them; for a
    model with several outputs one such array per output, arranged like the outputs; a regression target is standardized
    for the default model. `w_train`, `w_validation`, `w_test`: weights of the rows in the loss, float32 of shape
    (rows,), or None if all rows count the same; (rows, 1) where an output has the shape (rows, steps, units), as
    `model.fit` requires. Class weights are part of `w_train` only. `architecture`: what the user's model consists of,
    JSON types; None for the default model. `whole_metrics`: the metrics beside those of Keras, over all rows of a part.

    Parameters
    ----------
    spec : TaskSpec
        The task as plain data.
    """

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self._preparation = self._fit_preparation()
        x = {part: self._features(getattr(spec.split, part)) for part in _PARTS}
        self.x_train, self.x_validation, self.x_test = (x[part] for part in _PARTS)
        shape: Shape = _shape(self.x_train)
        self._builder = load_builder(spec.model, shape, {t.name: len(t.classes) or None for t in spec.targets})
        self._who = "default model" if spec.model is None else str(spec.model)
        self._last: Any = None
        model = self.build(spec.seed)
        self._check_precision(model)
        self._adopt_dtypes(model)
        self._refuse_non_finite(model)
        self._judged = self._judge(model)
        self.loss: Any = self._judged.loss
        self._may_report = names_figures_itself(model)  # figures whose names only a training shows
        self.tests_itself = isinstance(self._judged, SelfJudged) or is_own(model, "test_step")
        self.parameters = int(sum(np.prod(w.shape) for w in model.trainable_weights))
        self.architecture = None if spec.model is None else architecture(model)
        self.y_train, self.y_validation, self.y_test = (self._encoded(getattr(spec.split, part)) for part in _PARTS)
        self.w_train, self.w_validation, self.w_test = (
            self.weights(getattr(spec.split, part), training=part == "train") for part in _PARTS
        )
        if isinstance(self._judged, Composed):
            checking.check_judges([self.loss, *self.metrics()], *self._judged_rows(), self._who, self._path)
        self.whole_metrics: tuple[WholeMetric, ...] = (*self._called_metrics(), *self._offered_metrics())
        self.figure(spec.objective)
        self.stopping  # noqa: B018  a name that nothing reports is said now
        for metric in self.epoch_metrics:
            checking.check_whole(metric, self.y_validation, self._judged.answers, self.w_validation, spec.data.name)

    @classmethod
    def from_spec(cls, spec: TaskSpec) -> Task:
        """Prepare the data, build the model once, and check that they fit each other.

        Parameters
        ----------
        spec : TaskSpec
            The task as plain data.

        Returns
        -------
        Task
            The task.

        Raises
        ------
        InvalidModel
            If the model does not fit the data.
        InvalidData
            If the data do not suit the model.
        UnknownName
            If the objective does not exist.
        """
        return cls(spec)

    def build(self, seed: int) -> Any:
        """Build a freshly initialized model.

        Parameters
        ----------
        seed : int
            Random seed of the weights; the same seed gives the same weights.

        Returns
        -------
        keras.Model
            The model, built and perhaps compiled.
        """
        keras.utils.set_random_seed(seed)
        with _policy(self.spec.precision):
            model = self._builder()
        if self._last is not None and self._last() is model:
            raise InvalidModel(f"{self._who}: returned the same model twice; build it inside the function.")
        self._last = weakref.ref(model)
        if self.spec.model is not None:
            checking.check_inputs(model, _shape(self.x_train), self.spec.schema is not None, self._who)
        if not model.built and not has_call(model):
            model.built = True  # its parts are, or it has none and is refused
        elif not model.built:
            self._answer(model, _head(self.x_train, 2))
        return model

    def compile(self, model: Any, optimizer: Any = "sgd") -> None:
        """Compile a model with the loss, its weights and the metrics of the task.

        `fit` and `evaluate` then name and compute the metrics as the task does, and the model can be saved.

        Parameters
        ----------
        model : keras.Model
            A model that `build` made.
        optimizer : str or keras.optimizers.Optimizer, default "sgd"
            The optimizer.
        """
        self._judged.compile(model, optimizer)

    @property
    def who(self) -> str:
        """The model, as messages name it."""
        return self._who

    @property
    def compiled_with_loss(self) -> bool:
        """Whether the user compiled the model with a loss; otherwise it was chosen by the kind of target."""
        if isinstance(self._judged, SelfJudged):
            return self._judged.compiled.loss is not None
        return any(output.compiled.loss is not None for output in self._judged.outputs)

    @cached_property
    def metric_names(self) -> list[str]:
        """The names of the metrics, the headline first."""
        return [metric.name for metric in self.metrics()]

    def keep_metrics(self, names: Sequence[str]) -> None:
        """Continue with the metrics that a model reports by itself: not all that it is compiled with, or others.

        Parameters
        ----------
        names : sequence of str
            Names of the metrics.
        """
        self.metric_names, self._may_report = list(names), False

    @property
    def epoch_metrics(self) -> tuple[WholeMetric, ...]:
        """Those of `whole_metrics` that every epoch asks for: what the study improves, reports or stops at."""
        monitor = self.spec.stopping.monitor if self.spec.stopping else ""
        asked = {self.objective.metric, self.headline.metric, monitor.removeprefix("val_")}
        return tuple(metric for metric in self.whole_metrics if metric.name in asked)

    @property
    def objective(self) -> Objective:
        """What the study improves. Raises UnknownName where the model does not report it."""
        return self.figure(self.spec.objective)

    @property
    def headline(self) -> Objective:
        """The metric to report first: what the study improves; where that is the loss of one output its first metric.

        The loss where nobody knows which way a metric of the user's own is better.
        """
        improved = self.objective
        if improved.metric != "loss":
            return Objective(improved.metric, maximize=improved.maximize)
        first = self.metric_names[0] if len(self._judged.judged) == 1 and self.metric_names else "loss"
        try:
            return self.figure(first if self._metric(first) is not None else "loss")
        except InvalidValue:
            return Objective("loss")

    def metrics(self) -> list[Any]:
        """Make fresh metrics that take what the loss takes.

        Returns
        -------
        list of keras.metrics.Metric
            The metrics; only those that `compile()` got as `weighted_metrics` use sample weights.
        """
        return self._judged.metrics()

    def ready_metrics(self) -> list[Any]:
        """Make fresh metrics with their variables, which some metrics of Keras make only at their first update.

        Returns
        -------
        list of keras.metrics.Metric
            The metrics.
        """
        found = self.metrics()
        for metric in found:
            checking.make_ready(metric, *self._judged_rows())
        return found

    def _judged_rows(self) -> tuple[Any, Any, Any]:
        """Targets, answers and weights of a few training rows; no weights where all rows count alike."""
        y, weights = (None if part is None else _head(part, 8) for part in (self.y_train, self.w_train))
        return y, self._judged.answers, weights

    @property
    def scales(self) -> dict[str, float]:
        """Factors that turn metrics of a standardised target into units of the target."""
        moments = {o.name: self.moments[t.name] for _, o, t, _ in self._judged.judged if t.name in self.moments}
        return {f"{o}_{name}" if o else name: sd for o, (_, sd) in moments.items() for name in ("rmse", "mae")}

    def figure(self, text: str) -> Objective:
        """One of the metrics of the task, with its direction.

        Parameters
        ----------
        text : str
            Its name, such as "val_accuracy", "accuracy" or "loss". A metric whose direction is not known needs
            "max:NAME" or "min:NAME".

        Returns
        -------
        Objective
            The metric and whether a larger value is better.

        Raises
        ------
        UnknownName
            If there is no such metric.
        InvalidValue
            If its direction is not known.
        """
        metric = text.rpartition(":")[2].removeprefix("val_")
        whole = {found.name: found.maximize for found in self.whole_metrics}
        if metric != "loss" and metric not in (*self.metric_names, *whole):
            if self._may_report:
                return Objective.parse(text, lambda name: bool(self._larger_is_better(name)))
            known = [f"val_{n}" for n in ("loss", *self.metric_names, *whole)]
            raise UnknownName(unknown_metric(text, known, self.spec.kind, self._why_not(metric)))
        return Objective.parse(text, self._larger_is_better)

    def _larger_is_better(self, name: str) -> bool | None:
        """Whether a metric is better when larger; None where nobody knows."""
        whole = {found.name: found.maximize for found in self.whole_metrics}
        if name in whole:
            return whole[name]
        metric = self._metric(name)
        return larger_by_name(name) if metric is None else larger_is_better(metric)

    def _metric(self, name: str) -> Any:
        """A fresh metric of that name; None where a model reports the figure by itself."""
        return next((metric for metric in self.metrics() if metric.name == name), None)

    @property
    def stopping(self) -> EarlyStopping | None:
        """When a training stops, with a mode that is known and in the units in which the model is trained.

        Raises UnknownName where nothing reports the monitored figure, InvalidValue where its direction is not known.
        """
        asked = self.spec.stopping
        if asked is None:
            return None
        metrics = ("loss", *self.metric_names, *(metric.name for metric in self.whole_metrics))
        known = ["loss", *(f"val_{name}" for name in metrics), *([asked.monitor] if self._may_report else [])]
        return asked.resolved(known, self._larger_is_better, self.scales)

    def full_model(self, body: Any) -> Any:
        """Join the preparation of the data and a trained model.

        Parameters
        ----------
        body : keras.Model
            A model that `build` made.

        Returns
        -------
        keras.Model
            A model from raw inputs, as `raw_inputs` returns them, to class probabilities or numbers in units of the
            target, in a dict by target if there are several. It shares the weights of `body`, and its file can be
            loaded without optselect unless `body` has classes of the user's own.
        """
        if isinstance(self._judged, SelfJudged):
            return self._around(body)
        answers = [(t.name, i, self._after(t, j)) for i, _, t, j in self._judged.judged]
        plain = len(self._judged.outputs) == 1 and not keras.tree.is_nested(self._judged.answers)
        if plain and self._preparation is None and answers[0][2] is None:
            return body
        return serve(body, answers, prepared=self.x_train, preparation=self._preparation, schema=self.spec.schema)

    def _around(self, body: Any) -> Any:
        """A body that judges itself, its outputs as they are, with the preparation in front of it if there is one."""
        if self._preparation is None:
            return body
        outputs = len(keras.tree.flatten(self._judged.answers))
        answers = [(f"output_{place + 1}", place, None) for place in range(outputs)]
        return serve(body, answers, prepared=self.x_train, preparation=self._preparation, schema=self.spec.schema)

    def save(self, body: Any, path: Path) -> None:
        """Write the model that `full_model` makes and, beside it, `signature.json` with its inputs and outputs.

        Parameters
        ----------
        body : keras.Model
            A trained model.
        path : Path
            The .keras file.
        """
        model = self.full_model(body)
        with draft(path, safe=_SAFE) as aside:
            model.save(aside)
        write(path.with_name("signature.json"), json.dumps(signature(model)), safe=_SAFE)

    def raw_inputs(self, features: Any) -> Any:
        """Convert features to what `full_model` takes.

        Parameters
        ----------
        features : DataFrame or Data or ndarray or dict
            Features as they were read.

        Returns
        -------
        ndarray or dict or tuple of ndarray
            One array per column of a table; arrays as they are.
        """
        x = features.x if isinstance(features, Data) else features
        if self.spec.schema is None:
            return tuple(x.values()) if isinstance(x, dict) and "x" in self.spec.data.by_place else x
        frame = x if isinstance(x, pd.DataFrame) else pd.DataFrame(x)  # type: ignore[arg-type]
        return raw_inputs(frame, self.spec.schema)

    def describe(self) -> TaskDescription:
        """Describe what is known of the task without a training.

        Returns
        -------
        TaskDescription
            Facts for people and for the record.
        """
        parts, spec = self.spec.split, self.spec
        return TaskDescription(
            data=spec.data.name,
            target=spec.data.target,
            kind=spec.kind,
            rows=spec.data.rows,
            train_rows=len(parts.train),
            validation_rows=len(parts.validation),
            test_rows=len(parts.test),
            classes=_labels(spec.classes),
            targets=tuple(TargetFacts(name=t.name, kind=t.kind, classes=_labels(t.classes)) for t in spec.targets),
            features=tuple(_shapes(spec.data.x)),
            prepared_features=tuple(_shapes(self.x_train)),
            model=self._who,
            parameters=self.parameters,
            loss=self.loss.name,
            metrics=(*self.metric_names, *(metric.name for metric in self.epoch_metrics)),
            asked=spec.objective,
            objective=self.objective,
            headline=self.headline,
            compile_code=compile_code(self._judged),
            callbacks=spec.callbacks.name if spec.callbacks else None,
            optimizers=self._judged.held if isinstance(self._judged, SelfJudged) and self._judged.held else None,
            weighted=self.w_train is not None,
            precision=spec.precision,
            notes=(*spec.describe(), *(note for _, _, _, j in self._judged.judged for note in j.notes)),
            parts=spec.parts,
            partition=spec.partition.describe() if spec.parts else None,
            covers=spec.covers,
            architecture=self.architecture,
        )

    # Metrics of all rows

    def _judged_outputs(self) -> list[JudgedOutput]:
        return [
            JudgedOutput(place=i, name=o.name, target=t, judging=j, moments=self.moments.get(t.name, (0.0, 1.0)))
            for i, o, t, j in self._judged.judged
        ]

    def _offered_metrics(self) -> list[FormulaMetric]:
        """Those that suit the outputs and have a name that no other metric has."""
        own = self.spec.metric.name if self.spec.metric else ""
        found = [
            FormulaMetric(offered=one, output=output)
            for output in self._judged_outputs()
            for one in offered(output.target.kind)
            if not _unsuited(one.name, output)
        ]
        return [metric for metric in found if metric.name not in (own, *self.metric_names)]

    def _called_metrics(self) -> list[CalledMetric]:
        """The user's function, if that is the objective."""
        own = self.spec.metric
        if own is None:
            return []
        if own.name in ("loss", *self.metric_names):
            raise InvalidValue(
                f"Task: the model reports a metric `{own.name}` already: give the function another name."
            )
        function, path = user_function(own.function)
        outputs = self._judged_outputs()
        if not outputs:
            raise InvalidModel(
                f"{self._who}: judges itself, and has no outputs that the function `{own.name}` could compare with a "
                "target: return the figure from its test_step."
            )
        return [CalledMetric(function, name=own.name, maximize=own.maximize, outputs=outputs, path=path)]

    def _why_not(self, metric: str) -> str:
        """Why the task does not offer a metric that others have; "" if it is none of those."""
        for output in self._judged_outputs():
            name = metric.removeprefix(f"{output.name}_") if output.name else metric
            if any(one.name == name and one.kind == output.target.kind for one in OFFERED):
                return _unsuited(name, output)
        return ""

    # Preparation

    def _fit_preparation(self) -> Any:
        """What turns raw inputs into features; None where the user's own model takes arrays as they are."""
        spec = self.spec
        training = take_rows(spec.data.x, spec.split.train)
        name = free_name("preparation", spec.schema)
        if spec.schema is not None:
            return preparation.table_preparation(self.raw_inputs(training), spec.schema, name)
        if spec.model is None and isinstance(training, Array):
            return preparation.array_preparation(training, name)
        return None

    def _features(self, rows: np.ndarray) -> Arrays:
        raw = self.raw_inputs(take_rows(self.spec.data.x, rows))
        if isinstance(raw, DiskArray) and self._preparation is not None:
            return raw.prepared(partial(preparation.transform, self._preparation))
        if self._preparation is not None:
            return preparation.transform(self._preparation, raw)
        if isinstance(raw, dict):
            return {name: _single_precision(part) for name, part in raw.items()}
        return tuple(map(_single_precision, raw)) if isinstance(raw, tuple) else _single_precision(raw)

    # Targets

    @cached_property
    def moments(self) -> dict[str, tuple[float, float]]:
        """Mean and standard deviation in the training part of the targets that are standardised, by name."""
        if self.spec.model is not None:
            return {}
        numbers = {t.name: t.values[self.spec.split.train] for t in self.spec.targets if t.kind == "regression"}
        wide = {name: values.astype("float64") for name, values in numbers.items()}
        return {name: (float(values.mean()), float(values.std()) or 1.0) for name, values in wide.items()}

    def _encoded(self, rows: np.ndarray) -> Any:
        values = {}
        for target in self.spec.targets:
            values[target.name] = target.values[rows]
            if target.name in self.moments:
                mean, deviation = self.moments[target.name]
                scores = (target.values[rows].astype("float64") - mean) / deviation
                values[target.name] = scores.astype("float32")
        return self._judged.encode(values)

    def rows(self, rows: np.ndarray) -> tuple[Any, ...]:
        """Prepare any rows of the data, as the training rows are.

        Parameters
        ----------
        rows : ndarray
            Row numbers.

        Returns
        -------
        tuple
            Features, targets and, if rows have weights, weights without those of classes.
        """
        x, y, w = self._features(rows), self._encoded(rows), self.weights(rows, training=False)
        return (x, y) if w is None else (x, y, w)

    def weights(self, rows: np.ndarray, *, training: bool) -> Any:
        """Weights of rows in the loss.

        Parameters
        ----------
        rows : ndarray
            Row numbers.
        training : bool
            Whether the weights of classes count.

        Returns
        -------
        ndarray or None
            Float32, shape (rows,), arranged like the outputs; None if all rows count the same.
        """
        spec = self.spec
        classes = spec.class_weight if training else None
        if spec.sample_weight is None and classes is None:
            return None
        weights = np.ones(len(rows), "float32") if spec.sample_weight is None else spec.sample_weight[rows]
        if classes is not None:
            weights = weights * np.asarray(classes, "float32")[spec.y[rows]]
        return self._judged.weights(weights)

    def _after(self, target: Target, judging: Judging) -> Any:
        """The layer from an output to what people read; None if it is that already."""
        if target.name in self.moments:
            mean, deviation = self.moments[target.name]
            return keras.layers.Rescaling(deviation, offset=mean, dtype="float32")
        if judging.activation is not None:
            return keras.layers.Activation(judging.activation, dtype="float32")
        return None

    # The model

    def _refuse_non_finite(self, model: Any) -> None:
        """Raise InvalidData if features are NaN or infinite and the model makes something not finite of them."""
        if self.spec.schema is None and self._preparation is not None:
            return  # standardised: the mean took their place
        for x in (self.x_train, self.x_validation, self.x_test):
            rows = np.flatnonzero(bad_rows(_by_name(x)))[:8]
            some = keras.tree.map_structure(lambda array, rows=rows: array[rows], x)
            answers = self._answer(model, some) if len(rows) else []
            if not all(np.isfinite(part).all() for part in keras.tree.flatten(answers)):
                where = "; ".join(non_finite(self.spec.data.x) or non_finite(_by_name(x)))
                raise InvalidData(
                    f"{self.spec.data.name}: NaN or infinite: {where}. {self._who} makes NaN of them: remove these "
                    "rows, fill the values in, or let the model do it."
                )

    def _check_precision(self, model: Any) -> None:
        """Raise InvalidModel if layers that say themselves what they compute in leave nothing of what was asked."""
        asked = self.spec.precision
        if asked is None:
            return
        wanted = keras.dtype_policies.get(asked).compute_dtype
        found = {layer.compute_dtype for layer in model._flatten_layers() if layer._trainable_variables}
        if wanted not in found:
            raise InvalidModel(
                f"{self._who}: `precision` is {asked}, but its layers say themselves that they compute in "
                f"{', '.join(sorted(found))}: drop `precision`, or build them without a `dtype`."
            )

    def _judge(self, model: Any) -> Composed | SelfJudged:
        own, targetless = trains_and_tests_itself(model), self.spec.data.targetless
        if targetless and not own:
            raise InvalidModel(
                f"{self._who}: the data have no target, without which only a model with its own train_step and "
                "test_step can be trained. Else give (x, y), for an autoencoder (x, x)."
            )
        if own and not has_call(model) and model.trainable_variables and self._preparation is None:
            return self_judged(model, None, self._who, targetless=targetless)
        answers = self._answer(model, _head(self.x_train, 8))
        if own_compile(model) or targetless:
            return self_judged(model, answers, self._who, targetless=targetless)
        try:
            return compose(model, answers, self.spec.targets, self._who, by_place="y" in self.spec.data.by_place)
        except InvalidModel:
            if not own:
                raise
        return self_judged(model, answers, self._who)  # its outputs are nothing that a target is compared with

    def _adopt_dtypes(self, model: Any) -> None:
        """Give each input the type it declares, as `model.fit` would at every step."""
        tensors = checking.input_tensors(model)
        dtypes = {tensor.name: tensor.dtype for tensor in tensors}
        for part in ("x_train", "x_validation", "x_test"):
            x = getattr(self, part)
            if isinstance(x, dict):
                x = {name: v.astype(dtypes.get(name, v.dtype), copy=False) for name, v in x.items()}
            elif isinstance(x, tuple):
                x = tuple(v.astype(t.dtype, copy=False) for v, t in zip(x, tensors, strict=True)) if tensors else x
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
        return keras.tree.map_structure(_as_numpy, answer)

    @property
    def _path(self) -> Any:
        return getattr(self.spec.model, "path", self._who)


@contextlib.contextmanager
def _policy(precision: str | None) -> Iterator[None]:
    """Layers built here compute in that precision, unless they say otherwise."""
    if precision is None:
        yield
        return
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(precision)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _unsuited(name: str, output: JudgedOutput) -> str:
    """Why an offered metric cannot be computed of an output; "" if it can."""
    if output.target.shape:
        return f"`{output.target.name}` has several values in a row"
    ranks = name == "auc" and len(output.target.classes) == 2
    if output.target.kind == "classification" and not (output.judging.probabilities or ranks):
        return "the outputs are no probabilities of classes; end the model in softmax or sigmoid"
    return ""


def _as_numpy(answer: Any) -> np.ndarray:
    """What NumPy can compare: half precisions as float32."""
    half = keras.backend.standardize_dtype(answer.dtype) in ("bfloat16", "float16")
    found: np.ndarray = ops.convert_to_numpy(ops.cast(answer, "float32") if half else answer)
    return found


def _by_name(x: Arrays) -> Any:
    return {f"x[{i}]": part for i, part in enumerate(x)} if isinstance(x, tuple) else x


def _shape(x: Arrays) -> Shape:
    if isinstance(x, tuple):
        return [part.shape[1:] for part in x]
    return {name: part.shape[1:] for name, part in x.items()} if isinstance(x, dict) else x.shape[1:]


def _shapes(x: Any) -> list[tuple[int, ...]]:
    parts = x.values() if isinstance(x, dict) else x if isinstance(x, tuple) else [x]
    return [part.shape[1:] for part in parts]


def _head(arrays: Any, rows: int) -> Any:
    return keras.tree.map_structure(lambda array: array[:rows], arrays)


def _single_precision(x: Array) -> Array:
    return x.astype("float32") if x.dtype in ("float64", "float16") else x


def _labels(classes: Sequence[Any]) -> tuple[str, ...]:
    """Labels as text."""
    return tuple(str(c) for c in classes)
