"""Training, validation and test rows: drawn once, from one seed, before anything looks at the data."""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from optselect.data.dataset import Features, row_hashes
from optselect.data.target import Kind
from optselect.errors import InvalidValue
from optselect.util.seeds import derive

__all__ = ["Split", "drawn_rows", "repeated_rows", "split"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Split:
    """The parts of a data set: row numbers from 0, int64, ascending, without overlap; together every row.

    Parameters
    ----------
    train : ndarray
        Rows of the training set.
    validation : ndarray
        Rows of the validation set.
    test : ndarray
        Rows of the test set.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(y: np.ndarray, kind: Kind, seed: int, *, validation: float = 0.2, test: float = 0.2) -> Split:
    """Draw the test set from all rows, then the validation set from the rest.

    In classification every part has the classes in equal proportions, as nearly as whole rows allow, and each class at
    least once.

    Parameters
    ----------
    y : ndarray
        Encoded target, shape (rows,).
    kind : {"classification", "regression"}
        Kind of the target.
    seed : int
        Random seed.
    validation : float, default 0.2
        Fraction of the rows that are left after the test set, rounded up to whole rows.
    test : float, default 0.2
        Fraction of all rows, rounded up to whole rows.

    Returns
    -------
    Split
        The parts.

    Raises
    ------
    InvalidValue
        If a fraction is outside (0, 1).

    Examples
    --------
    >>> parts = split(np.repeat([0, 1], 50), "classification", seed=0)
    >>> len(parts.train), len(parts.validation), len(parts.test)
    (64, 16, 20)
    """
    for name, share in (("validation", validation), ("test", test)):
        if not 0 < share < 1:
            raise InvalidValue(f"split: `{name}` must lie in (0, 1), got {share}.")
    strata = y if kind == "classification" else np.zeros(len(y), dtype="int64")
    random = np.random.default_rng(derive(seed, "split"))
    rows = random.permutation(len(y))
    rest, test_rows = drawn_rows(rows, strata, math.ceil(test * len(rows)), leave=2)
    train, validation_rows = drawn_rows(rest, strata, math.ceil(validation * len(rest)), leave=1)
    return Split(train=np.sort(train), validation=np.sort(validation_rows), test=np.sort(test_rows))


def drawn_rows(rows: np.ndarray, strata: np.ndarray, size: int, leave: int) -> tuple[np.ndarray, np.ndarray]:
    """Of shuffled rows, those kept, `leave` at least of each stratum, and those drawn."""
    stratum = strata[rows]
    wanted = _shares(np.bincount(stratum), size, leave)
    order = np.argsort(stratum, kind="stable")
    starts = np.concatenate([[0], np.cumsum(np.bincount(stratum))[:-1]])
    place = np.empty(len(rows), dtype="int64")
    place[order] = np.arange(len(rows)) - starts[stratum[order]]
    drawn = place < wanted[stratum]
    return rows[~drawn], rows[drawn]


def _shares(counts: np.ndarray, size: int, leave: int) -> np.ndarray:
    """How many rows of each stratum: in proportion, the largest remainders first; one at least, some left."""
    quota = counts * size / counts.sum()
    most = np.maximum(counts - leave, 0)
    shares = np.clip(np.floor(quota).astype("int64"), np.minimum(1, most), most)
    while (missing := size - int(shares.sum())) > 0 and (shares < most).any():
        wish = np.where(shares < most, quota - shares, -np.inf)
        order = np.argsort(-wish, kind="stable")[: min(missing, int((shares < most).sum()))]
        shares[order] += 1
    return np.asarray(shares)


def repeated_rows(x: Features, parts: Split) -> int:
    """How many validation and test rows have the same features as a row of another part.

    >>> parts = Split(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))
    >>> repeated_rows(np.array([[1], [2], [2], [5]]), parts)
    1
    """
    hashes = row_hashes(x)
    in_train = np.isin(hashes[parts.validation], hashes[parts.train])
    seen = np.isin(hashes[parts.test], np.concatenate([hashes[parts.train], hashes[parts.validation]]))
    return int(in_train.sum() + seen.sum())
