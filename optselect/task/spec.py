"""A task as plain data: everything a worker needs to build it, checked as far as that goes without TensorFlow."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal, cast, get_args

import numpy as np
import pandas as pd

from optselect.data.dataset import Data, non_finite, take_rows
from optselect.data.parting import moment, part_rows, partition
from optselect.data.partition import Partition
from optselect.data.schema import Schema, infer_schema
from optselect.data.split_doubts import split_doubts
from optselect.data.split_options import SplitOptions
from optselect.data.splitting import Split, repeated_rows
from optselect.data.target import FEWEST_ROWS_A_CLASS, Kind, Target, encode_target
from optselect.data.weights import ClassWeight, class_weights, sample_weights
from optselect.errors import InvalidData, InvalidValue, UnknownName
from optselect.model.offered_metrics import offered, unknown_metric
from optselect.model.own_metric import OwnMetric, own_metric
from optselect.model.reference import ModelReference, model_reference
from optselect.task.description import PartFacts
from optselect.task.early_stopping import EarlyStopping
from optselect.task.own_callbacks import OwnCallbacks, own_callbacks
from optselect.util.suggestion import suggestion

__all__ = ["DEFAULT_METRICS", "Precision", "TaskSpec", "make_spec"]

Precision = Literal["float32", "mixed_bfloat16", "mixed_float16"]
"""What layers compute in, as Keras's dtype policies have it; weights are float32 in all of them."""

DEFAULT_METRICS: dict[str, tuple[str, ...]] = {"classification": ("accuracy",), "regression": ("rmse", "mae")}
"""The metrics of a model that brings none, the headline first."""

_MOST_SHOWN = 10  # classes
_UNEVEN = 0.8  # share of the rows in one class from which on accuracy says little


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TaskSpec:
    """A task as plain data: what is trained, on which rows, and how it is judged.

    It can be pickled, and loads no TensorFlow.

    Parameters
    ----------
    data : Data
        The data set.
    targets : tuple of Target
        Encoded targets, in the order of the data.
    partition : Partition
        Rows of the training, validation and test set, and how fresh seeds draw them anew.
    schema : Schema or None
        Columns of a table; None for arrays.
    model : ModelReference or None
        The user's model; None for the default model.
    epochs : int
        Epochs of the longest training.
    objective : str
        Name of the metric to optimize, such as `val_loss`.
    seed : int
        Random seed of the split and of the initial weights.
    notes : tuple of str
        What was inferred.
    sample_weight : ndarray, optional
        Weight of each row, float32, shape (rows,). None: all rows count the same.
    class_weight : tuple of float, optional
        Weight of the training rows of each class. None: all classes count the same.
    precision : Precision, optional
        Dtype policy of the layers. None: the model's own.
    stopping : EarlyStopping, optional
        When a training stops before its last epoch. None: it does not.
    metric : OwnMetric, optional
        The user's function that `objective` names. None: a metric.
    callbacks : OwnCallbacks, optional
        The user's own callbacks, with which every training uses `model.fit`. None: there are none.
    """

    data: Data
    targets: tuple[Target, ...]
    partition: Partition
    schema: Schema | None
    model: ModelReference | None
    epochs: int
    objective: str
    seed: int
    notes: tuple[str, ...]
    sample_weight: np.ndarray | None = None
    class_weight: tuple[float, ...] | None = None
    precision: Precision | None = None
    stopping: EarlyStopping | None = None
    metric: OwnMetric | None = None
    callbacks: OwnCallbacks | None = None

    @property
    def split(self) -> Split:
        """Rows of the training, validation and test set."""
        return self.partition.parts

    @property
    def target(self) -> Target:
        """The target that the rows are split by: the first with classes, else the first."""
        return _leading(self.targets)

    @property
    def y(self) -> np.ndarray:
        """Values of `target`: int64 class numbers or float32, shape (rows,) or (rows, ...)."""
        return self.target.values

    @property
    def kind(self) -> Kind:
        """Kind of `target`."""
        return self.target.kind

    @property
    def classes(self) -> tuple[Any, ...]:
        """Sorted labels of `target`, empty in regression."""
        return self.target.classes

    def fingerprint(self) -> dict[str, str]:
        """What must not change between two runs of one study.

        Returns
        -------
        dict of str to str
            Values by name.
        """
        sizes = f"{len(self.split.train)}/{len(self.split.validation)}/{len(self.split.test)}"
        found = {
            "data": self.data.digest(),
            "target": self.data.target,
            "kind": ", ".join(target.kind for target in self.targets),
            "model": "default" if self.model is None else self.model.digest,
            "split": ", ".join(filter(None, [f"{sizes} seed {self.seed}", self.partition.fingerprint()])),
            "objective": self.objective,
            "epochs": str(self.epochs),
        }
        options = self.data.options
        asked = {
            "class_weight": self.class_weight,
            "precision": self.precision,
            "keep": ", ".join(options.keep),
            "dates": options.dates,
            "metric": self.metric and self.metric.function.digest,
            "early stopping": self.stopping and json.dumps(self.stopping.to_dict()),
            "callbacks": self.callbacks and self.callbacks.digest,
        }
        return found | {name: str(value) for name, value in asked.items() if value}

    def joined(self, *, whole: bool = False) -> TaskSpec:
        """The same task with the validation set added to the training set, for the final model.

        Parameters
        ----------
        whole : bool, default False
            Add the test set too. The columns of a table stay as the training set alone determined them.

        Returns
        -------
        TaskSpec
            The new task.
        """
        # Nothing is left to stop on.
        return dataclasses.replace(self, partition=self.partition.joined(whole=whole), stopping=None)

    @property
    def redraws(self) -> bool:
        """Whether the runs that choose should each have their own validation rows: few rows are a matter of luck.

        Not where classes have weights, unless a split was asked for that is not the default.
        """
        return self.partition.redraws and (self.class_weight is None or not self.partition.is_default)

    def redrawn(self, seed: int) -> Split:
        """Another split of the training and validation rows.

        Parameters
        ----------
        seed : int
            Random seed; the same seed gives the same split.

        Returns
        -------
        Split
            The parts; the test set stays.
        """
        return self.partition.redrawn(seed)

    @property
    def parts(self) -> tuple[PartFacts, ...] | None:
        """The parts with their groups and moments; None for the default split."""
        if self.partition.is_default:
            return None
        return tuple(self._part(name, rows) for name, rows in part_rows(self.split).items())

    def _part(self, name: str, rows: np.ndarray) -> PartFacts:
        groups, times = (self.data.aside.get(what) for what in ("group", "time"))
        return PartFacts(
            name=name,
            rows=len(rows),
            groups=None if groups is None else int(pd.Series(groups[rows]).nunique()),
            first="" if times is None else moment(times[rows].min()),
            last="" if times is None else moment(times[rows].max()),
        )

    @property
    def covers(self) -> str | None:
        """What an interval over fresh seeds covers, in words; None for the default split."""
        if self.partition.is_default:
            return None
        if self.redraws:
            return f"{self.partition.covers}, on the same test rows"
        way = self.partition.describe()
        return f"new seeds, on one split{f' ({way})' if way else ''}"

    def describe(self) -> list[str]:
        """Describe the task in words.

        Returns
        -------
        list of str
            Lines: sizes, parts, columns, and everything that was inferred.
        """
        asked = [_asked(target) for target in self.targets]
        if len(asked) > 1:
            asked = [f"`{target.name}` {what}" for target, what in zip(self.targets, asked, strict=True)]
        way = self.partition.describe()
        how = f", {way}" + f" by `{self.target.name}`" * (way == "stratified" and len(asked) > 1) if way else ""
        parts = self.split
        return [
            f"{self.data.rows:,} rows x {_features(self.data)}, {', '.join(asked)}; {len(parts.train):,} train / "
            f"{len(parts.validation):,} validation / {len(parts.test):,} test{how}",
            *(
                [part.text() for part in self.parts or ()]
                if "group" in self.data.aside or "time" in self.data.aside
                else []
            ),
            *(_counted(target) for target in self.targets if target.kind == "classification"),
            *self._uneven(),
            *self.notes,
            *([f"layers compute in {self.precision}"] if self.precision else []),
            *self._weights(),
            *(self.schema.describe() if self.schema else ()),
        ]

    def _uneven(self) -> list[str]:
        """What to say of a target with nearly all rows in one class, where nothing but accuracy was asked for."""
        if self.objective.removeprefix("val_") not in ("loss", "accuracy"):
            return []
        lines = []
        for target in filter(_is_stratified, self.targets):
            counts = np.bincount(target.values)
            name, share = f"{target.name}_auc" if len(self.targets) > 1 else "auc", counts.max() / counts.sum()
            if share > _UNEVEN:
                lines.append(
                    f"{share:.0%} of the rows have the `{target.name}` {target.classes[int(counts.argmax())]}, and so "
                    f'accurate is the same answer for all: `objective="val_{name}"` compares by the area under the ROC '
                    "curve"
                )
        return lines

    def _weights(self) -> list[str]:
        lines = []
        if self.sample_weight is not None:
            low, high = self.sample_weight.min(), self.sample_weight.max()
            lines.append(f"sample weights from {low:g} to {high:g}, in the loss of every part")
        if self.class_weight is not None:
            shown = [f"{label} {w:.4g}" for label, w in zip(self.classes, self.class_weight, strict=True)]
            more = f", ... ({len(shown)} classes)" if len(shown) > 10 else ""
            lines.append(f"class weights in training: {', '.join(shown[:10])}{more}")
        return lines


def make_spec(
    data: Data,
    *,
    model: Any = None,
    epochs: int,
    objective: Any = "val_loss",
    seed: int,
    kind: str | Mapping[str, str] | None = None,
    class_weight: ClassWeight | None = None,
    precision: str | None = None,
    stopping: EarlyStopping | None = None,
    splits: SplitOptions | None = None,
    callbacks: Any = None,
) -> TaskSpec:
    """Make a task from a data set and a model, after every check that needs no TensorFlow.

    Parameters
    ----------
    data : Data
        The data set.
    model : str or callable or keras.Model, optional
        "FILE.py:FUNCTION", the path of a .keras file, a function that builds a model, or a model. Default: a model that
        suits the data.
    epochs : int
        Epochs of the longest training.
    objective : str or callable or tuple, default "val_loss"
        `val_loss`, `val_` followed by the name of a metric, or a function of the target and the predictions, which may
        be "FILE.py:FUNCTION". `max:` or `min:` in front of a text, or `("max", function)`, tells which way is better.
    seed : int
        Random seed of the split and of the initial weights.
    kind : str or dict of str to str, optional
        "classification" or "regression", or one of them by target. Default: inferred from the target.
    class_weight : "balanced" or dict or sequence of float, optional
        Weight of each class in training. Default: all classes count the same.
    precision : {"float32", "mixed_bfloat16", "mixed_float16"}, optional
        Dtype policy of the layers. Default: the model's own.
    stopping : EarlyStopping, optional
        When a training stops before its last epoch. Default: it does not.
    splits : SplitOptions, optional
        How the rows are parted, as the data were read with it.
    callbacks : str or callable or list, optional
        "FILE.py:FUNCTION", a function that returns a list of callbacks, or such a list. Default: none.

    Returns
    -------
    TaskSpec
        The task.

    Raises
    ------
    InvalidData
        If the data do not suit training.
    InvalidModel
        If the model cannot be loaded.
    InvalidValue
        If a number is outside its domain.
    UnknownName
        If a name does not exist.

    Examples
    --------
    >>> import pandas as pd
    >>> data = Data(name="points", x=np.eye(20), y=pd.Series([0, 1] * 10), target="side")
    >>> make_spec(data, epochs=5, seed=0).describe()[0]
    '20 rows x 20 features, 2 classes; 12 train / 4 validation / 4 test, stratified'
    """
    _check_settings(epochs, seed)
    if stopping is not None:
        stopping.check(epochs)
    if precision is not None and precision not in get_args(Precision):
        raise UnknownName(f"Task: no `precision` {precision!r}. {suggestion(precision, get_args(Precision))}")
    reference, metric = model_reference(model), own_metric(objective)
    objective = metric.asked if metric else _whole_name(objective)
    targets = _encoded(data, "regression" if data.targetless else kind, FEWEST_ROWS_A_CLASS if not data.aside else 1)
    if reference is None:
        _check_default(targets, None if metric else objective, data.name, stopping)
    leading = _leading(targets)
    found = partition(data, leading, seed, splits)
    parts = found.parts
    schema = None
    if data.is_table:
        numbers = leading.values[parts.train] if leading.kind == "regression" and not leading.shape else None
        schema = infer_schema(
            take_rows(data.x, parts.train),  # type: ignore[arg-type]
            data.name,
            readings=data.readings,
            keep=data.options.keep,
            target=numbers,
        )
    weight, gaps = data.sample_weight, non_finite(data.x) if reference is None else []
    return TaskSpec(
        data=data,
        targets=targets,
        partition=found,
        schema=schema,
        model=reference,
        epochs=epochs,
        objective=objective,
        seed=seed,
        notes=(
            *data.notes,
            *(note for target in targets for note in target.notes),
            *(split_doubts(data, schema, leading) if found.is_default else []),
            *_repeats(data, parts),
            *(f"NaN or infinite, the mean takes their place: {where}" for where in gaps),
        ),
        sample_weight=None if weight is None else sample_weights(weight, data.rows, data.name),
        class_weight=_class_weight(class_weight, targets, parts.train),
        precision=cast(Precision | None, precision),
        stopping=stopping,
        metric=metric,
        callbacks=own_callbacks(callbacks),
    )


def _encoded(data: Data, kind: str | Mapping[str, str] | None, fewest: int) -> tuple[Target, ...]:
    """The targets as numbers. fewest: rows that each class of the one needs by which the rows are split."""
    kinds = kind if isinstance(kind, Mapping) else dict.fromkeys(data.targets, kind)
    for name in kinds:
        if name not in data.targets:
            raise UnknownName(f"Task: `kind` names no target: {name!r}. {suggestion(name, data.targets)}")
    targets: list[Target] = []
    for name, values in data.targets.items():
        least = 1 if any(_is_stratified(target) for target in targets) else fewest
        targets.append(encode_target(values, name, data.name, kinds.get(name), fewest=least))
    return tuple(targets)


def _is_stratified(target: Target) -> bool:
    return target.kind == "classification" and not target.shape


def _leading(targets: tuple[Target, ...]) -> Target:
    return next((target for target in targets if _is_stratified(target)), targets[0])


def _asked(target: Target) -> str:
    what = f"{len(target.classes):,} classes" if target.kind == "classification" else "regression"
    return f"{what} of {' x '.join(map(str, target.shape))} values" if target.shape else what


def _counted(target: Target) -> str:
    """The classes and how many rows each has."""
    counts = np.bincount(target.values.ravel(), minlength=len(target.classes))
    shown = [f"{label} {n:,}" for label, n in zip(target.classes, counts, strict=True)]
    return f"classes of `{target.name}`: {', '.join(shown[:_MOST_SHOWN])}" + ", ..." * (len(shown) > _MOST_SHOWN)


def _class_weight(
    asked: ClassWeight | None, targets: tuple[Target, ...], training: np.ndarray
) -> tuple[float, ...] | None:
    if asked is None:
        return None
    if len(targets) > 1:  # Keras takes them for one output only, too
        names = ", ".join(f"`{target.name}`" for target in targets)
        raise InvalidValue(f"Task: `class_weight` needs a single target, the data has {names}; use sample weights.")
    return class_weights(asked, targets[0], training)


def _whole_name(objective: str) -> str:
    """With "val_" in front of the metric: `auc` means `val_auc`."""
    way, colon, name = objective.rpartition(":")
    return f"{way}{colon}val_{name.removeprefix('val_')}"


def _check_default(
    targets: tuple[Target, ...], objective: str | None, source: str, stopping: EarlyStopping | None
) -> None:
    """What the default model needs. objective: None if it is a function of the user's."""
    for target in targets:
        if target.shape:
            raise InvalidData(
                f"{source}: target `{target.name}` has {' x '.join(map(str, target.shape))} values a row, the default "
                'model answers one; pass a model of yours: `model="FILE.py:FUNCTION"`.'
            )
    known = ["val_loss"]
    for target in targets:
        several = len(targets) > 1
        metrics = (*DEFAULT_METRICS[target.kind], *(metric.name for metric in offered(target.kind)))
        metrics = (*dict.fromkeys(metrics), *(["loss"] if several else []))
        known += [f"val_{target.name}_{metric}" if several else f"val_{metric}" for metric in metrics]
    if objective is not None and objective not in known:
        raise UnknownName(unknown_metric(objective, known, targets[0].kind))
    if stopping is not None and objective is not None:
        stopping.check_monitor(["loss", *known])


def _check_settings(epochs: int, seed: int) -> None:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise InvalidValue(f"Task: `epochs` must be a whole number, 1 or more, got {epochs!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise InvalidValue(f"Task: `seed` must be a whole number in [0, 2^31), got {seed!r}.")


def _repeats(data: Data, parts: Split) -> list[str]:
    repeated = repeated_rows(data.x, parts)
    if not repeated:
        return []
    held_out = len(parts.validation) + len(parts.test)
    return [
        f"{repeated:,} of {held_out:,} validation and test rows have the same features as a row in another part: "
        "scores may flatter"
    ]


def _features(data: Data) -> str:
    if "x" in data.by_place and isinstance(data.x, dict):
        return " and ".join(_shape(part) for part in data.x.values())
    if isinstance(data.x, dict):
        return ", ".join(f"`{name}` {_shape(part)}" for name, part in data.x.items())
    return _shape(data.x)


def _shape(x: Any) -> str:
    shape = x.shape[1:]
    return f"{shape[0]:,} features" if len(shape) == 1 else " x ".join(map(str, shape))
