"""Settings as a study records them: JSON types, without passwords."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.weights import label_text
from optselect.optim.configuration import Configuration
from optselect.sinks.mlflow.uris import masked
from optselect.task import EarlyStopping

__all__ = ["from_objects", "recorded", "restored"]

_NAMED = ("data", "model", "objective", "sample_weight", "validation", "test", "groups", "cv", "callbacks")
"""Recorded where they are names or numbers, not where they are arrays."""
_ADDRESSES = ("mlflow", "storage")  # a password in them does not belong into a report


def recorded(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values in JSON types; under `objects` the names of those that no file can hold.

    >>> recorded({"data": Path("a.csv"), "model": print, "class_weight": {0: 1, 1: np.float32(2)}})
    {'data': 'a.csv', 'class_weight': {'0': 1.0, '1': 2.0}, 'objects': ['model']}
    """
    found: dict[str, Any] = {}
    objects: list[str] = []
    for name, value in values.items():
        try:
            found[name] = _recorded(name, value)
        except TypeError:
            objects.append(name)
    return {**found, "objects": objects}


def from_objects(record: Mapping[str, Any]) -> bool:
    """Whether the task of recorded settings came from objects in Python, so that it cannot be read again."""
    return bool({*_NAMED, "target", "kind", "class_weight"} & set(record.get("objects", ())))


def restored(name: str, value: Any) -> Any:
    """A value as the option takes it."""
    if name == "start" and isinstance(value, list):
        return tuple(Configuration.from_dict(one) for one in value)
    return value


def _recorded(name: str, value: Any) -> Any:
    """Raises TypeError for an object that no file can hold."""
    if name == "class_weight":
        return _weights(value)
    if name in _ADDRESSES and isinstance(value, str):
        return masked(value)[0]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, EarlyStopping):
        value = value.to_dict()
    if name == "start" and isinstance(value, tuple):
        value = [configuration.to_dict() for configuration in value]
    if name in _NAMED and not isinstance(value, str | float | int | None):
        raise TypeError(name)
    return json.loads(json.dumps(value))


def _weights(value: Any) -> Any:
    """Weights of classes by the text of the label, which is how a label matches."""
    if isinstance(value, pd.Series):
        value = value.tolist() if isinstance(value.index, pd.RangeIndex) else dict(value.items())
    if isinstance(value, Mapping):
        return {label_text(label): float(weight) for label, weight in value.items()}
    if value is None or isinstance(value, str):
        return value
    return [float(weight) for weight in np.asarray(value, dtype=object).tolist()]
