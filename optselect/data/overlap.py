"""Rows that were given to validate or test, and that are among the training rows too."""

from __future__ import annotations

import numpy as np
import pandas as pd

from optselect.data.dataset import Data, row_hashes
from optselect.errors import InvalidData

__all__ = ["refuse_overlap"]

_MOST = 0.5  # of the given rows


def refuse_overlap(data: Data) -> None:
    """Raise InvalidData where most rows of a given part are training rows as well, features and targets.

    Where the training rows repeat each other as often, nothing is refused: few values make equal rows by chance.

    >>> x, y = np.arange(8.0).reshape(8, 1), pd.Series(np.arange(8.0))
    >>> rows = np.array([0, 1, 2, 3, 4, 5, 0, 1])
    >>> data = Data(name="t", x=x[rows], y=y[rows], target="y", aside={"part": np.repeat([0, 2], [6, 2])})
    >>> refuse_overlap(data)
    Traceback (most recent call last):
    optselect.errors.InvalidData: t: 2 of 2 test rows are training or validation rows too, with target.
    """
    given = data.aside.get("part")
    if given is None:
        return
    columns = [pd.Series(np.ravel(v)) if np.ndim(v) == 1 else None for v in data.targets.values()]
    targets = [pd.util.hash_pandas_object(c, index=False).to_numpy() for c in columns if c is not None]
    hashes = row_hashes(np.stack([row_hashes(data.x), *targets], axis=1))
    own = hashes[given == 0]
    repeated = 1 - len(np.unique(own)) / len(own)
    for number, name in ((1, "validation"), (2, "test")):
        held = hashes[given == number]
        others = "training" if name == "validation" else "training or validation"
        shared = np.isin(held, hashes[given < number])
        if len(held) and shared.mean() > max(_MOST, 2 * repeated):
            raise InvalidData(
                f"{data.name}: {int(shared.sum()):,} of {len(held):,} {name} rows are {others} rows too, with target."
            )
