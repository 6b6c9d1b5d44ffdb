"""Runs a user's data function in a process of its own.

`python -m optselect.data.user_data FILE FUNCTION OUT MEMORY FOLDER`, the last two as `Room` has them. The parent
neither loads what the user's file loads (TensorFlow, mostly) nor dies of it. Nothing imports this module.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from optselect.data.materialise import materialise
from optselect.data.on_disk import Room
from optselect.errors import InvalidData
from optselect.user_code.functions import SAID, load_function, where_it_failed

__all__: list[str] = []


def _tell(line: str) -> None:
    """Have the parent say a line."""
    sys.stderr.write(f"{SAID}{line}\n")
    sys.stderr.flush()


def _main(arguments: Sequence[str]) -> None:
    path, function, out = Path(arguments[0]), arguments[1], Path(arguments[2])
    room = Room(memory=int(arguments[3]), folder=lambda: Path(arguments[4]))
    result: Any
    try:
        produce = load_function(path, function, InvalidData)
        result = materialise(produce(), f"{path}: `{function}`", room, _tell)
    except InvalidData as problem:
        result = str(problem)
    except Exception as problem:  # the user's code may raise anything; the parent says it in one line
        result = where_it_failed(path, problem)
    partial = out.with_suffix(".partial")
    partial.write_bytes(pickle.dumps(result))
    partial.rename(out)


if __name__ == "__main__":
    _main(sys.argv[1:])
