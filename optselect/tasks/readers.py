"""Reading a data set, wherever it is: one reader a kind of reference, found by its decorator."""

from __future__ import annotations

import dataclasses
import pickle
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.errors import InvalidData, UnknownName, suggestion
from optselect.tasks.data import Data
from optselect.tasks.delimited import read_delimited
from optselect.tasks.in_memory import from_frame, from_pair, materialise
from optselect.tasks.user_code import check_function, is_reference, split_reference

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
        return from_frame(reference, target, "the data frame", [])
    if not isinstance(reference, str | Path):
        return from_pair(*materialise(reference, "data"), "data in memory", "data", target)
    text = str(reference)
    if text.startswith("sklearn:"):
        return _sklearn(text.removeprefix("sklearn:"))
    if is_reference(text):
        path, function = split_reference(text)
        return from_pair(*_call(path, function), text, f"{path}: `{function}`", target)
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
    return from_frame(frame, source.target, str(source.path), notes)


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
    return from_frame(frame, source.target, str(source.path), [])


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
    for x, y in (("x", "y"), ("X", "y"), ("x_train", "y_train"), ("X_train", "y_train")):
        if x in arrays and y in arrays:
            unused = sorted(set(arrays) - {x, y})
            data = from_pair(arrays[x], arrays[y], str(path), str(path), source.target)
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


def _call(path: Path, function: str) -> tuple[Any, Any]:
    """What the user's function returns, as arrays or pandas objects: (x, y).

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
    x, y = result
    return x, y


def _first_line(problem: BaseException) -> str:
    lines = str(problem).strip().splitlines()
    return lines[0][:300] if lines else type(problem).__name__
