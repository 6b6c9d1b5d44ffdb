"""Rows without a target: few are left out and counted, many are refused."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.dataset import Data, Values, take_rows
from optselect.data.target import is_missing
from optselect.data.text_columns import MissingTarget

__all__ = ["without_missing_targets"]

_FEW = 0.05  # of the rows


def without_missing_targets(data: Data, asked: MissingTarget | None = None) -> Data:
    """The rows that have every target, and a note on those that have not.

    asked: "drop" leaves out any number of rows, "refuse" none; None those that are fewer than 5 %. What is not left
    out here is refused where the target is encoded.

    >>> data = Data(name="t", x=np.arange(40.0).reshape(40, 1), y=pd.Series([1.5, None] + [2.5] * 38), target="y")
    >>> without_missing_targets(data).rows
    39
    """
    if asked == "refuse":
        return data
    missing = np.zeros(data.rows, bool)
    for values in data.targets.values():
        if isinstance(values, pd.Series) or values.ndim == 1:
            missing |= is_missing(pd.Series(values))
    count = int(missing.sum())
    if not count or count == data.rows or (asked is None and count >= _FEW * data.rows):
        return data
    rows = np.flatnonzero(~missing)
    shown = ", ".join(str(row + 1) for row in np.flatnonzero(missing)[:5]) + (", ..." if count > 5 else "")
    note = f"{count:,} of {data.rows:,} rows have no target (row {shown}): left out"
    kept = {name: _kept(values, rows) for name, values in data.targets.items()}
    x: Any = take_rows(data.x, rows)
    return dataclasses.replace(
        data,
        x=x.reset_index(drop=True) if isinstance(x, pd.DataFrame) else x,
        y=kept if isinstance(data.y, dict) else next(iter(kept.values())),
        sample_weight=_kept(data.sample_weight, rows) if _is_by_row(data) else data.sample_weight,
        notes=(*data.notes, note),
        aside={name: values[rows] for name, values in data.aside.items()},
    )


def _is_by_row(data: Data) -> bool:
    return data.sample_weight is not None and len(data.sample_weight) == data.rows


def _kept(values: Values | None, rows: np.ndarray) -> Any:
    """The values of these rows; numbers that are whole, and were floats only because some were missing, as such."""
    if values is None or not isinstance(values, pd.Series):
        return None if values is None else values[rows]
    kept = values.iloc[rows].reset_index(drop=True)
    if pd.api.types.is_float_dtype(kept) and (kept == kept.round()).all() and kept.abs().max() < 2**53:
        return kept.astype("int64")
    return kept
