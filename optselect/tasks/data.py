"""A data set in memory: features, targets, sample weights, and what was inferred about them while reading."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Data", "Features", "Values", "bad_rows", "non_finite", "row_hashes", "take_rows"]

Features = pd.DataFrame | np.ndarray | dict[str, np.ndarray]
"""A table with one column a feature, or one array, or named arrays; the first axis counts rows."""

Values = pd.Series | np.ndarray
"""One target: a series of one value a row, or an array of several, shape (rows, ...)."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Data:
    """Features and raw target values, row by row.

    name: for people (a file name, "sklearn:digits"). x: a frame without the target; or an array whose first axis
    counts rows; or named arrays. y: the target as it was given, or several by name. target: the name of the
    target, or the names with commas. notes: what was inferred and must be said. sample_weight: what each row
    counts, as it was given, None if all count alike.

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

    def digest(self) -> str:
        """SHA-256 of every value, every column name and every type, in hexadecimal."""
        sha = hashlib.sha256()
        for label, values in self._parts():
            sha.update(f"{label!r}{values.dtype}{values.shape}".encode())
            sha.update(_bytes(values))
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


def _bytes(values: Any) -> bytes:
    """The contents of a series or an array, equal for equal values."""
    if isinstance(values, np.ndarray) and values.dtype != object:
        return np.ascontiguousarray(values).tobytes()
    series = values if isinstance(values, pd.Series) else pd.Series(values.ravel())
    if series.dtype == object:
        series = series.map(repr)  # 1 and "1" differ; mixed types cannot be hashed otherwise
    return np.asarray(pd.util.hash_pandas_object(series, index=False, categorize=True)).tobytes()


def take_rows(x: Features, rows: np.ndarray) -> Features:
    """The given rows, in the given order.

    >>> take_rows(np.array([[1], [2], [3]]), np.array([2, 0])).tolist()
    [[3], [1]]
    """
    if isinstance(x, pd.DataFrame):
        return x.iloc[rows]
    if isinstance(x, dict):
        return {name: values[rows] for name, values in x.items()}
    taken: np.ndarray = x[rows]
    return taken


def bad_rows(x: Features) -> np.ndarray:
    """Which rows of arrays hold NaN or infinity: bool, shape (rows,), or (0,) where no array could.

    >>> bad_rows({"a": np.array([1.0, np.nan]), "b": np.array([1, 2])})
    array([False,  True])
    """
    bad = [~np.isfinite(array.reshape(len(array), -1)).all(axis=1) for array in _arrays(x).values()]
    return np.logical_or.reduce(bad) if bad else np.zeros(0, bool)


def non_finite(x: Features) -> list[str]:
    """Where arrays hold NaN or infinity: a phrase for each that does.

    >>> non_finite(np.array([[1.0, 2.0], [np.nan, 4.0]]))
    ['1 of 4 values of `x`, in x[:, 0]']
    """
    found = []
    for name, array in _arrays(x).items():
        bad = ~np.isfinite(array)
        if bad.any():
            places = [", ".join(map(str, (":", *place))) for place in np.argwhere(bad.any(axis=0))]
            more = f" and {len(places) - 5:,} more" if len(places) > 5 else ""
            shown = ", ".join(f"{name}[{place}]" for place in places[:5])
            found.append(f"{int(bad.sum()):,} of {bad.size:,} values of `{name}`, in {shown}{more}")
    return found


def _arrays(x: Features) -> dict[str, np.ndarray]:
    """The arrays that can hold NaN, by name."""
    if isinstance(x, pd.DataFrame):
        return {}
    arrays = x if isinstance(x, dict) else {"x": x}
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
        columns = [np.frombuffer(_bytes(x[name]), "uint64") for name in x.columns]
        return row_hashes(np.stack(columns, axis=1)) if columns else np.zeros(len(x), "uint64")
    flat = np.ascontiguousarray(x.reshape(len(x), -1))
    digests = b"".join(hashlib.blake2b(row.tobytes(), digest_size=8).digest() for row in flat)
    return np.frombuffer(digests, "uint64")
