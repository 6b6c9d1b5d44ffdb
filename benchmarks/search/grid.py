"""What the table holds: tasks, and the grid of configurations that was trained on each."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from typing import Any

import numpy as np

from benchmarks.data_sets import DATA_SETS
from optselect.optim.configuration import Configuration
from optselect.optim.hyperparameters import Search, choice
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES
from optselect.spaces import Space

__all__ = [
    "SEEDS",
    "TASKS",
    "TableTask",
    "at_defaults",
    "configurations",
    "key",
    "lengths",
    "nearest",
    "rates",
    "space",
]

SEEDS = (0, 1, 2)
_BATCH_SIZES = (32, 128)
_SCHEDULES = ("constant", "cosine_decay")
_EXTRA_RULES = ("lion",)  # beside those of the default space: the narrowest range of rates
# The second hyperparameter of a rule: the first of these that it has, at its default and at this value.
_SECOND = {"beta_1": 0.5, "rho": 0.99, "momentum": 0.9, "initial_accumulator_value": 0.0}
_APART = 2.0  # a default rate that is further than this factor from the grid joins it

Key = tuple[str, float, float, str, int]
"""A configuration in short: rule, learning rate, value of the second hyperparameter, schedule, batch size."""


@dataclasses.dataclass(frozen=True)
class TableTask:
    """A data set of `benchmarks.data_sets` with the default model. epochs: of the longest training."""

    data: str
    epochs: int

    def spec(self) -> Any:
        """The task; its split is the same for all seeds."""
        from optselect.data import read
        from optselect.task import make_spec

        frame, target = DATA_SETS[self.data].read()
        return make_spec(read(frame, target=target), epochs=self.epochs, seed=0)


TASKS = (
    TableTask("breast_cancer", 32),
    TableTask("diabetes", 32),
    TableTask("modeldata-concrete", 16),
    TableTask("digits", 8),
    TableTask("modeldata-cells", 8),
)


def lengths(epochs: int) -> tuple[int, int, int]:
    """The lengths of training that the table has: a quarter, a half, and all of `epochs`.

    >>> lengths(16)
    (4, 8, 16)
    """
    return epochs // 4, epochs // 2, epochs


def rules() -> list[type[Rule]]:
    """Those that are compared."""
    return [kind for name, kind in RULES.items() if kind.common or name in _EXTRA_RULES]


def second(rule: type[Rule]) -> str:
    """The name of a rule's second hyperparameter in the grid."""
    return next(name for name in _SECOND if name in _declared(rule))


@functools.cache
def rates(rule: type[Rule]) -> tuple[float, ...]:
    """Half decades over the declared range, and the default where that lies outside."""
    found = _declared(rule)["learning_rate"]
    count = 1 + round(2 * math.log10(found.search.high / found.search.low))
    grid = [float(f"{rate:.3g}") for rate in np.geomspace(found.search.low, found.search.high, count)]
    apart = min(max(rate / found.default, found.default / rate) for rate in grid)
    return tuple(sorted([*grid, *([found.default] if apart > _APART else [])]))


@functools.cache
def space() -> Space:
    """Where every contender searches: rates anywhere in the declared ranges, answered by the nearest in the grid.

    How many trials an arm must have before a hyperparameter joins its search is as declared; only optselect asks.
    """
    arms: dict[str, dict[str, Search]] = {}
    for rule in rules():
        found, name = _declared(rule), second(rule)
        values = choice(*_values(rule), from_trials=found[name].search.from_trials)
        arms[rule.name] = {"learning_rate": found["learning_rate"].search, name: values}
    return Space(
        name="grid",
        description="what the table of benchmarks/search holds",
        optimizers=arms,
        schedules={name: {} for name in _SCHEDULES},
        clipping={"none": {}},
        batch_size=choice(*_BATCH_SIZES, from_trials=5),
    )


@functools.cache
def configurations() -> tuple[Configuration, ...]:
    """All configurations of the grid."""
    return tuple(
        Configuration(
            rule=rule(**{"learning_rate": rate, second(rule): value}),
            schedule=SCHEDULES[schedule](),
            batch_size=size,
        )
        for rule in rules()
        for rate, value, schedule, size in itertools.product(rates(rule), _values(rule), _SCHEDULES, _BATCH_SIZES)
    )


def at_defaults() -> list[Configuration]:
    """Every rule as Keras has it."""
    return [Configuration(rule=rule(), batch_size=_BATCH_SIZES[0]) for rule in rules()]


def key(configuration: Configuration) -> Key:
    """A configuration of the grid in short."""
    rule = configuration.rule
    value = rule.values()[second(type(rule))]
    return rule.name, rule.learning_rate, value, configuration.schedule.name, configuration.batch_size


def nearest(configuration: Configuration) -> Key:
    """The configuration of the grid that answers for another: the nearest rate on a log scale."""
    rule, rate, value, schedule, size = key(configuration)
    kind = RULES[rule]
    closest = min(rates(kind), key=lambda other: abs(math.log(other / rate)))
    return (
        rule,
        closest,
        min(_values(kind), key=lambda other: abs(other - value)),
        schedule,
        min(_BATCH_SIZES, key=lambda other: abs(math.log(other / size))),
    )


def _declared(rule: type[Rule]) -> dict[str, Any]:
    return {h.name: h for h in rule.hypers()}


def _values(rule: type[Rule]) -> tuple[float, float]:
    name = second(rule)
    return float(_declared(rule)[name].default), _SECOND[name]
