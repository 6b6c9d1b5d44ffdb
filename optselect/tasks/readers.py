"""Reading a data set, wherever it is: one reader a kind of reference, found by its decorator."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.errors import InvalidData, UnknownName, suggestion
from optselect.tasks.data import Data, Features
from optselect.tasks.delimited import read_delimited
from optselect.tasks.target import choose_target
from optselect.tasks.user_code import is_reference, split_reference
from optselect.tasks.user_data import call_user_data, materialise

__all__ = ["Source", "read"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What a reader is asked: the reference as a path, and how to read it."""

    path: Path
    target: str | None
    encoding: str | None
    separator: str | None


_Reader = Callable[[Source], Data]
_BY_SUFFIX: dict[str, _Reader] = {}


def _reads(*suffixes: str) -> Callable[[_Reader], _Reader]:
    def register(reader: _Reader) -> _Reader:
        _BY_SUFFIX.update(dict.fromkeys(suffixes, reader))
        return reader

    return register


def read(
    reference: Any, *, target: str | None = None, encoding: str | None = None, separator: str | None = None
) -> Data:
    """A data set from a file, "sklearn:NAME", "FILE.py:FUNCTION", a frame, or (x, y).

    reference: a path (.csv .tsv .parquet .feather .arrow .npz), such a string, a pandas frame that holds the
    target, or a pair of features and target. target: the name of the target column in a table. encoding,
    separator: of a text file. Raises InvalidData or UnknownName with a message for a person.

    >>> frame = pd.DataFrame({"width": [1.0, 2.0], "species": ["a", "b"]})
    >>> read(frame, target="species").x.columns.tolist()
    ['width']
    """
    if isinstance(reference, Data):
        return reference
    if isinstance(reference, pd.DataFrame):
        return _from_frame(reference, target, "the data frame", [])
    if not isinstance(reference, str | Path):
        return _from_pair(*materialise(reference, "data"), "data in memory", "data", target)
    text = str(reference)
    if text.startswith("sklearn:"):
        return _sklearn(text.removeprefix("sklearn:"))
    if is_reference(text):
        path, function = split_reference(text)
        return _from_pair(*call_user_data(path, function), text, f"{path}: `{function}`", target)
    return _file(Source(path=Path(reference), target=target, encoding=encoding, separator=separator))


def _file(source: Source) -> Data:
    path = source.path
    if path.is_dir():
        raise InvalidData(f"{path}: a folder; name a file ({', '.join(sorted(_BY_SUFFIX))}).")
    if not path.exists():
        beside = [p.name for p in path.parent.iterdir() if p.is_file()] if path.parent.is_dir() else []
        hint = re.match(r"Did you mean .*?\? ", suggestion(path.name, beside))
        raise InvalidData(f"{path}: no such file.{' ' + hint[0].strip() if hint else ''}")
    reader = _BY_SUFFIX.get(path.suffix.lower())
    if reader is None:
        raise InvalidData(f"{path}: cannot read {path.suffix or 'files without an ending'}. Known: "
                          f"{', '.join(sorted(_BY_SUFFIX))}, sklearn:NAME, FILE.py:FUNCTION.")  # fmt: skip
    try:
        return reader(source)
    except PermissionError:
        raise InvalidData(f"{path}: no permission to read it.") from None


@_reads(".csv", ".tsv", ".txt")
def _delimited(source: Source) -> Data:
    frame, notes = read_delimited(source.path, source.encoding, source.separator)
    return _from_frame(frame, source.target, str(source.path), notes)


@_reads(".parquet", ".pq")
def _parquet(source: Source) -> Data:
    return _columnar(source, pd.read_parquet, "Parquet")


@_reads(".feather", ".arrow")
def _feather(source: Source) -> Data:
    return _columnar(source, pd.read_feather, "Feather or Arrow")


def _columnar(source: Source, load: Callable[[Path], pd.DataFrame], what: str) -> Data:
    try:
        frame = load(source.path)
    except (OSError, ValueError, KeyError, TypeError, NotImplementedError) as problem:
        # pyarrow's exceptions derive from these builtins
        raise InvalidData(f"{source.path}: not a readable {what} file: {_first_line(problem)}") from None
    return _from_frame(frame, source.target, str(source.path), [])


@_reads(".npz")
def _npz(source: Source) -> Data:
    path = source.path
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except ValueError as problem:
        if "pickle" in str(problem):
            raise InvalidData(f"{path}: holds Python objects, which could run code; save plain arrays.") from None
        raise InvalidData(f"{path}: not a readable .npz file: {_first_line(problem)}") from None
    except Exception as problem:  # zipfile, zlib and numpy raise without a common base
        raise InvalidData(f"{path}: not a readable .npz file: {_first_line(problem)}") from None
    for x, y in (("x", "y"), ("X", "y"), ("x_train", "y_train"), ("X_train", "y_train")):
        if x in arrays and y in arrays:
            unused = sorted(set(arrays) - {x, y})
            data = _from_pair(arrays[x], arrays[y], str(path), str(path), source.target)
            notes = (f"arrays not used: {', '.join(unused)}",) if unused else ()
            return dataclasses.replace(data, notes=data.notes + notes)
    held = ", ".join(f"{name} {array.shape}" for name, array in sorted(arrays.items())) or "nothing"
    raise InvalidData(f"{path}: needs arrays `x` and `y` (or `x_train` and `y_train`), holds {held}.")


def _sklearn(name: str) -> Data:
    from sklearn import datasets  # here, because it takes a second that other data sets need not pay

    left_out = {"load_files", "load_svmlight_file", "load_svmlight_files", "load_sample_image",
                "load_sample_images", "load_linnerud"}  # fmt: skip
    known = [n.removeprefix("load_") for n in datasets.__all__ if n.startswith("load_") and n not in left_out]
    if name not in known:
        raise UnknownName(f"scikit-learn: no data set `{name}`. {suggestion(name, known)}")
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Data(name=f"sklearn:{name}", x=x.astype("float32"), y=pd.Series(y), target="target")


def _from_frame(frame: pd.DataFrame, target: str | None, name: str, notes: list[str]) -> Data:
    frame = _named(frame, name)
    if not len(frame):
        raise InvalidData(f"{name}: no rows.")
    chosen, said = choose_target(list(frame.columns), target, name)
    if len(frame.columns) < 2:
        raise InvalidData(f"{name}: no column but the target `{chosen}`: nothing to learn from.")
    y = frame[chosen].reset_index(drop=True)
    x = frame.drop(columns=[chosen]).reset_index(drop=True)
    return Data(name=name, x=x, y=_whole(y), target=chosen, notes=(*notes, *said))


def _named(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """The frame with text for column names, all different."""
    columns = [str(c) for c in frame.columns]
    repeated = sorted({c for c in columns if columns.count(c) > 1}) if len(set(columns)) < len(columns) else []
    if repeated:
        raise InvalidData(f"{name}: column names must differ, got several {', '.join(map(repr, repeated[:5]))}.")
    return frame.set_axis(columns, axis=1)


def _whole(y: pd.Series) -> pd.Series:
    """Nullable and categorical types to the plain ones, where nothing is lost."""
    if isinstance(y.dtype, pd.CategoricalDtype):
        return y.astype(object)
    if pd.api.types.is_extension_array_dtype(y) and pd.api.types.is_numeric_dtype(y) and not y.isna().any():
        return pd.Series(np.asarray(y.to_numpy()))
    return y


def _from_pair(x: Any, y: Any, name: str, where: str, target: str | None) -> Data:
    """Features and target in memory."""
    series, note = _target_series(y, where, target)
    features: Any = x
    if isinstance(x, dict):
        features = {key: _named_array(part, f"{where}: x[{key!r}]") for key, part in x.items()}
    if isinstance(x, pd.Series):
        features = x.to_frame()
    if isinstance(features, pd.DataFrame):
        features = _named(features, where).reset_index(drop=True)
    elif not isinstance(features, dict):
        features = _array(features, f"{where}: x")
    parts = features.values() if isinstance(features, dict) else [features]
    for part in parts:
        if len(part) != len(series):
            raise InvalidData(f"{where}: x has {len(part):,} rows, y has {len(series):,}.")
    if not len(series):
        raise InvalidData(f"{where}: no rows.")
    return Data(name=name, x=features, y=series, target=str(series.name), notes=note)


def _target_series(y: Any, where: str, target: str | None) -> tuple[pd.Series, tuple[str, ...]]:
    if isinstance(y, pd.DataFrame):
        if len(y.columns) != 1:
            raise InvalidData(f"{where}: y has {len(y.columns)} columns; one target a study.")
        y = y.iloc[:, 0]
    if isinstance(y, pd.Series):
        named = y.rename(target or (str(y.name) if y.name is not None else "y"))
        return _whole(named.reset_index(drop=True)), ()
    array = np.asarray(y)
    note: tuple[str, ...] = ()
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    elif array.ndim == 2 and _is_one_hot(array):
        array, note = array.argmax(axis=1), ("y was one-hot: each row's class is the place of its 1",)
    if array.ndim != 1:
        raise InvalidData(f"{where}: y must hold one value a row, shape (rows,), got shape {array.shape}.")
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    if array.dtype.kind not in "biufUO":
        raise InvalidData(f"{where}: y must hold numbers or labels, got type {array.dtype}.")
    return pd.Series(array, name=target or "y"), note


def _is_one_hot(y: np.ndarray) -> bool:
    return y.dtype.kind in "biuf" and bool(np.isin(y, (0, 1)).all() and (y.sum(axis=1) == 1).all())


def _named_array(x: Any, where: str) -> np.ndarray:
    array = _array(x, where)
    if not isinstance(array, np.ndarray):
        raise InvalidData(f"{where}: must hold numbers, got text; a data frame may hold text.")
    return array


def _array(x: Any, where: str) -> Features:
    """An array of numbers as it is; an array of text or mixed values as a table."""
    array = np.asarray(x)
    if array.ndim == 0:
        raise InvalidData(f"{where}: must be an array whose first axis counts rows, got {type(x).__name__}.")
    if array.dtype.kind in "UO":
        if array.ndim > 2:
            raise InvalidData(f"{where}: must hold numbers, got type {array.dtype} and shape {array.shape}.")
        columns = array.reshape(len(array), -1)
        names = ["x"] if columns.shape[1] == 1 else [f"x{i}" for i in range(columns.shape[1])]
        return pd.DataFrame(columns, columns=names).infer_objects()
    if array.dtype.kind not in "biuf":
        raise InvalidData(f"{where}: must hold numbers, got type {array.dtype}.")
    if array.ndim > 1 and 0 in array.shape[1:]:
        raise InvalidData(f"{where}: no features, shape {array.shape}.")
    return array.reshape(-1, 1) if array.ndim == 1 else array


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:300] if lines else type(problem).__name__
