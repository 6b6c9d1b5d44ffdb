"""Data that is in memory already: frames, arrays, pairs of them, tf.data datasets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from optselect.errors import InvalidData
from optselect.tasks.data import Data, Features
from optselect.tasks.target import choose_target

__all__ = ["from_frame", "from_pair", "materialise"]


def materialise(value: Any, where: str) -> tuple[Any, Any]:
    """(x, y) of arrays or pandas objects from what a data function may return, among it a tf.data.Dataset."""
    if hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator"):
        return _from_dataset(value, where)
    if not isinstance(value, tuple | list) or len(value) != 2:
        got = (
            f"{type(value).__name__} of length {len(value)}"
            if isinstance(value, tuple | list)
            else type(value).__name__
        )
        raise InvalidData(f"{where}: must return (x, y) or a tf.data.Dataset, got {got}.")
    x, y = value
    if isinstance(x, dict):
        return {str(name): _plain(part) for name, part in x.items()}, _plain(y)
    return _plain(x), _plain(y)


def _plain(value: Any) -> Any:
    return value if isinstance(value, pd.DataFrame | pd.Series) else np.asarray(value)


def _from_dataset(dataset: Any, where: str) -> tuple[Any, Any]:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise InvalidData(f"{where}: the dataset must give (x, y), got elements of the form {spec}.")
    if int(dataset.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise InvalidData(f"{where}: the dataset never ends; drop its `repeat()`.")
    x_specs = list(spec[0].values()) if isinstance(spec[0], dict) else [spec[0]]
    batched = len(spec[1].shape) > 0 and all(len(s.shape) > 0 and s.shape[0] == spec[1].shape[0] for s in x_specs)
    batches = list((dataset if batched else dataset.batch(1024)).as_numpy_iterator())
    if not batches:
        raise InvalidData(f"{where}: the dataset is empty.")
    y = np.concatenate([b[1] for b in batches])
    if isinstance(spec[0], dict):
        return {name: np.concatenate([b[0][name] for b in batches]) for name in spec[0]}, y
    return np.concatenate([b[0] for b in batches]), y


def from_frame(frame: pd.DataFrame, target: str | None, name: str, notes: list[str]) -> Data:
    frame = _named(frame, name)
    if not len(frame):
        raise InvalidData(f"{name}: no rows.")
    chosen, said = choose_target(list(frame.columns), target, name)
    if len(frame.columns) < 2:
        raise InvalidData(f"{name}: no column but the target `{chosen}`: nothing to learn from.")
    y = frame[chosen].reset_index(drop=True)
    x = frame.drop(columns=[chosen]).reset_index(drop=True)
    return Data(name=name, x=x, y=_whole(y), target=chosen, notes=(*notes, *said))


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with text for column names, all different."""
    columns = [str(c) for c in frame.columns]
    repeated = sorted({c for c in columns if columns.count(c) > 1}) if len(set(columns)) < len(columns) else []
    if repeated:
        raise InvalidData(f"{name}: column names must differ, got several {', '.join(map(repr, repeated[:5]))}.")
    return frame.set_axis(columns, axis=1)


def _whole(y: pd.Series) -> pd.Series:
    """Nullable and categorical types to the plain ones, where nothing is lost."""
    if isinstance(y.dtype, pd.CategoricalDtype):
        return y.astype(object)
    if pd.api.types.is_extension_array_dtype(y) and pd.api.types.is_numeric_dtype(y) and not y.isna().any():
        return pd.Series(np.asarray(y.to_numpy()))
    return y


def from_pair(x: Any, y: Any, name: str, where: str, target: str | None) -> Data:
    """Features and target in memory."""
    series, note = _target_series(y, where, target)
    features: Any = x
    if isinstance(x, dict):
        features = {key: _named_array(part, f"{where}: x[{key!r}]") for key, part in x.items()}
    if isinstance(x, pd.Series):
        features = x.to_frame()
    if isinstance(features, pd.DataFrame):
        features = _named(features, where).reset_index(drop=True)
    elif not isinstance(features, dict):
        features = _array(features, f"{where}: x")
    parts = features.values() if isinstance(features, dict) else [features]
    for part in parts:
        if len(part) != len(series):
            raise InvalidData(f"{where}: x has {len(part):,} rows, y has {len(series):,}.")
    if not len(series):
        raise InvalidData(f"{where}: no rows.")
    return Data(name=name, x=features, y=series, target=str(series.name), notes=note)


def _target_series(y: Any, where: str, target: str | None) -> tuple[pd.Series, tuple[str, ...]]:
    if isinstance(y, pd.DataFrame):
        if len(y.columns) != 1:
            raise InvalidData(f"{where}: y has {len(y.columns)} columns; one target a study.")
        y = y.iloc[:, 0]
    if isinstance(y, pd.Series):
        named = y.rename(target or (str(y.name) if y.name is not None else "y"))
        return _whole(named.reset_index(drop=True)), ()
    array = np.asarray(y)
    note: tuple[str, ...] = ()
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and _is_one_hot(array):
        array, note = array.argmax(axis=1), ("y was one-hot: each row's class is the place of its 1",)
    if array.ndim != 1:
        raise InvalidData(f"{where}: y must hold one value a row, shape (rows,), got shape {array.shape}.")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind not in "biufUO":
        raise InvalidData(f"{where}: y must hold numbers or labels, got type {array.dtype}.")
    return pd.Series(array, name=target or "y"), note


def _is_one_hot(y: np.ndarray) -> bool:
    return y.dtype.kind in "biuf" and bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _named_array(x: Any, where: str) -> np.ndarray:
    array = _array(x, where)
    if not isinstance(array, np.ndarray):
        raise InvalidData(f"{where}: must hold numbers, got text; a data frame may hold text.")
    return array


def _array(x: Any, where: str) -> Features:
    """An array of numbers as it is; an array of text or mixed values as a table."""
    array = np.asarray(x)
    if array.ndim == 0:
        raise InvalidData(f"{where}: must be an array whose first axis counts rows, got {type(x).__name__}.")
    if array.dtype.kind in "UO":
        if array.ndim > 2:
            raise InvalidData(f"{where}: must hold numbers, got type {array.dtype} and shape {array.shape}.")
        columns = array.reshape(len(array), -1)
        names = ["x"] if columns.shape[1] == 1 else [f"x{i}" for i in range(columns.shape[1])]
        return pd.DataFrame(columns, columns=names).infer_objects()
    if array.dtype.kind not in "biuf":
        raise InvalidData(f"{where}: must hold numbers, got type {array.dtype}.")
    if array.ndim > 1 and 0 in array.shape[1:]:
        raise InvalidData(f"{where}: no features, shape {array.shape}.")
    return array.reshape(-1, 1) if array.ndim == 1 else array
