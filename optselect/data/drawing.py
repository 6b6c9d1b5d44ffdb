"""Ways to draw rows out of others: by chance, by whole groups, or the latest ones."""

from __future__ import annotations

import dataclasses
from typing import Protocol

import numpy as np

from optselect.data.splitting import drawn_rows
from optselect.errors import InvalidData

__all__ = ["ByChance", "ByGroup", "ByTime", "Way"]

Pair = tuple[np.ndarray, np.ndarray]
"""The rows that are left, and those that were drawn."""

_TRIES = 12  # random sets of groups, of which the one with the best shares is taken


class Way(Protocol):
    """How rows are drawn. `rows` are sorted row numbers, what comes back is sorted too."""

    @property
    def phrase(self) -> str:
        """In words."""

    @property
    def covers(self) -> str:
        """What varies where fresh seeds draw their rows; "" if there is nothing to be drawn by chance."""

    def draw(self, rows: np.ndarray, size: int, leave: int, random: np.random.Generator) -> Pair:
        """About `size` of the rows. leave: how many units (rows of a class, groups, moments) stay at least."""

    def folds(self, rows: np.ndarray, count: int, random: np.random.Generator) -> list[Pair]:
        """Pairs of training and validation rows."""


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ByChance:
    """Any rows; where there are strata in equal shares of each. strata: by row, numbers from 0, None for no strata."""

    strata: np.ndarray | None

    @property
    def phrase(self) -> str:
        return "" if self.strata is None else "stratified"

    @property
    def covers(self) -> str:
        return "splits"

    def draw(self, rows: np.ndarray, size: int, leave: int, random: np.random.Generator) -> Pair:
        kept, drawn = drawn_rows(random.permutation(len(rows)), self._of(rows), size, leave)
        return rows[np.sort(kept)], rows[np.sort(drawn)]

    def folds(self, rows: np.ndarray, count: int, random: np.random.Generator) -> list[Pair]:
        strata = self._of(rows)
        fewest = np.bincount(strata)[np.unique(strata)].min()
        if fewest < count:
            what = "rows" if self.strata is None else "rows of the rarest class"
            raise InvalidData(f"tune: `folds` is {count}, and besides the test set there are only {fewest} {what}.")
        order = random.permutation(len(rows))
        order = order[np.argsort(strata[order], kind="stable")]
        fold = np.empty(len(rows), dtype="int64")
        fold[order] = np.arange(len(rows)) % count
        return [(rows[fold != k], rows[fold == k]) for k in range(count)]

    def _of(self, rows: np.ndarray) -> np.ndarray:
        return np.zeros(len(rows), dtype="int64") if self.strata is None else self.strata[rows]


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ByGroup:
    """Whole groups, with the classes in shares as equal as groups allow.

    groups: by row, numbers from 0. strata: as `ByChance` has them. name: of the groups, for people.
    """

    groups: np.ndarray
    strata: np.ndarray | None
    name: str

    @property
    def phrase(self) -> str:
        return f"by {self.name}, {len(np.unique(self.groups)):,} groups"

    @property
    def covers(self) -> str:
        return "groups"

    def draw(self, rows: np.ndarray, size: int, leave: int, random: np.random.Generator) -> Pair:
        groups, of_row = np.unique(self.groups[rows], return_inverse=True)
        if len(groups) <= leave:
            raise InvalidData(
                f"tune: each part needs a group of its own, and {self.name} makes only {len(groups)} groups of the "
                "rows that are to be parted."
            )
        counts = self._counts(rows, of_row, len(groups))
        tries = [_some_groups(counts.sum(1), size, leave, random) for _ in range(_TRIES)]
        chosen = min(tries, key=lambda one: _unevenness(counts, one, size))
        drawn = chosen[of_row]
        return rows[~drawn], rows[drawn]

    def folds(self, rows: np.ndarray, count: int, random: np.random.Generator) -> list[Pair]:
        groups, of_row = np.unique(self.groups[rows], return_inverse=True)
        if len(groups) < count:
            raise InvalidData(
                f"tune: `folds` is {count}, and besides the test set {self.name} has only {len(groups)} groups."
            )
        counts = self._counts(rows, of_row, len(groups))
        fold = np.zeros(len(groups), dtype="int64")
        order = random.permutation(len(groups))
        filled = np.zeros((count, counts.shape[1]))
        for place, group in enumerate(order[np.argsort(-counts[order].sum(1), kind="stable")]):
            # As StratifiedGroupKFold: the fold that leaves the shares of each class most equal. The first ones go
            # to different folds, so that none is empty.
            after = [filled[k].sum() if place < count else 0.0 for k in range(count)]
            spread = [np.std(np.where(np.arange(count)[:, None] == k, filled + counts[group], filled) / counts.sum(0),
                             axis=0).mean() for k in range(count)]  # fmt: skip
            fold[group] = min(range(count), key=lambda k: (after[k] > 0, spread[k], filled[k].sum()))
            filled[fold[group]] += counts[group]
        return [(rows[fold[of_row] != k], rows[fold[of_row] == k]) for k in range(count)]

    def _counts(self, rows: np.ndarray, of_row: np.ndarray, groups: int) -> np.ndarray:
        """Rows of each class in each group, of classes that are there at all: shape (groups, classes)."""
        strata = np.zeros(len(rows), dtype="int64") if self.strata is None else self.strata[rows]
        counts = np.zeros((groups, int(strata.max()) + 1), dtype="int64")
        np.add.at(counts, (of_row, strata), 1)
        return counts[:, counts.sum(0) > 0]


def _some_groups(sizes: np.ndarray, size: int, leave: int, random: np.random.Generator) -> np.ndarray:
    """Groups that together have about so many rows: bool, shape (groups,); one at least, `leave` are left at least."""
    chosen, total = np.zeros(len(sizes), bool), 0
    most = len(sizes) - leave
    for group in random.permutation(len(sizes)):
        if chosen.sum() < most and abs(total + sizes[group] - size) < abs(total - size):
            chosen[group], total = True, total + sizes[group]
    if not chosen.any():
        chosen[np.argmin(sizes)] = True
    return chosen


def _unevenness(counts: np.ndarray, chosen: np.ndarray, size: int) -> float:
    """How far chosen groups are from the size and the shares of classes that are wanted; lacking classes weigh most."""
    drawn, left = counts[chosen].sum(0), counts[~chosen].sum(0)
    shares = np.abs(drawn / max(drawn.sum(), 1) - counts.sum(0) / counts.sum()).sum()
    lacking = 100.0 * (left == 0).sum() + 2.0 * (drawn == 0).sum()
    return float(lacking + shares + abs(drawn.sum() - size) / size)


@dataclasses.dataclass(frozen=True, kw_only=True, eq=False)
class ByTime:
    """The latest rows; those of one moment stay together. moments: by row, numbers or dates. name: for people."""

    moments: np.ndarray
    name: str

    @property
    def phrase(self) -> str:
        return f"in the order of {self.name}"

    @property
    def covers(self) -> str:
        return ""

    def draw(self, rows: np.ndarray, size: int, leave: int, random: np.random.Generator) -> Pair:
        order, places = self._places(rows)
        if len(places) < leave:
            raise InvalidData(
                f"tune: training, validation and test rows need a moment each, and {self.name} has only "
                f"{len(places) + 1} in the rows that are to be parted."
            )
        allowed = places[leave - 1 :]
        place = allowed[np.argmin(np.abs(allowed - (len(rows) - size)))]
        return np.sort(order[:place]), np.sort(order[place:])

    def folds(self, rows: np.ndarray, count: int, random: np.random.Generator) -> list[Pair]:
        """Each validates on the moments that follow its training rows (a rolling origin)."""
        order, places = self._places(rows)
        wanted = [len(rows) * k // (count + 1) for k in range(1, count + 1)]
        bounds = [int(places[np.argmin(np.abs(places - w))]) for w in wanted] if len(places) else []
        if len(set(bounds)) < count:
            raise InvalidData(
                f"tune: `folds` is {count}, which needs {count + 1} stretches of time, and besides the test set "
                f"{self.name} has too few moments ({len(places) + 1}) to part the rows so."
            )
        ends = [*bounds[1:], len(rows)]
        return [(np.sort(order[:a]), np.sort(order[a:b])) for a, b in zip(bounds, ends, strict=True)]

    def _places(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The rows in order, and the places where another moment begins."""
        order = rows[np.argsort(self.moments[rows], kind="stable")]
        moments = self.moments[order]
        return order, np.flatnonzero(moments[1:] != moments[:-1]) + 1
