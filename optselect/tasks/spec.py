"""A task as plain data: everything a worker needs to build it, checked as far as that goes without TensorFlow."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from optselect.errors import InvalidValue, UnknownName, suggestion
from optselect.tasks.data import Data, take_rows
from optselect.tasks.model_reference import ModelReference, model_reference
from optselect.tasks.schema import Schema, infer_schema
from optselect.tasks.split import Split, repeated_rows, split
from optselect.tasks.target import Kind, encode_target

__all__ = ["DEFAULT_METRICS", "TaskSpec", "make_spec"]

DEFAULT_METRICS: dict[str, tuple[str, ...]] = {"classification": ("accuracy",), "regression": ("rmse", "mae")}
"""The metrics of a model that brings none, the headline first."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class TaskSpec:
    """What is to be trained, on which rows, judged by what. Picklable; loads no TensorFlow.

    y: encoded target, int64 class numbers or float32, shape (rows,). classes: sorted labels, empty in regression.
    schema: the columns of a table, None for arrays. model: None means the default model. epochs: the longest
    training. objective: the name of the figure to improve, "val_..." . notes: what was inferred.
    """

    data: Data
    y: np.ndarray
    split: Split
    kind: Kind
    classes: tuple[Any, ...]
    schema: Schema | None
    model: ModelReference | None
    epochs: int
    objective: str
    seed: int
    notes: tuple[str, ...]

    def fingerprint(self) -> dict[str, str]:
        """What must not change between two runs of one study, by name."""
        sizes = f"{len(self.split.train)}/{len(self.split.validation)}/{len(self.split.test)}"
        return {
            "data": self.data.digest(),
            "target": self.data.target,
            "kind": self.kind,
            "model": "default" if self.model is None else self.model.digest,
            "split": f"{sizes} seed {self.seed}",
            "objective": self.objective,
            "epochs": str(self.epochs),
        }

    def describe(self) -> list[str]:
        """Lines for people: sizes, parts, columns, and everything that was inferred."""
        asked = f"{len(self.classes):,} classes" if self.kind == "classification" else "regression"
        stratified = ", stratified" if self.kind == "classification" else ""
        parts = self.split
        return [
            f"{self.data.rows:,} rows x {_features(self.data)}, {asked}; {len(parts.train):,} train / "
            f"{len(parts.validation):,} validation / {len(parts.test):,} test{stratified}",
            *self.notes,
            *(self.schema.describe() if self.schema else ()),
        ]


def make_spec(
    data: Data,
    *,
    model: Any = None,
    epochs: int,
    objective: str = "val_loss",
    seed: int,
    kind: str | None = None,
) -> TaskSpec:
    """A task from a data set and a model, after every check that needs no TensorFlow.

    model: None, "FILE.py:FUNCTION", a .keras path, a function or a keras.Model. epochs: of the longest training.
    objective: "val_loss" or "val_" and a metric. kind: "classification", "regression", or None to infer it.
    Raises InvalidData, InvalidModel, InvalidValue or UnknownName.

    >>> import pandas as pd
    >>> data = Data(name="points", x=np.eye(20), y=pd.Series([0, 1] * 10), target="side")
    >>> make_spec(data, epochs=5, seed=0).describe()[0]
    '20 rows x 20 features, 2 classes; 12 train / 4 validation / 4 test, stratified'
    """
    _check_settings(epochs, seed)
    reference = model_reference(model)
    target = encode_target(data.y, data.target, data.name, kind)
    if reference is None:
        _check_objective(objective, DEFAULT_METRICS[target.kind])
    parts = split(target.values, target.kind, seed)
    notes = [*data.notes, *target.notes, *_repeats(data, parts)]
    schema = None
    if data.is_table:
        schema = infer_schema(take_rows(data.x, parts.train), data.name)  # type: ignore[arg-type]
    return TaskSpec(
        data=data,
        y=target.values,
        split=parts,
        kind=target.kind,
        classes=target.classes,
        schema=schema,
        model=reference,
        epochs=epochs,
        objective=objective,
        seed=seed,
        notes=tuple(notes),
    )


def _check_settings(epochs: int, seed: int) -> None:
    if isinstance(epochs, bool) or not isinstance(epochs, int) or epochs < 1:
        raise InvalidValue(f"Task: `epochs` must be a whole number, 1 or more, got {epochs!r}.")
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**31:
        raise InvalidValue(f"Task: `seed` must be a whole number in [0, 2^31), got {seed!r}.")


def _check_objective(objective: str, metrics: tuple[str, ...]) -> None:
    known = ["val_loss", *(f"val_{name}" for name in metrics)]
    if objective not in known:
        raise UnknownName(f"Task: no figure `{objective}` to be the objective. {suggestion(objective, known)}")


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
    if isinstance(data.x, dict):
        return ", ".join(f"`{name}` {_shape(part)}" for name, part in data.x.items())
    return _shape(data.x)


def _shape(x: Any) -> str:
    shape = x.shape[1:]
    return f"{shape[0]:,} features" if len(shape) == 1 else " x ".join(map(str, shape))
