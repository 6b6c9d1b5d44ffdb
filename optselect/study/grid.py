"""A finite grid over a search space: choices as they are, of every range a few values on its scale."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, cast

import optuna

from optselect.optim.configuration import Configuration

__all__ = ["Grid"]

_FEWEST = 3  # values of a range: its ends and its middle
_LISTED = 1000  # points of a grid that is listed in full; of a larger one points are drawn


class Grid:
    """The points of a grid in a shuffled order, none twice.

    Every range has as many values as the budget holds points for, three at least: often there are then more points
    than trials, and the budget takes some of them at random.

    suggest: a configuration from an Optuna trial. share: how many points are wanted. besides: configurations that it
    passes over.
    """

    def __init__(
        self,
        suggest: Callable[[optuna.Trial], Configuration],
        *,
        share: int,
        seed: int,
        besides: Collection[Configuration] = (),
    ) -> None:
        self._suggest, self._besides, self._random = suggest, set(besides), random.Random(seed)
        self.levels, listed = _FEWEST, self._listed(_FEWEST, _LISTED)
        while listed and (more := self._listed(self.levels + 1, share)) and len(more) > len(listed):
            self.levels, listed = self.levels + 1, more
        self._points = self._shuffled(listed or {})
        self._whole = listed is not None

    @property
    def size(self) -> float:
        """How many points there are; infinite for more than anybody will ask for."""
        return len(self._points) if self._whole else math.inf

    def params(self, index: int) -> Mapping[str, Any]:
        """The Optuna parameters of a point."""
        while index >= len(self._points):
            configuration, walk = self._walk(lambda choices: self._random.randrange(choices), self.levels)
            if configuration not in self._besides:
                self._points[configuration] = walk.params
        return list(self._points.values())[index]

    def _listed(self, levels: int, most: int) -> dict[Configuration, Mapping[str, Any]] | None:
        """All points, in order; None if there are more than `most`."""
        found: dict[Configuration, Mapping[str, Any]] = {}
        path: Sequence[int] | None = []
        while path is not None:
            configuration, walk = self._walk(_along(path), levels)
            if configuration not in self._besides:
                found[configuration] = walk.params
            if len(found) > most:
                return None
            path = walk.following()
        return found

    def _walk(self, choose: Callable[[int], int], levels: int) -> tuple[Configuration, _Walk]:
        walk = _Walk(choose, levels)
        return self._suggest(cast(optuna.Trial, walk)), walk

    def _shuffled(self, points: Mapping[Configuration, Mapping[str, Any]]) -> dict[Configuration, Mapping[str, Any]]:
        order = list(points)
        self._random.shuffle(order)
        return {configuration: points[configuration] for configuration in order}


class _Walk:
    """An Optuna trial that takes a value of the grid wherever it is asked. choose: one of so many, by its number."""

    def __init__(self, choose: Callable[[int], int], levels: int) -> None:
        self.params: dict[str, Any] = {}
        self._choose, self._levels = choose, levels
        self._taken: list[tuple[int, int]] = []

    def suggest_float(self, name: str, low: float, high: float, *, log: bool = False) -> float:
        share = self._take(self._levels) / (self._levels - 1)
        value = low * (high / low) ** share if log else low + (high - low) * share
        self.params[name] = min(max(value, low), high)
        return float(self.params[name])

    def suggest_categorical(self, name: str, choices: Sequence[Any]) -> Any:
        self.params[name] = choices[self._take(len(choices))]
        return self.params[name]

    def following(self) -> list[int] | None:
        """What to choose for the next point in order; None after the last."""
        path = list(self._taken)
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        return [*(number for number, _ in path[:-1]), path[-1][0] + 1] if path else None

    def _take(self, choices: int) -> int:
        self._taken.append((self._choose(choices), choices))
        return self._taken[-1][0]


def _along(path: Sequence[int]) -> Callable[[int], int]:
    """What goes along a path, and from its end always takes the first."""
    ahead = iter(path)
    return lambda choices: next(ahead, 0)
