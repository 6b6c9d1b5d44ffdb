"""The partition of a data set: what was asked of its split, and what the data bring of their own."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from optselect.data.dataset import Data
from optselect.data.drawing import ByChance, ByGroup, ByTime, Way
from optselect.data.overlap import refuse_overlap
from optselect.data.partition import DrawnPartition, FixedPartition, FoldPartition, Partition
from optselect.data.row_pairs import is_splitter, row_pairs
from optselect.data.split_options import SplitOptions
from optselect.data.splitting import Split, split
from optselect.data.target import Target
from optselect.errors import InvalidData, InvalidValue
from optselect.util.seeds import derive

__all__ = ["PARTS", "moment", "part_rows", "partition"]

PARTS = ("train", "validation", "test")
"""Names of the parts; the place of a name is its number in `Data.aside["part"]`."""

_SHARE = 0.2


def part_rows(parts: Split) -> dict[str, np.ndarray]:
    """The rows of each part by its name."""
    return {name: getattr(parts, name) for name in PARTS}


def partition(data: Data, target: Target, seed: int, options: SplitOptions | None = None) -> Partition:
    """Part the rows of a data set.

    target: the one that the rows are split by. Raises InvalidData where the data cannot be parted so, InvalidValue
    where options contradict each other.

    >>> from optselect.data.target import encode_target
    >>> data = Data(name="t", x=np.zeros((20, 1)), y=pd.Series([0, 1] * 10), target="y")
    >>> found = partition(data, encode_target(data.y, "y", "t"), 0)
    >>> len(found.parts.train), found.describe()
    (12, 'stratified')
    """
    asked = options or SplitOptions()
    strata = target.values if target.kind == "classification" and not target.shape else None
    if asked.way[0] == "stratified" and strata is None:
        raise InvalidValue(f"tune: `split` is 'stratified', and target `{target.name}` has no classes to stratify by.")
    _check_options(asked)
    plain = asked.way[0] in (None, "stratified", "random") and not asked.folds
    if plain and asked.groups is None and asked.cv is None and "part" not in data.aside:
        strata = None if asked.way[0] == "random" else strata
        return _checked(_by_chance(strata, len(target.values), seed, asked), target)
    found = _checked(_Parting(data, strata, seed, asked).found(), target)
    refuse_overlap(data)
    return found


def _check_options(asked: SplitOptions) -> None:
    """Raise InvalidValue for options of which only one can hold."""
    given, fractions = asked.rows_given, asked.fractions
    if asked.groups is not None and asked.way[0] is not None:
        raise InvalidValue(f"tune: `split` is {asked.split!r}, and `groups` are given too: choose one.")
    for name in ("folds", "cv"):
        if getattr(asked, name) is not None and asked.validation is not None:
            raise InvalidValue(f"tune: `{name}` makes the validation rows, and `validation` is given too: drop one.")
    if asked.cv is not None and asked.folds is not None:
        raise InvalidValue("tune: `folds` and `cv` are both given: choose one.")
    if asked.cv is not None and "test" in fractions:
        raise InvalidValue("tune: with `cv` the last pair tests; give test rows, or drop `test`.")
    if asked.way[0] == "given" and (given or asked.folds or asked.cv is not None):
        other = next(iter(given), "folds" if asked.folds else "cv")
        if other in ("folds", "cv", "validation"):
            raise InvalidValue(f"tune: `split` is {asked.split!r}, and `{other}` is given too: choose one.")


def _by_chance(strata: np.ndarray | None, rows: int, seed: int, asked: SplitOptions) -> DrawnPartition:
    shares = {"validation": _SHARE, "test": _SHARE} | asked.fractions
    y, kind = (np.zeros(rows), "regression") if strata is None else (strata, "classification")
    way = ByChance(strata=strata)
    parts = split(y, kind, seed, **shares)  # type: ignore[arg-type]
    is_default = asked.is_default or (asked.split == "stratified" and not asked.fractions)
    return DrawnPartition(parts=parts, way=way, phrase=way.phrase, is_default=is_default)


@dataclasses.dataclass(frozen=True, eq=False)
class _Parting:
    """What is known of the rows while they are parted."""

    data: Data
    strata: np.ndarray | None
    seed: int
    asked: SplitOptions

    def found(self) -> Partition:
        given = self.data.aside.get("part", np.zeros(self.data.rows, "int8"))
        rows = [np.flatnonzero(given == number) for number in range(len(PARTS))]
        way = self._way()
        if not len(rows[0]):
            raise InvalidData(f"{self.data.name}: no training rows: all are given as {' or '.join(PARTS[1:])}.")
        self._check_apart(way, rows)
        said = _given_phrase(self.asked, rows)
        pool, validation, test = rows
        if self.asked.cv is not None:
            return self._by_pairs(pool, test, said)
        random = np.random.default_rng(derive(self.seed, "split"))
        if drawn := not len(test):
            size = math.ceil(self.asked.fractions.get("test", _SHARE) * len(pool))
            pool, test = way.draw(pool, size, 1 if len(validation) else 2, random)
        if self.asked.folds:
            pairs = way.folds(pool, self.asked.folds, random)
            phrase = ", ".join(filter(None, [f"{self.asked.folds} folds", way.phrase, said]))
            return _of_pairs(pairs, test, phrase)
        chance = isinstance(way, ByChance) and len(validation) and not drawn
        phrase = ", ".join(filter(None, ["" if chance else way.phrase, said]))
        if len(validation):
            return FixedPartition(parts=Split(train=pool, validation=validation, test=test), phrase=phrase)
        size = math.ceil(self.asked.fractions.get("validation", _SHARE) * len(pool))
        train, validation = way.draw(pool, size, 1, random)
        parts = Split(train=train, validation=validation, test=test)
        if not way.covers:
            return FixedPartition(parts=parts, phrase=phrase)
        return DrawnPartition(parts=parts, way=way, phrase=phrase)

    def _way(self) -> Way:
        kind, column = self.asked.way
        if "group" in self.data.aside:
            name = f"`{column}`" if kind == "group" else "the groups given"
            return ByGroup(groups=pd.factorize(self.data.aside["group"])[0], strata=self.strata, name=name)
        if "time" in self.data.aside:
            return ByTime(moments=self.data.aside["time"], name=f"`{column}`" if column else "the rows")
        return ByChance(strata=None if kind == "random" else self.strata)

    def _check_apart(self, way: Way, rows: Sequence[np.ndarray]) -> None:
        """Raise InvalidData where given parts share groups, or are not in the order of time."""
        held = [(name, part) for name, part in zip(PARTS, rows, strict=True) if len(part)]
        for (first, before), (second, after) in itertools.pairwise(held):
            if isinstance(way, ByTime) and way.moments[before].max() >= way.moments[after].min():
                raise InvalidData(
                    f"{self.data.name}: the {second} rows begin at {moment(way.moments[after].min())}, before the "
                    f"{first} rows end at {moment(way.moments[before].max())}: {way.name} does not part them."
                )
        if isinstance(way, ByGroup):
            for n, (first, before) in enumerate(held):
                for second, after in held[n + 1 :]:
                    shared = np.intersect1d(way.groups[before], way.groups[after])
                    if len(shared):
                        where = np.flatnonzero(way.groups == shared[0])[0]
                        raise InvalidData(
                            f"{self.data.name}: {len(shared):,} groups of {way.name} have {first} and {second} rows, "
                            f"such as {self.data.aside['group'][where]!r}."
                        )

    def _by_pairs(self, pool: np.ndarray, test: np.ndarray, said: str) -> Partition:
        pairs = row_pairs(self.asked.cv, self.data, self.strata, pool)
        if not len(test):
            pairs, test = self._held_out(pairs)
        name = type(self.asked.cv).__name__ if is_splitter(self.asked.cv) else "given"
        count = f"{len(pairs)} pair{'s' * (len(pairs) != 1)} of training and validation rows"
        return _of_pairs(pairs, test, ", ".join(filter(None, [f"{count} ({name})", said])))

    def _held_out(self, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple[list[Any], np.ndarray]:
        """The pairs without the rows of the test set, which the last of them gives; of a single one half."""
        if len(pairs) == 1:
            train, held = pairs[0]
            if len(held) < 2:
                raise InvalidData("tune: `cv` gives one pair with one validation row; validation and test need one.")
            if train.max() < held.min():  # in the order of the rows, as of time
                return [(train, held[: -(len(held) // 2)])], held[-(len(held) // 2) :]
            random = np.random.default_rng(derive(self.seed, "split"))
            validation, test = self._way().draw(held, len(held) // 2, 1, random)
            return [(train, validation)], test
        test = pairs[-1][1]
        rest = [(np.setdiff1d(a, test), np.setdiff1d(b, test)) for a, b in pairs[:-1]]
        rest = [pair for pair in rest if len(pair[0]) and len(pair[1])]
        if not rest:
            raise InvalidData("tune: the pairs of `cv` share their validation rows: none is left to test; give `test`.")
        return rest, test


def moment(value: Any) -> str:
    """A moment for people: a date without what is zero in it, or a number.

    >>> moment(np.datetime64("2019-01-02T00:00:00")), moment(12.0)
    ('2019-01-02', '12')
    """
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[s]")).removesuffix("T00:00:00").replace("T", " ")
    return f"{value:g}" if isinstance(value, float | np.floating) else str(value)


def _given_phrase(asked: SplitOptions, rows: Sequence[np.ndarray]) -> str:
    """What to say of parts that were given."""
    names = [name for name, part in zip(PARTS[1:], rows[1:], strict=True) if len(part)]
    if not names:
        return ""
    column = asked.column("given")
    return f"{' and '.join(names)} rows given" + (f" by `{column}`" if column else "")


def _of_pairs(pairs: Sequence[tuple[np.ndarray, np.ndarray]], test: np.ndarray, phrase: str) -> FoldPartition:
    """The pairs as folds; the search has the one with most rows, the first of those."""
    splits = tuple(Split(train=train, validation=validation, test=test) for train, validation in pairs)
    most = max(splits, key=lambda one: len(one.train) + len(one.validation))
    return FoldPartition(parts=most, splits=splits, phrase=phrase)


def _checked(found: Partition, target: Target) -> Partition:
    """The partition. Raises InvalidData if a class has no training rows, or a part has no rows."""
    for name, rows in part_rows(found.parts).items():
        if not len(rows):
            raise InvalidData(f"tune: the {name} set has no rows.")
    if target.kind != "classification" or target.shape or found.is_default:
        return found
    for parts in getattr(found, "splits", [found.parts]):
        there = np.zeros(len(target.classes), bool)
        there[np.unique(target.values[parts.train])] = True
        if not there.all():
            held = np.concatenate([parts.validation, parts.test])
            label = target.classes[int(np.flatnonzero(~there)[0])]
            count = int((target.values[held] == target.classes.index(label)).sum())
            how = f" ({found.describe()})" if found.describe() else ""
            raise InvalidData(
                f"tune: no training row has the class {str(label)!r} of `{target.name}`, {count} validation and test "
                f"rows have it{how}: nothing could be learnt of it. Split another way, or merge or remove the class."
            )
    return found
