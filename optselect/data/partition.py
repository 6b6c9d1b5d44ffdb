"""How the rows of a data set are parted into training, validation and test rows, and parted anew by fresh seeds."""

from __future__ import annotations

import dataclasses
import hashlib
from abc import ABC, abstractmethod

import numpy as np

from optselect.data.drawing import ByChance, Way
from optselect.data.splitting import Split
from optselect.util.seeds import derive

__all__ = ["DrawnPartition", "FixedPartition", "FoldPartition", "Partition"]

_MANY_ROWS = 2000  # of validation: with so many an accuracy of 0.9 is uncertain by 0.7 points


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Partition(ABC):
    """The parts of a data set, and how fresh seeds draw them anew: one class per way of doing that.

    It can be pickled, and knows nothing of features.

    Parameters
    ----------
    parts : Split
        Rows of the training, validation and test set.
    phrase : str, default ""
        How the rows are parted, in words, such as "stratified".
    """

    parts: Split
    phrase: str = ""

    @property
    def redraws(self) -> bool:
        """Whether the runs that choose should each have their own validation rows."""
        return False

    @abstractmethod
    def redrawn(self, seed: int) -> Split:
        """Another split of the training and validation rows; the test set stays.

        Parameters
        ----------
        seed : int
            Random seed; the same seed gives the same split.

        Returns
        -------
        Split
            The parts.
        """

    @property
    def folds(self) -> int:
        """How many folds fresh seeds walk through; 0 where each draws a split of its own, or none does."""
        return 0

    @property
    def covers(self) -> str:
        """What an interval over fresh seeds covers, such as "new seeds and splits"."""
        return "new seeds"

    @property
    def is_default(self) -> bool:
        """Whether nothing but the seed and the sizes tells the parts."""
        return False

    def describe(self) -> str:
        """How the rows are parted, in words; "" for a plain random split.

        Returns
        -------
        str
            A phrase, such as "stratified".
        """
        return self.phrase

    def fingerprint(self) -> str:
        """What must not change between two runs of one study, besides the seed and the sizes of the parts.

        Returns
        -------
        str
            A phrase; "" for the default way of splitting.
        """
        if self.is_default:
            return ""
        return ", ".join(filter(None, [self.phrase, f"rows {_digest(self._splits())}"]))

    def joined(self, *, whole: bool = False) -> FixedPartition:
        """The parts with the validation rows among the training rows too.

        Parameters
        ----------
        whole : bool, default False
            Add the test rows too.

        Returns
        -------
        FixedPartition
            The new parts.
        """
        held_out = [self.parts.validation, *[self.parts.test] * whole]
        rows = np.unique(np.concatenate([self.parts.train, *held_out]))
        return FixedPartition(parts=dataclasses.replace(self.parts, train=rows), phrase=self.phrase)

    def _splits(self) -> list[Split]:
        return [self.parts]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FixedPartition(Partition):
    """Parts that no seed draws anew.

    Examples
    --------
    >>> parts = Split(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))
    >>> FixedPartition(parts=parts).redraws
    False
    """

    def redrawn(self, seed: int) -> Split:
        return self.parts


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class DrawnPartition(Partition):
    """Training and validation rows that every seed draws anew, in the same way.

    Parameters
    ----------
    parts : Split
        Rows of the training, validation and test set.
    phrase : str, default ""
        How the rows are parted, in words.
    way : Way
        How rows are drawn.
    is_default : bool, default False
        Whether this is what is done where nothing was asked for.

    Examples
    --------
    >>> parts = Split(train=np.arange(8), validation=np.arange(8, 10), test=np.arange(10, 12))
    >>> partition = DrawnPartition(parts=parts, way=ByChance(strata=None))
    >>> other = partition.redrawn(seed=1)
    >>> len(other.train), np.array_equal(other.test, parts.test), partition.covers
    (8, True, 'new seeds and splits')
    """

    way: Way
    is_default: bool = False

    @property
    def redraws(self) -> bool:
        """Whether the validation rows are so few, or so alike, that which ones they are is a matter of luck."""
        return not isinstance(self.way, ByChance) or len(self.parts.validation) < _MANY_ROWS

    def redrawn(self, seed: int) -> Split:
        pool = np.sort(np.concatenate([self.parts.train, self.parts.validation]))
        random = np.random.default_rng(derive(seed, "redrawn"))
        train, validation = self.way.draw(pool, len(self.parts.validation), 1, random)
        return Split(train=train, validation=validation, test=self.parts.test)

    @property
    def covers(self) -> str:
        return f"new seeds and {self.way.covers}" if self.redraws else "new seeds"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FoldPartition(Partition):
    """Given pairs of training and validation rows, which fresh seeds walk through.

    Parameters
    ----------
    parts : Split
        The split of the search.
    phrase : str, default ""
        How the rows are parted, in words.
    splits : tuple of Split
        All splits; their test rows are the same.

    Examples
    --------
    >>> one, two = np.array([0, 1]), np.array([2, 3])
    >>> splits = tuple(Split(train=a, validation=b, test=np.array([4])) for a, b in ((one, two), (two, one)))
    >>> partition = FoldPartition(parts=splits[0], splits=splits)
    >>> partition.folds, partition.redrawn(seed=5).train.tolist()
    (2, [2, 3])
    """

    splits: tuple[Split, ...]

    @property
    def redraws(self) -> bool:
        return len(self.splits) > 1

    @property
    def folds(self) -> int:
        return len(self.splits) if self.redraws else 0

    def redrawn(self, seed: int) -> Split:
        return self.splits[seed % len(self.splits)]

    @property
    def covers(self) -> str:
        return "new seeds and the folds" if self.redraws else "new seeds"

    def _splits(self) -> list[Split]:
        return list(self.splits)


def _digest(splits: list[Split]) -> str:
    sha = hashlib.sha256()
    for one in splits:
        for rows in (one.train, one.validation, one.test):
            sha.update(f"{len(rows)} ".encode() + np.ascontiguousarray(rows, dtype="int64").tobytes())
    return sha.hexdigest()[:8]
