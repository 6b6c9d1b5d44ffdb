"""What in data and model often makes a training fail: told where a network does no better than a constant."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from optselect.data.on_disk import take
from optselect.task.prepared import Task

__all__ = ["suspects"]

_LARGE = 30.0  # an input or a target beyond: with values of about one a default learning rate suits
_ROWS = 5000  # that are looked at
_ONE_CLASS = 0.9  # share of the rows from which on one class is nearly all
# Layers after which the size of the raw values no longer matters, or that take numbers as names.
_SCALING = (
    "BatchNormalization", "CategoryEncoding", "Discretization", "Embedding", "GroupNormalization", "Hashing",
    "IntegerLookup", "LayerNormalization", "Normalization", "RMSNormalization", "Rescaling", "StringLookup",
    "TextVectorization", "UnitNormalization",
)  # fmt: skip


def suspects(task: Task, model: Any) -> list[str]:
    """Likely causes of a training that learns nothing, the most likely first, a clause each.

    model: as `task.build` gives it. The default model, for which it may be None, brings what scales its data.
    """
    return [*_unscaled_inputs(task, model), *_unscaled_targets(task), *_labels(task)]


def _unscaled_inputs(task: Task, model: Any) -> Iterator[str]:
    if task.spec.model is None or model is None:
        return
    kinds = {cls.__name__ for layer in model._flatten_layers() for cls in type(layer).__mro__}
    if kinds & set(_SCALING):
        return
    most = max((_largest(part) for part in keras.tree.flatten(task.x_train)), default=0.0)
    if most > _LARGE:
        yield (
            f"the inputs reach {most:,.4g} and are not scaled: put a keras.layers.Normalization() first, adapted to "
            "the training rows, or a Rescaling"
        )


def _unscaled_targets(task: Task) -> Iterator[str]:
    if task.spec.model is None:
        return
    for target in task.spec.targets:
        if target.kind != "regression":
            continue
        values = np.abs(np.asarray(target.values[task.spec.split.train], "float64"))
        most = float(values.max(initial=0.0))
        if most > _LARGE:
            yield (
                f"the target `{target.name}` reaches {most:,.4g} and is not scaled: train on (y - mean) / deviation, "
                "or end the model in a keras.layers.Rescaling(deviation, mean)"
            )


def _labels(task: Task) -> Iterator[str]:
    for target in task.spec.targets:
        train = target.values[task.spec.split.train]
        if target.kind == "classification":
            share = float(np.bincount(train.reshape(-1)).max() / max(train.size, 1))
            if share > _ONE_CLASS:
                yield (
                    f"{share:.0%} of the rows of `{target.name}` are of one class: give the others more weight "
                    "(`class_weight`), or judge by a metric such as AUC"
                )
        elif float(np.ptp(train)) == 0.0:
            yield f"the target `{target.name}` has one value in all training rows"


def _largest(x: Any) -> float:
    """The largest absolute value in some rows of an input; 0 where it holds no numbers."""
    if np.dtype(x.dtype).kind not in "biuf" or not len(x):
        return 0.0
    rows = np.linspace(0, len(x) - 1, min(len(x), _ROWS)).astype("int64")
    values = np.abs(np.asarray(take(x, rows)[:], "float64"))
    return float(values[np.isfinite(values)].max(initial=0.0))
