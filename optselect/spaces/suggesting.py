"""From searches to values: out of an Optuna trial, or found again in a configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution

from optselect.optim.configuration import Configuration
from optselect.optim.hyperparameters import Search
from optselect.spaces.coupling import factor, holds, in_order

__all__ = ["FromConfiguration", "FromTrial", "OutsideError", "ValueSource", "choose", "draw", "tidied"]


class OutsideError(Exception):
    """A value is not where the space looks."""


@dataclasses.dataclass(frozen=True)
class Coordinate:
    """What Optuna is asked for one hyperparameter. key: its name; name: the parameter's; by: the quotient's factor."""

    key: str
    name: str
    search: Search
    distribution: BaseDistribution
    by: float = 1.0

    def value(self, number: float) -> float:
        """The hyperparameter from the parameter, to four digits: they survive float32 and read well."""
        low, high = self.search.low, self.search.high
        if self.search.scale == "log1m":
            return min(max(round(1 - tidied(number), 12), low), high)
        if self.search.per:
            return tidied(number * self.by)
        return min(max(tidied(number), low), high)

    def number(self, value: Any) -> Any:
        """The parameter from the hyperparameter. Raises `OutsideError`."""
        if isinstance(self.distribution, CategoricalDistribution):
            if value not in self.distribution.choices:
                raise OutsideError
            return value
        low, high = self.distribution.low, self.distribution.high  # type: ignore[attr-defined]
        number = round(1 - value, 12) if self.search.scale == "log1m" else value / self.by
        slack = 1e-3 * abs(number) if self.search.per else 0.0  # four digits of a quotient at its end
        if not low - slack <= number <= high + slack:
            raise OutsideError
        return min(max(number, low), high)


def tidied(number: float) -> float:
    """A number to four significant digits."""
    return float(f"{number:.4g}")


class ValueSource(Protocol):
    """Where values come from."""

    def take(self, coordinate: Coordinate) -> Any:
        """The value of a hyperparameter."""


class FromTrial:
    """Values that Optuna suggests."""

    def __init__(self, trial: optuna.Trial) -> None:
        self._trial = trial

    def take(self, coordinate: Coordinate) -> Any:
        asked: Any = coordinate.distribution
        if isinstance(asked, CategoricalDistribution):
            return self._trial.suggest_categorical(coordinate.name, asked.choices)
        return coordinate.value(self._trial.suggest_float(coordinate.name, asked.low, asked.high, log=asked.log))


class FromConfiguration:
    """Values that a configuration has; keeps the Optuna parameters that give them."""

    def __init__(self, configuration: Configuration) -> None:
        self._values: dict[str, Any] = configuration.rule.named_numbers()
        for what, part in (("schedule", configuration.schedule), ("clipping", configuration.clipping)):
            self._values[what] = part.name
            self._values |= {f"{part.name}.{name}": value for name, value in part.values().items()}
        self._values["batch_size"] = configuration.batch_size
        self.params: dict[str, Any] = {}
        self.distributions: dict[str, BaseDistribution] = {}

    def take(self, coordinate: Coordinate) -> Any:
        if coordinate.key not in self._values:
            raise OutsideError
        value = self._values[coordinate.key]
        self.params[coordinate.name] = coordinate.number(value)
        self.distributions[coordinate.name] = coordinate.distribution
        return value


def draw(
    source: ValueSource, searches: Mapping[str, Search], values: Mapping[str, Any], share: int, prefix: str = ""
) -> dict[str, Any]:
    """The values of all hyperparameters of one member.

    values: where nothing is searched. share: trials of the arm. prefix: before names, for the source.
    """
    drawn = dict(values)
    for name in in_order(searches):
        search = searches[name]
        if share >= search.from_trials and all(holds(allowed, drawn[other]) for other, allowed in search.when):
            drawn[name] = _one(source, prefix + name, search, factor(search.per, drawn))
    return drawn


def choose(source: ValueSource, what: str, choices: Sequence[Any]) -> Any:
    """One of several, without asking if there is one only."""
    if len(choices) == 1:
        return choices[0]
    search = Search("choice", choices=tuple(choices))
    return source.take(Coordinate(what, what, search, CategoricalDistribution(search.choices)))


def _one(source: ValueSource, key: str, search: Search, by: float) -> Any:
    if search.scale == "choice":
        return choose(source, key, search.choices)
    if search.scale == "log1m":
        rest = FloatDistribution(round(1 - search.high, 12), round(1 - search.low, 12), log=True)
        return source.take(Coordinate(key, f"1-{key}", search, rest))
    name = f"{key}/({search.per})" if search.per.startswith("1-") else f"{key}/{search.per}" if search.per else key
    range_ = FloatDistribution(search.low, search.high, log=search.scale == "log")
    return source.take(Coordinate(key, name, search, range_, by))
