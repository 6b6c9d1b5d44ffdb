"""Reading a data set, wherever it is: one reader a kind of reference, found by its decorator."""

from __future__ import annotations

import dataclasses
import pickle
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.errors import InvalidData, UnknownName, suggestion
from optselect.tasks.data import Data
from optselect.tasks.delimited import read_delimited
from optselect.tasks.in_memory import as_weights, from_frame, from_pair, materialise
from optselect.tasks.user_code import check_function, is_reference, split_reference

__all__ = ["Source", "read"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Source:
    """What a reader is asked: the reference as a path, and how to read it."""

    path: Path
    target: str | Sequence[str] | None
    sample_weight: Any
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
    reference: Any,
    *,
    target: str | Sequence[str] | None = None,
    sample_weight: Any = None,
    encoding: str | None = None,
    separator: str | None = None,
) -> Data:
    """A data set from a file, "sklearn:NAME", "FILE.py:FUNCTION", a frame, or (x, y) or (x, y, sample_weight).

    reference: a path (.csv .tsv .parquet .feather .arrow .npz), such a string, a pandas frame that holds the
    target, or features and target, several targets in a dict by name. target: the name of the target column in a
    table; several with commas or in a sequence. sample_weight: what each row counts in the loss, shape (rows,), or
    the name of the column (in .npz of the array) that says so. encoding, separator: of a text file.

    Raises InvalidData or UnknownName with a message for a person.

    >>> frame = pd.DataFrame({"width": [1.0, 2.0], "species": ["a", "b"], "seen": [3, 1]})
    >>> data = read(frame, target="species", sample_weight="seen")
    >>> data.x.columns.tolist(), data.sample_weight.tolist()
    (['width'], [3, 1])
    """
    if isinstance(reference, Data):
        return _weighted(reference, sample_weight)
    if isinstance(reference, pd.DataFrame):
        return from_frame(reference, target, "the data frame", sample_weight=sample_weight)
    if not isinstance(reference, str | Path):
        x, y, own = materialise(reference, "data")
        return from_pair(x, y, _one_of(own, sample_weight, "data"), "data in memory", "data", target)
    text = str(reference)
    if text.startswith("sklearn:"):
        return _weighted(_sklearn(text.removeprefix("sklearn:")), sample_weight)
    if is_reference(text):
        path, function = split_reference(text)
        where = f"{path}: `{function}`"
        x, y, own = _call(path, function)
        return from_pair(x, y, _one_of(own, sample_weight, where), text, where, target)
    return _file(
        Source(path=Path(reference), target=target, sample_weight=sample_weight, encoding=encoding, separator=separator)
    )


def _weighted(data: Data, given: Any) -> Data:
    return dataclasses.replace(data, sample_weight=as_weights(_one_of(data.sample_weight, given, data.name), data.name))


def _one_of(own: Any, given: Any, where: str) -> Any:
    if own is not None and given is not None:
        raise InvalidData(f"{where}: brings sample weights, and `sample_weight` is given too; drop one.")
    return own if given is None else given


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
    return from_frame(frame, source.target, str(source.path), notes, source.sample_weight)


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
    return from_frame(frame, source.target, str(source.path), sample_weight=source.sample_weight)


_PARTS = ("train", "val", "valid", "validation", "test")  # x_test is not the input called test


@_reads(".npz")
def _npz(source: Source) -> Data:
    path = source.path
    if not zipfile.is_zipfile(path):
        raise InvalidData(f"{path}: not a readable .npz file: no zip archive, or a damaged one.")
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except ValueError as problem:
        if "pickle" in str(problem):
            raise InvalidData(f"{path}: holds Python objects, which could run code; save plain arrays.") from None
        raise InvalidData(f"{path}: not a readable .npz file: {_first_line(problem)}") from None
    except Exception as problem:  # zipfile, zlib and numpy raise without a common base
        raise InvalidData(f"{path}: not a readable .npz file: {_first_line(problem)}") from None
    x, y = _named_parts(arrays, "x"), _named_parts(arrays, "y")
    if not x or not y:
        held = ", ".join(f"{name} {array.shape}" for name, array in sorted(arrays.items())) or "nothing"
        raise InvalidData(
            f"{path}: needs arrays `x` and `y` (or `x_train` and `y_train`; several as `y_NAME`), holds {held}."
        )
    weight, used = source.sample_weight, {*x.values(), *y.values()}
    if isinstance(weight, str) or "sample_weight" in arrays:
        weight = "sample_weight" if weight is None else weight
        if weight not in arrays:
            raise UnknownName(f"{path}: no array `{weight}` of sample weights. {suggestion(weight, arrays)}")
        used, weight = {*used, weight}, arrays[weight]
    features, targets = ({name: arrays[key] for name, key in keys.items()} for keys in (x, y))
    data = from_pair(features.get("", features), targets.get("", targets), weight, str(path), str(path), source.target)
    unused = sorted(set(arrays) - used)
    notes = (f"arrays not used: {', '.join(unused)}",) if unused else ()
    return dataclasses.replace(data, notes=data.notes + notes)


def _named_parts(arrays: dict[str, np.ndarray], letter: str) -> dict[str, str]:
    """The keys of features or targets by their names: `x` alone has the name "", `x_left` and `x_right` have theirs."""
    for key in (letter, letter.upper(), f"{letter}_train", f"{letter.upper()}_train"):
        if key in arrays:
            return {"": key}
    named = {key.removeprefix(f"{letter}_"): key for key in arrays if key.startswith(f"{letter}_")}
    return {name: key for name, key in named.items() if name not in _PARTS}


def _sklearn(name: str) -> Data:
    from sklearn import datasets  # here, because it takes a second that other data sets need not pay

    left_out = {"load_files", "load_svmlight_file", "load_svmlight_files", "load_sample_image",
                "load_sample_images", "load_linnerud"}  # fmt: skip
    known = [n.removeprefix("load_") for n in datasets.__all__ if n.startswith("load_") and n not in left_out]
    if name not in known:
        raise UnknownName(f"scikit-learn: no data set `{name}`. {suggestion(name, known)}")
    x, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    return Data(name=f"sklearn:{name}", x=x.astype("float32"), y=pd.Series(y), target="target")


def _call(path: Path, function: str) -> tuple[Any, Any, Any]:
    """What the user's function returns, as arrays or pandas objects: (x, y, sample weights or None).

    Raises InvalidData with the user's file and line if it fails.
    """
    check_function(path, function, InvalidData)
    with tempfile.TemporaryDirectory(prefix="optselect-") as folder:
        out = Path(folder) / "result.pickle"
        command = [sys.executable, "-m", "optselect.tasks.user_data", str(path.resolve()), function, str(out)]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603 - the user's own file
        if not out.exists():
            last = " ".join(done.stderr.strip().splitlines()[-1:]) or "it said nothing"
            raise InvalidData(f"{path}: `{function}` ended its process (exit code {done.returncode}): {last}")
        result = pickle.loads(out.read_bytes())  # noqa: S301 - written a moment ago by our child, in a private folder
    if isinstance(result, str):
        raise InvalidData(result)
    x, y, weight = result
    return x, y, weight


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:300] if lines else type(problem).__name__
