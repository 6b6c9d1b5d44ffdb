"""Runs a user's data function in a process of its own: `python -m optselect.tasks.user_data FILE FUNCTION OUT`.

The parent neither loads what the user's file loads (TensorFlow, mostly) nor dies of it.
"""

from __future__ import annotations

import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from optselect.errors import InvalidData
from optselect.tasks.user_code import check_function, load_function, where_it_failed

__all__ = ["call_user_data", "materialise"]


def call_user_data(path: Path, function: str) -> tuple[Any, Any]:
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


def materialise(value: Any, where: str) -> tuple[Any, Any]:
    """(x, y) of arrays or pandas objects from what a data function may return, among it a tf.data.Dataset."""
    if hasattr(value, "element_spec") and hasattr(value, "as_numpy_iterator"):
        return _from_dataset(value, where)
    if not isinstance(value, tuple | list) or len(value) != 2:
        got = (
            f"{type(value).__name__} of length {len(value)}"
            if isinstance(value, tuple | list)
            else type(value).__name__
        )
        raise InvalidData(f"{where}: must return (x, y) or a tf.data.Dataset, got {got}.")
    x, y = value
    if isinstance(x, dict):
        return {str(name): _plain(part) for name, part in x.items()}, _plain(y)
    return _plain(x), _plain(y)


def _plain(value: Any) -> Any:
    return value if isinstance(value, pd.DataFrame | pd.Series) else np.asarray(value)


def _from_dataset(dataset: Any, where: str) -> tuple[Any, Any]:
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) != 2:
        raise InvalidData(f"{where}: the dataset must give (x, y), got elements of the form {spec}.")
    if int(dataset.cardinality()) == -1:  # tf.data.INFINITE_CARDINALITY
        raise InvalidData(f"{where}: the dataset never ends; drop its `repeat()`.")
    x_specs = list(spec[0].values()) if isinstance(spec[0], dict) else [spec[0]]
    batched = len(spec[1].shape) > 0 and all(len(s.shape) > 0 and s.shape[0] == spec[1].shape[0] for s in x_specs)
    batches = list((dataset if batched else dataset.batch(1024)).as_numpy_iterator())
    if not batches:
        raise InvalidData(f"{where}: the dataset is empty.")
    y = np.concatenate([b[1] for b in batches])
    if isinstance(spec[0], dict):
        return {name: np.concatenate([b[0][name] for b in batches]) for name in spec[0]}, y
    return np.concatenate([b[0] for b in batches]), y


def _main(arguments: Sequence[str]) -> None:
    path, function, out = Path(arguments[0]), arguments[1], Path(arguments[2])
    result: Any
    try:
        produce = load_function(path, function, InvalidData)
        result = materialise(produce(), f"{path}: `{function}`")
    except InvalidData as problem:
        result = str(problem)
    except Exception as problem:  # the user's code may raise anything; the parent says it in one line
        result = where_it_failed(path, problem)
    partial = out.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(result))
    partial.rename(out)


if __name__ == "__main__":
    _main(sys.argv[1:])
