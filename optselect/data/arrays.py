"""Arrays from whatever holds data: lists, tensors, sparse matrices, frames of other libraries."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.on_disk import DiskArray, Room
from optselect.errors import InvalidData
from optselect.util.machine import gigabytes

__all__ = ["Taken", "as_plain", "taken", "unequal_rows"]

_FRAMES = ("polars", "pyarrow", "modin", "cudf", "dask")
_FEWEST = 10  # rows; a list of fewer arrays is a list of inputs wherever it can be one


@dataclasses.dataclass(frozen=True, kw_only=True)
class Taken:
    """Features, targets and sample weights as arrays or pandas objects, by name in dicts.

    by_place: "x" and "y" where several were given as a list; their names are "0", "1", ... and "output_1", ... notes:
    what was assumed. targetless: whether there are no targets, and `y` counts the rows. part: of each row by number,
    where the data bring their own parts.
    """

    x: Any
    y: Any
    weight: Any = None
    by_place: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    targetless: bool = False
    part: np.ndarray | None = None


def taken(x: Any, y: Any, weight: Any, where: str, room: Room) -> Taken:
    """What `model.fit(x, y, sample_weight)` would take, as arrays.

    A list is a list of inputs if it holds arrays that each have as many rows as the other side, else a list of rows.
    Raises InvalidData for what is no array, or has rows of different length.
    """
    rows = _rows(x, y)
    notes: list[str] = []
    features, x_by_place = _parts(x, rows, f"{where}: x", room, notes, "{}")
    targets, y_by_place = _parts(y, rows, f"{where}: y", room, notes, "output_{}", first=1)
    places = {name for name, is_so in (("x", x_by_place), ("y", y_by_place)) if is_so}
    return Taken(
        x=features,
        y=targets,
        weight=None if weight is None else as_plain(weight, f"{where}: sample_weight", room, notes),
        by_place=frozenset(places),
        notes=tuple(notes),
    )


def _parts(
    value: Any, rows: int, where: str, room: Room, notes: list[str], name: str, first: int = 0
) -> tuple[Any, bool]:
    """An array, or a dict of them; and whether their names are places in a list."""
    if isinstance(value, Mapping):
        return {str(n): as_plain(part, f"{where}[{n!r}]", room, notes) for n, part in value.items()}, False
    if not _is_list(value) or not _is_by_place(value, rows):
        _refuse_other_rows(value, rows, where)
        return as_plain(value, where, room, notes), False
    parts = [as_plain(part, f"{where}[{i}]", room, notes) for i, part in enumerate(value)]
    if len(parts) == 1:
        return parts[0], False
    return {name.format(i): part for i, part in enumerate(parts, first)}, True


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple) and not hasattr(value, "_fields")


def _is_by_place(value: Sequence[Any], rows: int) -> bool:
    return len(value) not in (0, rows) and all(_length(part) == rows for part in value)


def _refuse_other_rows(value: Any, rows: int, where: str) -> None:
    """Raise InvalidData for a list of whole arrays of which not all have as many rows as the other side."""
    if not _is_list(value) or len(value) in (0, rows) or any(np.ndim(part) < 2 for part in value if _has_shape(part)):
        return
    if all(_has_shape(part) for part in value):
        lengths = ", ".join(f"{_length(part):,}" for part in value[:5]) + ", ..." * (len(value) > 5)
        raise InvalidData(
            f"{where}: a list of {len(value):,} arrays with {lengths} rows, while there are {rows:,} rows in all. As "
            f"inputs or outputs each needs {rows:,} rows; as rows there must be {rows:,} of them."
        )


def _has_shape(value: Any) -> bool:
    return hasattr(value, "shape") and hasattr(value, "__len__")


def _rows(x: Any, y: Any) -> int:
    """How many rows there are; where both sides are lists of lists, what fits both."""
    for value in (y, x):
        found = _sure_rows(value)
        if found is not None:
            return found
    if all(_length(part) == len(y) for part in x):
        return len(y)
    if all(_length(part) == len(x) for part in y):
        return len(x)
    inner = {_length(part) for part in (*x, *y)}
    if len(inner) == 1 and (len(x) != len(y) or len(x) < _FEWEST):
        return inner.pop() or 0
    return len(y)


def _sure_rows(value: Any) -> int | None:
    """The rows of anything but a list of lists or arrays."""
    if isinstance(value, Mapping):
        return _length(next(iter(value.values()))) if value else 0
    if not _is_list(value):
        return _length(value)
    return len(value) if all(_length(part) is None for part in value) else None


def _length(value: Any) -> int | None:
    """Of the first axis; None for a number or a text."""
    if isinstance(value, str | bytes | Mapping):
        return None
    shape = getattr(value, "shape", None)
    if shape is not None and not isinstance(value, list | tuple):
        return int(shape[0]) if len(shape) else None
    try:
        return len(value)
    except TypeError:
        return None


def as_plain(value: Any, where: str, room: Room, notes: list[str]) -> Any:
    """One array as NumPy or pandas has it. Raises InvalidData for what cannot be one."""
    if isinstance(value, DiskArray):
        return value
    if isinstance(value, pd.Index):
        return value.to_series().reset_index(drop=True)
    if isinstance(value, pd.DataFrame | pd.Series):
        return value
    if type(value).__module__.partition(".")[0] in _FRAMES:
        return _frame(value, where)
    if hasattr(value, "toarray") and hasattr(value, "nnz"):
        return _dense(value, where, room, notes)
    if _is_list(value) and any(hasattr(part, "toarray") for part in value):
        value = [part.toarray().ravel() if hasattr(part, "toarray") else part for part in value]
    array = _array(value, where)
    return _usual(array, where, notes)


def _frame(value: Any, where: str) -> Any:
    """Of polars, Arrow and others, as pandas has it."""
    value = value.collect() if hasattr(value, "collect") else value.compute() if hasattr(value, "compute") else value
    if not hasattr(value, "to_pandas"):
        raise InvalidData(f"{where}: cannot read {_kind(value)}; pass a pandas or NumPy object.")
    try:
        return value.to_pandas()
    except ImportError as problem:
        raise InvalidData(f"{where}: {_kind(value)} cannot be turned into pandas: {problem}. Pass NumPy.") from None


def _dense(value: Any, where: str, room: Room, notes: list[str]) -> np.ndarray:
    size = int(np.prod(value.shape)) * value.dtype.itemsize
    if size > room.features:
        raise InvalidData(
            f"{where}: a sparse matrix of shape {value.shape} takes {gigabytes(size)} as a dense array; at most "
            f"{gigabytes(room.features)} are made dense. Take fewer columns (feature selection, TruncatedSVD)."
        )
    share = value.nnz / max(1, int(np.prod(value.shape)))
    notes.append(
        f"{where.rpartition(': ')[2]}: a sparse matrix, {share:.1%} of its values not 0, taken as a dense array"
    )
    dense: np.ndarray = np.asarray(value.toarray())
    return dense


def _array(value: Any, where: str) -> np.ndarray:
    """An array of whatever NumPy, TensorFlow, PyTorch or JAX hold, or of nested lists."""
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "to_tensor") and hasattr(value, "row_splits"):
        raise InvalidData(f"{where}: a ragged tensor: rows of different length. Pad them: `.to_tensor()`.")
    if hasattr(value, "dense_shape"):
        raise InvalidData(f"{where}: a sparse tensor; make it dense: `tf.sparse.to_dense(...)`.")
    if hasattr(value, "detach"):
        value = value.detach().cpu()
    if not _is_list(value) and not hasattr(value, "__array__"):
        if np.isscalar(value) or value is None:
            raise InvalidData(f"{where}: must be an array whose first axis counts rows, got {value!r}.")
        if isinstance(value, Iterator) or not hasattr(value, "__len__"):
            raise InvalidData(f"{where}: must be an array whose first axis counts rows, got {_kind(value)}.")
    if isinstance(value, set | frozenset):
        raise InvalidData(f"{where}: a set has no order; pass a list.")
    try:
        array = np.asarray(value)
    except (ValueError, TypeError) as problem:
        raise unequal_rows(value, where) or InvalidData(f"{where}: is no array: {problem}.") from None
    if array.dtype.kind in "US" and _is_list(value) and not _all_text(value):
        array = np.asarray(value, dtype=object)  # NumPy would make texts of the numbers beside texts
    return array


def _all_text(value: Any) -> bool:
    if _is_list(value):
        return all(_all_text(part) for part in value)
    return isinstance(value, str | bytes) or (isinstance(value, np.ndarray) and value.dtype.kind in "US")


def unequal_rows(rows: Any, where: str) -> InvalidData | None:
    """What to say of rows that differ in length or shape; None where they do not."""
    shapes = [np.shape(row) if hasattr(row, "shape") else (_length(row),) for row in rows]
    if len(set(shapes)) < 2:
        inner = [shape for row in rows if _is_list(row) for shape in [_length(part) for part in row]]
        shapes = [(length,) for length in inner]
    if len(set(shapes)) < 2:
        return None
    if len({len(shape) for shape in shapes}) > 1 or any(None in shape for shape in shapes):
        return InvalidData(f"{where}: rows of different shapes, such as {shapes[0]} and {_other(shapes)}.")
    if len({shape[1:] for shape in shapes}) == 1:
        lengths = [int(shape[0]) for shape in shapes]  # type: ignore[arg-type]
        return InvalidData(
            f"{where}: rows of different length ({min(lengths)} to {max(lengths)}). Pad them to one length, as in "
            "`keras.utils.pad_sequences(x, padding='post')`; an Embedding with `mask_zero=True` leaves the padding out."
        )
    return InvalidData(
        f"{where}: rows of different shapes, such as {shapes[0]} and {_other(shapes)}: bring them to one shape "
        "(images: `keras.ops.image.resize`)."
    )


def _other(shapes: Sequence[Any]) -> Any:
    return next(shape for shape in shapes if shape != shapes[0])


def _usual(array: np.ndarray, where: str, notes: list[str]) -> Any:
    """The array with a type that all that follows knows; a table where it holds dates or named fields."""
    what = where.rpartition(": ")[2]
    if isinstance(array, np.ma.MaskedArray):
        array = _unmasked(array, where, notes)
    if array.dtype.names is not None:
        return pd.DataFrame.from_records(array)
    if array.dtype == object:
        array = _of_objects(array, where)
    if array.dtype.kind == "S" or (array.dtype == object and all(isinstance(part, bytes) for part in array.flat)):
        array = _decoded(array, where)  # texts of TensorFlow
    if array.dtype.kind == "V" and "float" in array.dtype.name:  # bfloat16 and its like, which NumPy does not know
        return array.astype("float32")
    kind = array.dtype.kind
    if kind == "c":
        raise InvalidData(
            f"{where}: complex numbers; pass their `.real` and `.imag`, or `abs`, as features of their own."
        )
    if kind == "m":
        raise InvalidData(f"{where}: holds time spans; pass numbers, as in `{what} / np.timedelta64(1, 's')`.")
    if kind == "M" and array.ndim <= 2:
        columns = array.reshape(len(array), -1)
        return pd.DataFrame(columns, columns=[f"{what}{i}" for i in range(columns.shape[1])])
    if kind == "f" and array.dtype.itemsize > 8:
        return array.astype("float64")
    if kind in "iuf" and not array.dtype.isnative:
        return array if isinstance(array, np.memmap) else array.astype(array.dtype.newbyteorder("="))
    return array


def _decoded(array: np.ndarray, where: str) -> np.ndarray:
    try:
        return np.char.decode(array.astype("S"), "utf-8")
    except UnicodeDecodeError as problem:
        raise InvalidData(f"{where}: bytes that are no UTF-8 text ({problem.reason}); pass texts or numbers.") from None


def _unmasked(array: Any, where: str, notes: list[str]) -> np.ndarray:
    count = int(np.ma.getmaskarray(array).sum())
    if not count:
        return np.asarray(array.data)
    if array.dtype.kind not in "biuf":
        raise InvalidData(f"{where}: {count:,} masked values of type {array.dtype}; fill them: `.filled(...)`.")
    notes.append(f"{where.rpartition(': ')[2]}: {count:,} masked values are taken as missing (NaN)")
    wide = "float32" if array.dtype in ("float32", "float16", "bool", "int8", "uint8", "int16", "uint16") else "float64"
    return np.asarray(array.astype(wide).filled(np.nan))


def _of_objects(array: np.ndarray, where: str) -> np.ndarray:
    """Arrays or lists in an array of objects as axes of their own; decimal fractions and booleans as numbers."""
    if array.size and array.ndim == 1 and all(_length(part) is not None for part in array):
        problem = unequal_rows(array, where)
        if problem is not None:
            raise problem
        return _array(list(array), where)
    return array


def _kind(value: Any) -> str:
    kind = type(value)
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__.partition('.')[0]}'s {kind.__name__}"
