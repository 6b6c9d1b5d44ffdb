"""What scikit-learn's callers give as X and y, as a study takes it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import validate_data

__all__ = ["checked", "form_of", "formed", "names"]

Form = tuple[str, ...] | None
"""The names of a table's columns; None for an array of numbers."""


def checked(estimator: Any, x: Any, *, reset: bool) -> Any:
    """X as a data frame or an array of at least two axes, after scikit-learn's checks.

    x: a frame of pandas or polars, or whatever makes an array. reset: whether it is that of `fit`, which later ones
    must resemble. Raises ValueError or TypeError in scikit-learn's words.
    """
    if hasattr(x, "to_pandas") and not isinstance(x, pd.DataFrame):
        x = x.to_pandas()
    if isinstance(x, pd.DataFrame):
        validate_data(estimator, x, reset=reset, skip_check_array=True)
        if not len(x):
            raise ValueError("Found array with 0 sample(s) while a minimum of 1 is required.")
        return x
    array = validate_data(estimator, x, reset=reset, dtype=None, ensure_all_finite=False, allow_nd=True)
    if array.dtype.kind in "OUS":
        array = _as_numbers(array)
    if array.dtype.kind in "fc" and np.isinf(array).any():
        raise ValueError("Input X contains infinity or a value too large for dtype('float64').")
    return array


def form_of(x: Any, *, gaps: bool) -> Form:
    """How a study best takes what was checked: numbers without gaps as an array, everything else as a table.

    gaps: whether an array may hold NaN.

    >>> form_of(np.eye(2), gaps=False), form_of(np.array([["a"], ["b"]]), gaps=False)
    (None, ('x0',))
    """
    if isinstance(x, pd.DataFrame):
        numbers = all(_is_number(dtype) for dtype in x.dtypes) and (gaps or not x.isna().to_numpy().any())
        return None if numbers else tuple(map(str, x.columns))
    if x.dtype.kind in "biuf" and (gaps or x.ndim > 2 or not np.isnan(x).any()):
        return None
    return tuple(f"x{i}" for i in range(x.shape[1]))


def formed(x: Any, form: Form) -> Any:
    """The features in a form, whichever way they came.

    >>> formed(pd.DataFrame({"a": [1, None]}), None).tolist()
    [[1.0], [nan]]
    """
    if form is None:
        return x.to_numpy(dtype="float64", na_value=np.nan) if isinstance(x, pd.DataFrame) else x
    if isinstance(x, pd.DataFrame):
        return x.set_axis(list(form), axis=1)
    return pd.DataFrame(x, columns=list(form)).infer_objects()


def names(count: int) -> Sequence[str]:
    """Of several targets."""
    return [f"y{i}" for i in range(count)]


def _is_number(dtype: Any) -> bool:
    real = pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
    return real or pd.api.types.is_bool_dtype(dtype)


def _as_numbers(array: np.ndarray) -> np.ndarray:
    """Numbers that came as objects; text stays what it is."""
    if array.dtype.kind == "O" and any(isinstance(value, str) for value in array.flat):
        return array
    try:
        return array.astype("float64")
    except (TypeError, ValueError):
        return array
