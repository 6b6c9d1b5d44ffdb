"""Raw rows of a table as a saved model takes them.

The file stands alone: it goes with a model into MLflow, which loads it there by `_load_pyfunc`, without optselect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["raw_columns"]


def raw_columns(table: pd.DataFrame, columns: Iterable[tuple[str, str, str]]) -> dict[str, np.ndarray]:
    """One array a column, by name, each of shape (rows,).

    columns: name, kind and date format ("" if it is no date or holds dates already). Numbers and booleans become
    float32, missing or infinite NaN; categories, dates (ISO 8601) and text str objects, missing "".

    >>> table = pd.DataFrame({"size": [1, None], "colour": [None, "red"]})
    >>> raw_columns(table, [("size", "number", ""), ("colour", "category", "")])
    {'size': array([ 1., nan], dtype=float32), 'colour': array(['', 'red'], dtype=object)}
    """
    return {name: _RAW[kind](table[name], date_format) for name, kind, date_format in columns}


def _raw_number(values: pd.Series, date_format: str) -> np.ndarray:
    if pd.api.types.is_timedelta64_dtype(values):
        values = values.dt.total_seconds()
    numbers = pd.to_numeric(values, errors="coerce").to_numpy(dtype="float64", na_value=np.nan)
    with np.errstate(over="ignore"):
        single = numbers.astype("float32")
    return np.where(np.isfinite(single), single, np.float32("nan"))


def _raw_boolean(values: pd.Series, date_format: str) -> np.ndarray:
    if values.dtype == object or pd.api.types.is_string_dtype(values):
        values = values.map(lambda v: {"true": 1.0, "false": 0.0}.get(str(v).lower(), np.nan))
    return values.to_numpy(dtype="float32", na_value=np.nan)


def _raw_date(values: pd.Series, date_format: str) -> np.ndarray:
    dates = pd.to_datetime(values, format=date_format or None, errors="coerce", utc=True)
    return dates.dt.strftime("%Y-%m-%dT%H:%M:%S").fillna("").to_numpy(dtype=object)


def _raw_text(values: pd.Series, date_format: str) -> np.ndarray:
    missing = values.isna().to_numpy(dtype=bool)
    text = values.astype(object).map(str).to_numpy(dtype=object)
    text[missing] = ""
    return text


_RAW = {
    "number": _raw_number,
    "boolean": _raw_boolean,
    "date": _raw_date,
    "category": _raw_text,
    "text": _raw_text,
}


class _Model:
    """A Keras model whose `predict` takes raw rows: a table, or arrays where it was trained on arrays."""

    def __init__(self, model: Any, columns: list[tuple[str, str, str]]) -> None:
        self.model, self.columns = model, columns

    def predict(self, rows: Any, params: Any = None) -> Any:
        if self.columns:
            rows = raw_columns(pd.DataFrame(rows), self.columns)
        return self.model.predict(rows, verbose=0)


def _load_pyfunc(path: str) -> _Model:
    """What MLflow calls. path: the folder with `model.keras` and `columns.json`."""
    import keras

    columns = json.loads((Path(path) / "columns.json").read_text(encoding="utf-8"))
    model = keras.saving.load_model(Path(path) / "model.keras", compile=False)
    return _Model(model, [tuple(column) for column in columns])
