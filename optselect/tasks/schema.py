"""What each column of a table means to a model: its kind, or why it is left out. Decided on training rows alone."""

from __future__ import annotations

import dataclasses
import re
from typing import Any, Literal

import numpy as np
import pandas as pd

from optselect.errors import InvalidData
from optselect.tasks.raw_rows import raw_columns

__all__ = ["Column", "ColumnKind", "Dropped", "Schema", "infer_schema", "raw_inputs"]

ColumnKind = Literal["number", "boolean", "category", "date", "text"]

_FEWEST_ROWS_FOR_IDS = 20  # among fewer rows, distinct values say nothing
_DATE_FORMATS = (
    (re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?(Z|[+-]\d{2}:?\d{2})?"), "ISO8601"),
    (re.compile(r"\d{4}/\d{1,2}/\d{1,2}"), "%Y/%m/%d"),
    (re.compile(r"\d{1,2}\.\d{1,2}\.\d{4}"), "%d.%m.%Y"),
    (re.compile(r"\d{1,2}/\d{1,2}/\d{4}"), "%d/%m/%Y"),
    (re.compile(r"\d{1,2}/\d{1,2}/\d{4}"), "%m/%d/%Y"),
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A feature column. date_format: how its text is read as a date; "" if it is no date or holds dates already."""

    name: str
    kind: ColumnKind
    date_format: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dropped:
    """A column that no model sees, and why."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schema:
    """The columns that are used, in the order of the table, and those that are not."""

    columns: tuple[Column, ...]
    dropped: tuple[Dropped, ...]

    def describe(self) -> list[str]:
        """Lines for people: how many columns of each kind, which were dropped and why."""
        kinds = [c.kind for c in self.columns]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return [f"columns: {counted}", *(f"not used: `{d.name}`: {d.reason}" for d in self.dropped)]


def infer_schema(training: pd.DataFrame, source: str) -> Schema:
    """The schema that the training rows suggest. Raises InvalidData if no column is left.

    >>> frame = pd.DataFrame({"size": [1.5, 2.5, 3.5], "colour": ["red", "blue", "red"], "unit": ["m", "m", "m"]})
    >>> schema = infer_schema(frame, "things.csv")
    >>> [(c.name, c.kind) for c in schema.columns], schema.dropped[0].reason
    ([('size', 'number'), ('colour', 'category')], "constant: always 'm'")
    """
    found = [_column(training[name], str(name)) for name in training.columns]
    columns = tuple(c for c in found if isinstance(c, Column))
    dropped = tuple(d for d in found if isinstance(d, Dropped))
    if not columns:
        reasons = "; ".join(f"`{d.name}` {d.reason}" for d in dropped[:5])
        raise InvalidData(f"{source}: no column left to learn from: {reasons}.")
    return Schema(columns=columns, dropped=dropped)


def _column(values: pd.Series, name: str) -> Column | Dropped:
    present = values.dropna()
    if not len(present):
        return Dropped(name=name, reason="empty in all training rows")
    kind = _dtype_kind(present)
    if kind is None:
        return Dropped(name=name, reason=f"holds {type(present.iloc[0]).__name__}, which no model takes")
    if kind == "text":
        present = present.map(str)
    distinct = present.nunique()
    if distinct == 1 and len(present) == len(values):
        return Dropped(name=name, reason=f"constant: always {_shown(present.iloc[0])}")
    if kind == "number" and _is_counter(present, distinct):
        return Dropped(name=name, reason="an id: a different whole number in every row, without gaps to speak of")
    return _text_column(present, distinct, name) if kind == "text" else Column(name=name, kind=kind)


def _dtype_kind(present: pd.Series) -> ColumnKind | None:
    """The kind that the type alone gives; "text" stands for every column of strings."""
    dtype = present.dtype
    is_object = pd.api.types.is_object_dtype(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_bool_dtype(dtype) or (is_object and present.map(lambda v: isinstance(v, bool)).all()):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype):
        return "date"
    if pd.api.types.is_complex_dtype(dtype):
        return None
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "number"
    if is_object and pd.api.types.infer_dtype(present) in ("date", "datetime"):
        return "date"
    if is_object and pd.api.types.infer_dtype(present) == "decimal":
        return "number"
    scalars = not is_object or present.map(np.isscalar).all()
    return "text" if scalars else None


def _is_counter(present: pd.Series, distinct: int) -> bool:
    if distinct < len(present) or distinct < _FEWEST_ROWS_FOR_IDS or not pd.api.types.is_integer_dtype(present):
        return False
    return int(present.max()) - int(present.min()) < 2 * distinct


def _text_column(present: pd.Series, distinct: int, name: str) -> Column | Dropped:
    date_format = _date_format(present)
    if date_format:
        return Column(name=name, kind="date", date_format=date_format)
    with_space = present.str.strip().str.contains(r"\s", regex=True).mean()
    if with_space >= 0.5 and distinct >= 0.5 * len(present):
        return Column(name=name, kind="text")
    if distinct == len(present) and distinct >= _FEWEST_ROWS_FOR_IDS:
        return Dropped(name=name, reason=f"an id: another word in every row, such as {_shown(present.iloc[0])}")
    return Column(name=name, kind="category")


def _date_format(present: pd.Series) -> str:
    """The first format in which every value is a date, "" if none is."""
    for pattern, date_format in _DATE_FORMATS:
        matches = present.str.fullmatch(pattern.pattern).all()
        if matches and pd.to_datetime(present, format=date_format, errors="coerce", utc=True).notna().all():
            return date_format
    return ""


def _shown(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else text[:37] + "..."


def raw_inputs(table: pd.DataFrame, schema: Schema) -> dict[str, np.ndarray]:
    """A table as the model takes it: one array a used column, by name.

    Numbers and booleans: float32, missing or infinite as NaN. Categories, dates (ISO 8601) and text: str objects,
    missing as "". Every array has the shape (rows,). Raises InvalidData if a column is not there.

    >>> columns = (Column(name="size", kind="number"), Column(name="colour", kind="category"))
    >>> schema = Schema(columns=columns, dropped=())
    >>> raw_inputs(pd.DataFrame({"size": [1, None], "colour": [None, "red"]}), schema)
    {'size': array([ 1., nan], dtype=float32), 'colour': array(['', 'red'], dtype=object)}
    """
    lacking = [c.name for c in schema.columns if c.name not in table.columns]
    if lacking:
        raise InvalidData(f"table: lacks the columns {', '.join(f'`{name}`' for name in lacking[:10])}.")
    return raw_columns(table, ((c.name, c.kind, c.date_format) for c in schema.columns))
