"""A data set: features, targets, sample weights, and what was inferred about them while reading."""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.on_disk import Array, DiskArray, Spool, pieces, take
from optselect.data.text_columns import Reading, ReadOptions

__all__ = ["Data", "Features", "Values", "bad_rows", "non_finite", "row_hashes", "take_rows"]

Features = pd.DataFrame | Array | dict[str, Array]
"""A table with one column a feature, or one array, or named arrays; the first axis counts rows."""

Values = pd.Series | np.ndarray
"""One target: a series of one value a row, or an array of several, shape (rows, ...)."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """A data set as it was read: features and raw target values, row by row.

    Parameters
    ----------
    name : str
        Where it comes from: a file name, or "sklearn:digits".
    x : DataFrame or ndarray or dict of str to ndarray
        Features: a table without the target, one array whose first axis counts rows, or named arrays.
    y : Series or ndarray or dict of str to these
        Target values as they were given; several targets by name.
    target : str
        Name of the target, or names separated by commas.
    notes : tuple of str, default ()
        What was inferred and should be shown.
    sample_weight : Series or ndarray, optional
        Weight of each row, as it was given. None: all rows count the same.
    spool : Spool, optional
        Folder of arrays on disk that had no file of their own; it is removed together with the last data set that uses
        it.
    readings : dict of str to Reading, optional
        How the columns of a table were read, by name.
    options : ReadOptions, optional
        The reading options that the caller gave.
    by_place : frozenset of str, default frozenset()
        "x" or "y" where several arrays came as a list: they are the model's inputs or outputs in that order, whatever
        their names.
    targetless : bool, default False
        Whether there is nothing to predict: `y` counts the rows, and no model sees it.
    aside : dict of str to ndarray, optional
        Values by row that no model sees and that part the rows, each of shape (rows,): "part", 0 to train, 1 to
        validate, 2 to test, where that is given; "group"; "time", numbers or dates; "row", the place of the row before
        any was left out.

    Examples
    --------
    >>> data = Data(name="two rows", x=np.zeros((2, 3), "float32"), y=pd.Series([0, 1]), target="y")
    >>> data.rows, data.is_table, data.digest()[:8] == data.digest()[:8]
    (2, False, True)
    """

    name: str
    x: Features
    y: Values | dict[str, Values]
    target: str
    notes: tuple[str, ...] = ()
    sample_weight: Values | None = None
    spool: Spool | None = None
    readings: Mapping[str, Reading] = dataclasses.field(default_factory=dict)
    options: ReadOptions = dataclasses.field(default_factory=ReadOptions)
    by_place: frozenset[str] = frozenset()
    targetless: bool = False
    aside: Mapping[str, np.ndarray] = dataclasses.field(default_factory=dict)

    @property
    def targets(self) -> dict[str, Values]:
        """Every target by its name."""
        return self.y if isinstance(self.y, dict) else {self.target: self.y}

    @property
    def rows(self) -> int:
        """How many rows."""
        return len(next(iter(self.targets.values())))

    @property
    def is_table(self) -> bool:
        """Whether the features are named columns that still need preparation."""
        return isinstance(self.x, pd.DataFrame)

    @property
    def resident(self) -> int:
        """Bytes of the features that are in memory."""
        if isinstance(self.x, pd.DataFrame):
            return int(self.x.memory_usage(deep=True).sum())
        parts = self.x.values() if isinstance(self.x, dict) else [self.x]
        return sum(part.nbytes for part in parts if isinstance(part, np.ndarray))

    def digest(self) -> str:
        """A hash of every value, column name and dtype.

        Returns
        -------
        str
            SHA-256 in hexadecimal.
        """
        sha = hashlib.sha256()
        for label, values in self._parts():
            sha.update(f"{label!r}{values.dtype}{values.shape}".encode())
            for piece in pieces(values) if _is_plain(values) else [_hashes(values)]:
                sha.update(np.ascontiguousarray(piece).data.cast("B") if piece.size else b"")
        return sha.hexdigest()

    def _parts(self) -> Iterator[tuple[tuple[str, str], Any]]:
        for name, values in self.targets.items():
            yield ("target", name), values
        if self.sample_weight is not None:
            yield ("weight", ""), self.sample_weight
        if isinstance(self.x, pd.DataFrame):
            for name in self.x.columns:
                yield ("column", str(name)), self.x[name]
        elif isinstance(self.x, dict):
            for name in sorted(self.x):
                yield ("array", name), self.x[name]
        else:
            yield ("array", ""), self.x


def _is_plain(values: Any) -> bool:
    """Whether it is an array whose bytes are its values."""
    return isinstance(values, DiskArray) or (isinstance(values, np.ndarray) and values.dtype != object)


def _hashes(values: Any) -> np.ndarray:
    """A number for each value of a series or an array of objects, equal for equal values: uint64."""
    series = values if isinstance(values, pd.Series) else pd.Series(values.ravel())
    if series.dtype == object:
        series = series.map(repr)  # 1 and "1" differ; mixed types cannot be hashed otherwise
    return np.asarray(pd.util.hash_pandas_object(series, index=False, categorize=True))


def take_rows(x: Features, rows: np.ndarray) -> Features:
    """The given rows, in the given order; of an array on disk a view.

    >>> take_rows(np.array([[1], [2], [3]]), np.array([2, 0])).tolist()
    [[3], [1]]
    """
    if isinstance(x, pd.DataFrame):
        return x.iloc[rows]
    if isinstance(x, dict):
        return {name: take(values, rows) for name, values in x.items()}
    return take(x, rows)


def bad_rows(x: Features) -> np.ndarray:
    """Which rows of arrays hold NaN or infinity: bool, shape (rows,), or (0,) where no array could.

    >>> bad_rows({"a": np.array([1.0, np.nan]), "b": np.array([1, 2])})
    array([False,  True])
    """
    bad = [np.concatenate([_bad(piece) for piece in pieces(array)]) for array in _arrays(x).values() if len(array)]
    return np.logical_or.reduce(bad) if bad else np.zeros(0, bool)


def _bad(array: np.ndarray) -> np.ndarray:
    finite: np.ndarray = np.isfinite(array.reshape(len(array), -1)).all(axis=1)
    return ~finite


def non_finite(x: Features) -> list[str]:
    """Where arrays hold NaN or infinity: a phrase for each that does.

    >>> non_finite(np.array([[1.0, 2.0], [np.nan, 4.0]]))
    ['1 of 4 values of `x`, in x[:, 0]']
    """
    found = []
    for name, array in _arrays(x).items():
        count, somewhere = 0, np.zeros(array.shape[1:], bool)
        for piece in pieces(array):
            bad = ~np.isfinite(piece)
            count, somewhere = count + int(bad.sum()), somewhere | bad.any(axis=0)
        if count:
            places = [", ".join(map(str, (":", *place))) for place in np.argwhere(somewhere)]
            more = f" and {len(places) - 5:,} more" if len(places) > 5 else ""
            shown = ", ".join(f"{name}[{place}]" for place in places[:5])
            found.append(f"{count:,} of {math.prod(array.shape):,} values of `{name}`, in {shown}{more}")
    return found


def _arrays(x: Features) -> dict[str, Array]:
    """The arrays that can hold NaN, by name."""
    if isinstance(x, pd.DataFrame):
        return {}
    arrays: dict[str, Array] = x if isinstance(x, dict) else {"x": x}
    return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}


def row_hashes(x: Features) -> np.ndarray:
    """One 64-bit number a row, equal for equal rows: shape (rows,), uint64.

    >>> a, b, c = row_hashes(np.array([[1.0, 2.0], [1.0, 2.0], [2.0, 1.0]]))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    if isinstance(x, dict):
        parts = [row_hashes(x[name]) for name in sorted(x)]
        return row_hashes(np.stack(parts, axis=1))
    if isinstance(x, pd.DataFrame):
        columns = [_hashes(x[name]) for name in x.columns]
        return row_hashes(np.stack(columns, axis=1)) if columns else np.zeros(len(x), "uint64")
    digests = b"".join(
        hashlib.blake2b(row.tobytes(), digest_size=8).digest()
        for piece in pieces(x)
        for row in piece.reshape(len(piece), -1)
    )
    return np.frombuffer(digests, "uint64")
