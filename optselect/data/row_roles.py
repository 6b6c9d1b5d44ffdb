"""Columns that part the rows instead of being features: groups, moments, and given parts."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.raw_rows import moments
from optselect.data.target import is_missing
from optselect.data.text_columns import Reading, ReadOptions
from optselect.errors import InvalidData, UnknownName
from optselect.util.suggestion import suggestion

__all__ = ["RowRoles", "given_parts", "group_values", "row_arrays", "row_roles", "time_values"]

_WORDS = (
    ("train", "training", "tr", "trn", "learn", "learning", "fit", "development set"),
    ("validation", "validate", "valid", "val", "dev", "eval", "evaluation"),
    ("test", "testing", "tst", "holdout", "hold-out", "hold_out", "held-out", "held_out", "heldout", "hold out"),
)
_SHOWN = 5


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RowRoles:
    """A table without the columns that are no features, and what those say.

    aside: as `Data` has it, but for moments, which are read later. time: a column that parts the rows and is no
    feature; it is still in the table. notes: for people.
    """

    frame: pd.DataFrame
    aside: dict[str, np.ndarray]
    time: str | None = None
    notes: tuple[str, ...] = ()


def row_roles(frame: pd.DataFrame, options: ReadOptions, targets: tuple[str, ...], name: str) -> RowRoles:
    """Take the columns that part the rows out of a table.

    targets: columns that cannot. Raises UnknownName for a column that is not there, InvalidData for one that does not
    say enough.
    """
    aside = row_arrays(len(frame), options, name)
    notes = []
    for what, column in (("group", options.group), ("time", options.time), ("given", options.given)):
        if column is None:
            continue
        if column not in frame.columns:
            raise UnknownName(
                f"{name}: no column `{column}` to split the rows by. {suggestion(column, map(str, frame.columns))}"
            )
        if column in targets:
            raise InvalidData(f"{name}: `{column}` is a target or a weight, so the rows cannot be split by it.")
        if what != "time":
            read: Callable[..., np.ndarray] = group_values if what == "group" else given_parts
            aside["group" if what == "group" else "part"] = read(frame[column], column, name)
            frame = frame.drop(columns=[column])
            notes.append(f"`{column}` parts the rows and is no feature")
    return RowRoles(frame=frame, aside=aside, time=options.time, notes=tuple(notes))


def row_arrays(rows: int, options: ReadOptions, name: str) -> dict[str, np.ndarray]:
    """What was given by row beside the data. Raises InvalidData for other numbers of rows."""
    found = {}
    if options.groups is not None:
        groups = pd.Series(np.asarray(options.groups).ravel())
        if len(groups) != rows:
            raise InvalidData(f"{name}: `groups` has {len(groups):,} values, the data {rows:,} rows: one per row.")
        found["group"] = group_values(groups, "groups", name)
    if options.counted:
        found["row"] = np.arange(rows)
    if options.ordered:
        found["time"] = np.arange(1, rows + 1, dtype="float64")
    return found


def group_values(values: pd.Series, column: str, name: str) -> np.ndarray:
    """The group of each row, as text or numbers: objects, shape (rows,). Raises InvalidData for missing ones.

    >>> group_values(pd.Series(["a ", "b"]), "who", "t.csv")
    array(['a', 'b'], dtype=object)
    """
    found = values.astype(object).map(lambda v: v.strip() if isinstance(v, str) else v)
    _refuse_missing(is_missing(found), column, "groups", name)
    return found.to_numpy(dtype=object)


def given_parts(values: pd.Series, column: str, name: str) -> np.ndarray:
    """The part of each row by its number. Raises InvalidData for values that name no part.

    >>> given_parts(pd.Series(["train", "Val", "hold-out", "train"]), "part", "t.csv").tolist()
    [0, 1, 2, 0]
    >>> given_parts(pd.Series([True, False]), "is_test", "t.csv").tolist()
    [2, 0]
    """
    codes, distinct = pd.factorize(values.astype(object).map(lambda v: v.strip() if isinstance(v, str) else v))
    _refuse_missing(is_missing(values.astype(object)) | (codes < 0), column, "parts", name)
    numbers = _yes_or_no(column, distinct) or {word: n for n, words in enumerate(_WORDS) for word in words}
    found = [numbers.get(str(value).lower(), -1) for value in distinct]
    if -1 in found:
        unknown = [str(value) for value, number in zip(distinct, found, strict=True) if number < 0]
        shown = ", ".join(map(repr, unknown[:_SHOWN])) + ", ..." * (len(unknown) > _SHOWN)
        raise InvalidData(
            f"{name}: `{column}` must say train, validation (val, valid, dev) or test (holdout) in each row, got "
            f"{shown}."
        )
    if len({*found}) < 2:
        raise InvalidData(f"{name}: `{column}` says {distinct[0]!r} in every row: it parts no rows.")
    return np.array(found, "int8")[codes]


def _yes_or_no(column: str, distinct: Any) -> Mapping[str, int]:
    """What true and false mean in a column that is named for a part."""
    words = {str(value).lower() for value in distinct}
    yes, no = {"true", "1", "1.0", "yes"}, {"false", "0", "0.0", "no"}
    if not words <= yes | no:
        return {}
    named = [n for n, part in enumerate(_WORDS) if any(re.search(rf"(^|[^a-z]){w}", column.lower()) for w in part[:3])]
    if len(named) != 1:
        return {}
    other = 2 if named[0] == 0 else 0
    return dict.fromkeys(yes, named[0]) | dict.fromkeys(no, other)


def time_values(values: pd.Series, reading: Reading | None, column: str, name: str) -> np.ndarray:
    """The moment of each row, datetime64 or float64. Raises InvalidData for what has no order, or is missing.

    >>> time_values(pd.Series(["2019-02", "2019-01"]), Reading(form="%Y-%m", is_date=True), "month", "t.csv")[1]
    np.datetime64('2019-01-01T00:00:00')
    """
    form = reading.form if reading is not None else ""
    if isinstance(values.dtype, pd.PeriodDtype):
        values = values.dt.to_timestamp()
    if pd.api.types.is_datetime64_any_dtype(values) or (reading is not None and reading.is_date):
        dated = pd.to_datetime(values, utc=True) if values.dtype.kind == "M" else moments(values, form)
        found = pd.Series(pd.to_datetime(dated, utc=True)).dt.tz_localize(None).to_numpy()
        seconds = found.astype("datetime64[s]")
        found = seconds if (found == seconds)[~np.isnat(found)].all() else found
    elif pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
        found = values.to_numpy(dtype="float64", na_value=np.nan)
    elif pd.api.types.is_timedelta64_dtype(values):
        found = values.dt.total_seconds().to_numpy()
    else:
        example = values.dropna().iloc[0] if values.notna().any() else ""
        raise InvalidData(
            f"{name}: `{column}` is to order the rows in time and holds neither dates nor numbers, such as "
            f"{str(example)!r}."
        )
    missing = np.isnat(found) if found.dtype.kind == "M" else ~np.isfinite(found)
    _refuse_missing(missing, column, "the order of the rows", name)
    if (found == found[0]).all():
        raise InvalidData(f"{name}: `{column}` has one value in all rows: it orders nothing.")
    return np.asarray(found)


def _refuse_missing(missing: np.ndarray, column: str, what: str, name: str) -> None:
    if missing.any():
        rows = np.flatnonzero(missing)
        shown = ", ".join(str(row + 1) for row in rows[:_SHOWN]) + ", ..." * (len(rows) > _SHOWN)
        raise InvalidData(
            f"{name}: `{column}` makes {what}, and {len(rows):,} of {len(missing):,} rows have no value there (row "
            f"{shown}). Fill them in, or remove the rows."
        )
