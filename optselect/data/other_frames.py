"""Tables of other libraries in memory, as pandas has them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from optselect.errors import InvalidData

__all__ = ["as_frame"]


def as_frame(value: Any, target: Any = None) -> tuple[pd.DataFrame | None, str]:
    """A pandas frame and what it was, for messages; None for what is no table.

    value: a frame of pandas, polars or another library that makes one of pandas (`to_pandas`), a pyarrow table, or,
    where `target` names one of them, a dict of columns.

    Raises InvalidData for a table that nobody has worked out yet and for columns of unequal lengths.

    >>> as_frame({"a": [1, 2], "y": [0, 1]}, "y")[0].columns.tolist()
    ['a', 'y']
    """
    if isinstance(value, pd.DataFrame):
        return value, "the data frame"
    kind = f"{type(value).__module__.split('.')[0]}.{type(value).__name__}"
    if kind.endswith(".LazyFrame"):
        raise InvalidData(f"data: a {kind} has no rows yet; pass `frame.collect()`.")
    if hasattr(value, "to_pandas") and not isinstance(value, pd.Series | pd.Index) and hasattr(value, "columns"):
        return value.to_pandas(), f"the {kind}"
    if isinstance(value, Mapping) and target is not None and str(target) in map(str, value):
        return _of_columns(value), "the dict of columns"
    if isinstance(value, Mapping):
        names = ", ".join(map(repr, list(value)[:10]))
        raise InvalidData(
            f"data: a dict with {names or 'nothing in it'}; say which column is the target (`target=`), or pass "
            "(x, y), where x and y may be dicts of arrays."
        )
    return None, ""


def _of_columns(value: Mapping[Any, Any]) -> pd.DataFrame:
    lengths = {name: len(column) for name, column in value.items() if hasattr(column, "__len__")}
    if len(lengths) < len(value) or len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {lengths.get(name, 'no column')}" for name in list(value)[:10])
        raise InvalidData(f"data: the columns of a dict must have the same number of rows, got {shown}.")
    try:
        return pd.DataFrame(dict(value))
    except ValueError as problem:
        raise InvalidData(
            f"data: a dict with a target holds columns of one value a row ({problem}); pass arrays of more "
            "axes as (x, y)."
        ) from None
