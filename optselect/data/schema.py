"""What each column of a table means to a model: its kind, or why it is left out. Decided on training rows alone."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd

from optselect.data.dates import date_form
from optselect.data.raw_rows import raw_columns
from optselect.data.text_columns import Reading
from optselect.errors import InvalidData

__all__ = ["Column", "ColumnKind", "Dropped", "Schema", "infer_schema", "raw_inputs"]

ColumnKind = Literal["number", "boolean", "category", "date", "text"]

_FEWEST_ROWS_FOR_IDS = 20  # among fewer rows, distinct values say nothing
_NAMES_OF_IDS = re.compile(
    r"(^|[^a-z])(id|ids|idx|index|row|rows|nr|no|num|key|uuid|guid|record|unnamed|serial)([^a-z]|$)|^column \d+$"
)
_NAMES_OF_TIME = re.compile(
    r"(^|[^a-z])(year|years|yr|month|months|week|weeks|day|days|hour|hours|minute|minutes|second|seconds|quarter|date|"
    r"time|timestamp|t|step|steps|period|epoch|age|cycle|cycles|jahr|monat|woche|tag|stunde|zeit|datum|annee|année|"
    r"mois|semaine|jour|heure|temps|año|ano|mes|semana|dia|día|hora|tiempo|anno|mese|giorno|ora)([^a-z]|$)"
)
_CORRELATES = 0.5  # of ranks, between a counter and the target
_FEWEST_ROWS_TO_CORRELATE = 20


@dataclasses.dataclass(frozen=True, kw_only=True)
class Column:
    """A feature column.

    date_format, number_format: how its text is read as a date or a number, as `raw_rows` takes it; "" if it is none
    or holds no text.
    """

    name: str
    kind: ColumnKind
    date_format: str = ""
    number_format: str = ""

    @property
    def form(self) -> str:
        """How its text is read."""
        return self.date_format or self.number_format


@dataclasses.dataclass(frozen=True, kw_only=True)
class Dropped:
    """A column that no model sees, and why."""

    name: str
    reason: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Schema:
    """The columns of a table: those that are used, and those that are not.

    Parameters
    ----------
    columns : tuple of Column
        Used columns, in the order of the table.
    dropped : tuple of Dropped
        Columns that are not used, with the reason.
    notes : tuple of str, default ()
        Remarks on columns that are used.
    counts_time : tuple of str, default ()
        Columns that count the rows and are time by their name.
    """

    columns: tuple[Column, ...]
    dropped: tuple[Dropped, ...]
    notes: tuple[str, ...] = ()
    counts_time: tuple[str, ...] = ()

    def describe(self) -> list[str]:
        """Describe the columns in words.

        Returns
        -------
        list of str
            Lines: how many columns of each kind, which are not used, and why.
        """
        kinds = [c.kind for c in self.columns]
        counted = ", ".join(f"{kinds.count(kind)} {kind}" for kind in dict.fromkeys(kinds))
        return [
            f"columns: {counted}",
            *self.notes,
            *(f"not used: `{d.name}`: {d.reason}" for d in self.dropped),
        ]


def infer_schema(
    training: pd.DataFrame,
    source: str,
    *,
    readings: Mapping[str, Reading] | None = None,
    keep: Collection[str] = (),
    target: np.ndarray | None = None,
) -> Schema:
    """The schema that the training rows suggest. Raises InvalidData if no column is left.

    readings: how the columns were read, by name. keep: columns that are used even if they look like ids. target: of
    the training rows, numbers, shape (rows,), None for classes.

    >>> frame = pd.DataFrame({"size": [1.5, 2.5, 3.5], "colour": ["red", "blue", "red"], "unit": ["m", "m", "m"]})
    >>> schema = infer_schema(frame, "things.csv")
    >>> [(c.name, c.kind) for c in schema.columns], schema.dropped[0].reason
    ([('size', 'number'), ('colour', 'category')], "constant: always 'm'")
    """
    readings = readings or {}
    found = {str(name): _column(training[name], str(name), readings.get(str(name)), keep) for name in training.columns}
    notes, times = [], []
    counters = [n for n, d in found.items() if isinstance(d, Dropped) and d.reason == _COUNTER]
    alone = not any(isinstance(c, Column) for c in found.values())
    for name in counters:
        why = _why_kept(name, training[name], target) or ("the only column" if alone and len(counters) == 1 else "")
        if why:
            reading = readings.get(name, Reading())
            found[name] = Column(name=name, kind="number", number_format=reading.form)
            times += [name] * (why == _BY_NAME)
            notes.append(
                f'`{name}` counts the rows; used, since it is {why}: `DataOptions(drop="{name}")` leaves it out'
            )
    columns = tuple(c for c in found.values() if isinstance(c, Column))
    dropped = tuple(d for d in found.values() if isinstance(d, Dropped))
    if not columns:
        reasons = "; ".join(f"`{d.name}` {d.reason}" for d in dropped[:5])
        raise InvalidData(
            f'{source}: no column left to learn from: {reasons}. `DataOptions(keep="NAME")` uses one all the same.'
        )
    return Schema(columns=columns, dropped=dropped, notes=tuple(notes), counts_time=tuple(times))


_BY_NAME = "time by its name"
_COUNTER = "an id: a different whole number in every row, without gaps to speak of"


def _why_kept(name: str, values: pd.Series, target: np.ndarray | None) -> str:
    """Why a counter is no id, "" if it looks like one."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    if _NAMES_OF_IDS.search(words) or re.search(r"[a-z]I[Dd]$", name):
        return ""
    present = values.dropna()
    if _NAMES_OF_TIME.search(words):
        return _BY_NAME
    if target is None or len(present) < max(len(values), _FEWEST_ROWS_TO_CORRELATE):
        return ""
    rank = pd.Series(target.astype("float64")).corr(present.reset_index(drop=True), method="spearman")
    return f"in step with the target (rank correlation {rank:.2f})" if abs(rank) >= _CORRELATES else ""


def _column(values: pd.Series, name: str, reading: Reading | None, keep: Collection[str]) -> Column | Dropped:
    present = values.dropna()
    if not len(present):
        return Dropped(name=name, reason="empty in all training rows")
    if reading is not None and reading.is_date:
        kind: ColumnKind | None = "date"
    else:
        kind = _dtype_kind(present)
    if kind is None:
        return Dropped(name=name, reason=f"holds {type(present.iloc[0]).__name__}, which no model takes")
    form = reading.form if reading is not None else ""
    if kind == "text":
        present = present.map(str)
    distinct = present.nunique()
    if distinct == 1 and len(present) == len(values) and name not in keep:
        return Dropped(name=name, reason=f"constant: always {_shown(present.iloc[0])}")
    if kind == "number" and name not in keep and _is_counter(present, distinct):
        return Dropped(name=name, reason=_COUNTER)
    if kind == "text":
        date_format = date_form(present.unique().tolist()).form if reading is None else ""
        return _text_column(present, distinct, name, date_format, name in keep)
    is_date = kind == "date"
    return Column(name=name, kind=kind, date_format=form if is_date else "", number_format="" if is_date else form)


def _dtype_kind(present: pd.Series) -> ColumnKind | None:
    """The kind that the type alone gives; "text" stands for every column of strings."""
    dtype = present.dtype
    is_object = pd.api.types.is_object_dtype(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return "category"
    if pd.api.types.is_bool_dtype(dtype) or (is_object and present.map(lambda v: isinstance(v, bool)).all()):
        return "boolean"
    if pd.api.types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "date"
    if pd.api.types.is_complex_dtype(dtype):
        return None
    if pd.api.types.is_numeric_dtype(dtype) or pd.api.types.is_timedelta64_dtype(dtype):
        return "number"
    if is_object and pd.api.types.infer_dtype(present) in ("date", "datetime", "time"):
        return "date"
    if is_object and pd.api.types.infer_dtype(present) == "decimal":
        return "number"
    scalars = not is_object or present.map(np.isscalar).all()
    return "text" if scalars else None


def _is_counter(present: pd.Series, distinct: int) -> bool:
    if distinct < len(present) or distinct < _FEWEST_ROWS_FOR_IDS or not pd.api.types.is_integer_dtype(present):
        return False
    low, high = int(present.min()), int(present.max())
    return high - low < 2 * distinct


def _text_column(present: pd.Series, distinct: int, name: str, date_format: str, keep: bool) -> Column | Dropped:
    if date_format:
        return Column(name=name, kind="date", date_format=date_format)
    with_space = present.str.strip().str.contains(r"\s", regex=True).mean()
    if with_space >= 0.5 and distinct >= 0.5 * len(present):
        return Column(name=name, kind="text")
    if distinct == len(present) and distinct >= _FEWEST_ROWS_FOR_IDS and not keep:
        return Dropped(name=name, reason=f"an id: another word in every row, such as {_shown(present.iloc[0])}")
    return Column(name=name, kind="category")


def _shown(value: Any) -> str:
    text = repr(value.item() if isinstance(value, np.generic) else value)
    return text if len(text) <= 40 else text[:37] + "..."


def raw_inputs(table: pd.DataFrame, schema: Schema) -> dict[str, np.ndarray]:
    """Convert a table to the arrays that the model takes.

    Parameters
    ----------
    table : DataFrame
        Rows with at least the used columns.
    schema : Schema
        The columns.

    Returns
    -------
    dict of str to ndarray
        One array of shape (rows,) per used column. Numbers and booleans: float32, missing or infinite as NaN.
        Categories, dates (ISO 8601) and text: str objects, missing as "".

    Raises
    ------
    InvalidData
        If a column is missing.

    Examples
    --------
    >>> columns = (Column(name="size", kind="number"), Column(name="colour", kind="category"))
    >>> schema = Schema(columns=columns, dropped=())
    >>> raw_inputs(pd.DataFrame({"size": [1, None], "colour": [None, "red"]}), schema)
    {'size': array([ 1., nan], dtype=float32), 'colour': array(['', 'red'], dtype=object)}
    """
    lacking = [c.name for c in schema.columns if c.name not in table.columns]
    if lacking:
        raise InvalidData(f"table: lacks the columns {', '.join(f'`{name}`' for name in lacking[:10])}.")
    return raw_columns(table, ((c.name, c.kind, c.form) for c in schema.columns))
