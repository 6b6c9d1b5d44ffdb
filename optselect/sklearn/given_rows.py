"""The rows that `fit` was given: what belongs to each goes with it when rows are left out or repeated."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import pandas as pd
from sklearn.utils.validation import _check_sample_weight, check_consistent_length, column_or_1d

from optselect.data.row_pairs import Pair, checked_pairs, is_splitter
from optselect.sklearn.xy import checked

__all__ = ["GivenRows"]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class GivenRows:
    """Rows with their target, weight and group, and how they are to be split.

    x: as `checked` leaves it. numbers: where each row is in the X of `fit`. pairs: training and validation rows of each
    split, None where `tune` draws them.

    >>> pairs = [(np.array([0, 1]), np.array([2]))]
    >>> rows = GivenRows(x=np.eye(3), y=np.array([0, 1, 1]), numbers=np.arange(3), pairs=pairs)
    >>> rows.taken(np.array([0, 2, 2])).pairs
    [(array([0]), array([1, 2]))]
    """

    x: Any
    y: np.ndarray
    numbers: np.ndarray
    weight: np.ndarray | None = None
    groups: np.ndarray | None = None
    pairs: Sequence[Pair] | None = None

    @classmethod
    def of(cls, estimator: Any, x: Any, y: np.ndarray, weight: Any, groups: Any) -> Self:
        """The rows that count, after scikit-learn's checks; those of weight 0 do not."""
        x = checked(estimator, x, reset=True)
        check_consistent_length(x, y, groups)
        if groups is not None:
            groups = column_or_1d(groups)
        given = cls(x=x, y=y, numbers=np.arange(len(y)), groups=groups, pairs=_pairs(estimator.cv, x, y, groups))
        if weight is None:
            return given
        weight = _check_sample_weight(weight, x, ensure_non_negative=True)
        return dataclasses.replace(given, weight=weight).taken(np.flatnonzero(weight))

    @property
    def is_split(self) -> bool:
        """Whether which rows stay together, or train and validate, was given."""
        return self.groups is not None or self.pairs is not None

    def taken(self, rows: np.ndarray) -> Self:
        """These rows, perhaps several times. A repeated row is on one side of each split."""
        if np.array_equal(rows, np.arange(len(self.y))):
            return self
        pairs = self.pairs
        if pairs is not None:
            pairs = [(_places(train, rows), _places(validation, rows)) for train, validation in pairs]
        return dataclasses.replace(
            self,
            x=self.x.iloc[rows] if isinstance(self.x, pd.DataFrame) else self.x[rows],
            y=self.y[rows],
            numbers=self.numbers[rows],
            weight=None if self.weight is None else self.weight[rows],
            groups=None if self.groups is None else self.groups[rows],
            pairs=pairs,
        )


def _places(wanted: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.flatnonzero(np.isin(rows, wanted))


def _pairs(cv: Any, x: Any, y: np.ndarray, groups: np.ndarray | None) -> Sequence[Pair] | None:
    """What the parameter `cv` makes of the rows; None where it is a number of folds."""
    if cv is None or isinstance(cv, int | np.integer):
        return None
    pairs = cv.split(x, y, groups) if is_splitter(cv) else cv
    return checked_pairs(pairs, np.arange(len(y)))
