"""Training and validation rows as scikit-learn's splitters and lists of pairs have them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from optselect.data.dataset import Data
from optselect.errors import InvalidValue

__all__ = ["Pair", "checked_pairs", "is_splitter", "row_pairs"]

Pair = tuple[np.ndarray, np.ndarray]
"""Training rows and validation rows, as sorted numbers."""


def row_pairs(cv: Any, data: Data, strata: np.ndarray | None, pool: np.ndarray) -> list[Pair]:
    """Pairs of sorted row numbers of the data.

    cv: a splitter of scikit-learn, or pairs of row numbers or masks. pool: the rows that are to be parted, which
    those numbers count. Raises InvalidValue for what makes no pairs.

    >>> data = Data(name="t", x=np.zeros((4, 1)), y=pd.Series([1.0, 2.0, 3.0, 4.0]), target="y")
    >>> row_pairs([([3, 0], [1])], data, None, np.arange(4))
    [(array([0, 3]), array([1]))]
    """
    splitter = is_splitter(cv)
    given = _split(cv, data, strata, pool) if splitter else cv
    return checked_pairs(given, _places(data, pool, splitter=splitter))


def is_splitter(cv: Any) -> bool:
    """Whether something splits rows as scikit-learn's splitters do; text has a method of that name too."""
    return hasattr(cv, "split") and not isinstance(cv, str)


def checked_pairs(given: Any, places: np.ndarray) -> list[Pair]:
    """Pairs of row numbers or masks, after every check.

    places: the number of each row that the pairs may name, -1 for one that is left out. Raises InvalidValue.

    >>> checked_pairs([([2, 0], [False, True, False])], np.array([5, -1, 7]))
    Traceback (most recent call last):
    optselect.errors.InvalidValue: tune: pair 1 of `cv` has no validation rows.
    """
    found = _listed(given)
    if not found:
        raise InvalidValue("tune: `cv` makes no pairs of training and validation rows.")
    return [_pair(number, one, places) for number, one in enumerate(found, 1)]


def _split(cv: Any, data: Data, strata: np.ndarray | None, pool: np.ndarray) -> list[Any]:
    y = next(iter(data.targets.values())) if strata is None else strata
    y = np.asarray(y)[pool]
    groups = data.aside.get("group")
    x = data.x.iloc[pool] if isinstance(data.x, pd.DataFrame) else np.zeros((len(pool), 1))
    try:
        return list(cv.split(x, y, None if groups is None else groups[pool]))
    except Exception as problem:  # a splitter may be anybody's
        raise InvalidValue(
            f"tune: `cv`: {type(cv).__name__} could not split the {len(pool):,} rows: {problem}"
        ) from None


def _listed(cv: Any) -> list[Any]:
    try:
        found = [tuple(pair) for pair in cv]
    except TypeError:
        found = [()]
    if any(len(pair) != 2 for pair in found):
        raise InvalidValue(
            "tune: `cv` must be a splitter of scikit-learn or pairs of training and validation rows, got "
            f"{type(cv).__name__}."
        )
    return found


def _places(data: Data, pool: np.ndarray, *, splitter: bool) -> np.ndarray:
    """Where each row that was given is now, -1 for one that was left out."""
    if splitter or "row" not in data.aside:
        return pool
    was = data.aside["row"][pool]
    places = np.full(int(was.max()) + 1, -1)
    places[was] = pool
    return places


def _pair(number: int, pair: Any, places: np.ndarray) -> Pair:
    train, validation = (_rows(number, rows, places) for rows in pair)
    both = np.intersect1d(train, validation)
    if len(both):
        raise InvalidValue(
            f"tune: pair {number} of `cv` has {len(both):,} rows that both train and validate, such as row {both[0]}."
        )
    if not len(train) or not len(validation):
        raise InvalidValue(f"tune: pair {number} of `cv` has no {'validation' if len(train) else 'training'} rows.")
    return train, validation


def _rows(number: int, given: Any, places: np.ndarray) -> np.ndarray:
    rows = np.asarray(given)
    if rows.dtype == bool and len(rows) == len(places):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or (rows.dtype.kind not in "iu" and len(rows)):
        raise InvalidValue(
            f"tune: pair {number} of `cv` must hold row numbers, got {rows.dtype} of shape {rows.shape}."
        )
    rows = rows.astype("int64")
    if len(rows) and not (rows.min() >= 0 and rows.max() < len(places)):
        wrong = rows[(rows < 0) | (rows >= len(places))][0]
        raise InvalidValue(f"tune: pair {number} of `cv` names row {wrong}, and there are rows 0 to {len(places) - 1}.")
    found: np.ndarray = np.unique(places[rows])
    return found[found >= 0]
