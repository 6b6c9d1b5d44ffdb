"""How the rows of a data set are parted into training, validation and test rows, and parted anew by fresh seeds."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from typing import Self

import numpy as np

from optselect.data.splitting import Split, redrawn, split
from optselect.data.target import Kind

__all__ = ["FixedPartition", "Partition", "RandomPartition"]

_MANY_ROWS = 2000  # of validation: with so many an accuracy of 0.9 is uncertain by 0.7 points


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class Partition(ABC):
    """The parts of a data set, and how fresh seeds draw them anew: one class per way of splitting.

    It can be pickled, and knows nothing of features.

    Parameters
    ----------
    parts : Split
        Rows of the training, validation and test set.
    """

    parts: Split

    @property
    @abstractmethod
    def redraws(self) -> bool:
        """Whether the runs that choose should each have their own validation rows."""

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
    @abstractmethod
    def covers(self) -> str:
        """What an interval over fresh seeds covers, such as "new seeds and splits"."""

    def describe(self) -> str:
        """How the rows are parted, in words; "" for a plain random split.

        Returns
        -------
        str
            A phrase, such as "stratified".
        """
        return ""

    def fingerprint(self) -> str:
        """What must not change between two runs of one study, besides the seed and the sizes of the parts.

        Returns
        -------
        str
            A phrase; "" for the default way of splitting.
        """
        return ""

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
        return FixedPartition(parts=dataclasses.replace(self.parts, train=rows))


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class FixedPartition(Partition):
    """Parts that no seed draws anew.

    Examples
    --------
    >>> parts = Split(train=np.array([0, 1]), validation=np.array([2]), test=np.array([3]))
    >>> FixedPartition(parts=parts).redraws
    False
    """

    @property
    def redraws(self) -> bool:
        return False

    def redrawn(self, seed: int) -> Split:
        return self.parts

    @property
    def covers(self) -> str:
        return "new seeds"


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class RandomPartition(Partition):
    """Rows drawn at random; in classification every part has the classes in equal proportions.

    Parameters
    ----------
    parts : Split
        Rows of the training, validation and test set.
    y : ndarray
        Encoded target of all rows, shape (rows, ...).
    kind : {"classification", "regression"}
        How the rows are drawn: by class, or all alike.

    Examples
    --------
    >>> partition = RandomPartition.draw(np.repeat([0, 1], 50), "classification", seed=0)
    >>> len(partition.parts.train), partition.redraws, partition.describe()
    (64, True, 'stratified')
    """

    y: np.ndarray
    kind: Kind

    @classmethod
    def draw(cls, y: np.ndarray, kind: Kind, seed: int) -> Self:
        """Draw the parts as `split` does.

        Parameters
        ----------
        y : ndarray
            Encoded target, shape (rows, ...).
        kind : {"classification", "regression"}
            How the rows are drawn: by class, or all alike.
        seed : int
            Random seed.

        Returns
        -------
        RandomPartition
            The parts.
        """
        return cls(parts=split(y, kind, seed), y=y, kind=kind)

    @property
    def redraws(self) -> bool:
        """Whether the validation rows are so few that which ones they are is a matter of luck."""
        return len(self.parts.validation) < _MANY_ROWS

    def redrawn(self, seed: int) -> Split:
        return redrawn(self.parts, self.y, self.kind, seed)

    @property
    def covers(self) -> str:
        return "new seeds and splits" if self.redraws else "new seeds"

    def describe(self) -> str:
        return "stratified" if self.kind == "classification" else ""
