"""A search space: where each arm looks, and what it suggests."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.distributions import BaseDistribution

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import BASELINE, Configuration
from optselect.optim.hyperparameters import Search
from optselect.optim.rule import Rule
from optselect.optim.rules import parse
from optselect.optim.schedules import SCHEDULES
from optselect.spaces.coupling import factor
from optselect.spaces.families import SHARED, Members, declared, declared_members, defaults
from optselect.spaces.suggesting import FromConfiguration, FromTrial, OutsideError, Source, choose, draw, tidied
from optselect.util.suggestion import suggestion

__all__ = ["Space", "default_space"]

_BATCH_SIZES = (16, 32, 64, 128, 256)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Space:
    """Where to search: an arm an optimizer, and what all arms share.

    optimizers, schedules, clipping: the members to try, each with the `Search` of its hyperparameters (a
    hyperparameter that is not there stays at its default). An optimizer goes by its `Rule.key`, "lookahead(adam)",
    and a hyperparameter of a wrapped rule by "rule." and its name; beside hyperparameters an arm may have
    "schedule", "clipping" and "batch_size", which narrow what all arms share. batch_size: as a `Search` too; "full"
    among its choices means the whole training set. description: one line for a person.
    """

    name: str
    optimizers: Members
    schedules: Members
    clipping: Members
    batch_size: Search
    description: str = ""

    def only(self, optimizers: Sequence[str]) -> Space:
        """The same space with these arms alone; one that it does not have is searched as its rule declares.

        Raises `UnknownName` for a name that is no rule's.

        >>> list(default_space().only(["adam", "sgd"]).optimizers)
        ['adam', 'sgd']
        """
        rules = [parse(name) for name in optimizers]
        arms = {rule.key: self.optimizers.get(rule.key) or declared(rule) for rule in rules}
        return dataclasses.replace(self, optimizers=arms)

    def narrowed(self, arm: str, low: float, high: float, *, floor: float = math.inf) -> Space:
        """The same space where an arm's learning rate is searched between `low` and `high` only, on its scale.

        Both are taken to four digits, and meet the range that is there; where they do not meet, that one stays. floor:
        a rate well below that range, down to which it is widened first. A
        quotient is narrowed as it is where the rest has its `defaults`. A rate that is fixed stays so, and of
        several choices stay those within. Raises `InvalidValue`, and `UnknownName` for an arm that is not there.

        >>> space = default_space().narrowed("adam", 3e-4, 0.5)
        >>> space.optimizers["adam"]["learning_rate"].low, space.optimizers["adam"]["learning_rate"].high
        (0.0003, 0.1)
        """
        if not (0 < low < high < math.inf):
            raise InvalidValue(f"Space: narrow to 0 < `low` < `high`, got {low!r} and {high!r}.")
        rule = self.defaults(arm)
        name = rule.rate_name
        search = self.optimizers[arm].get(name)
        if search is None:
            return self
        if search.scale == "choice":
            within = tuple(rate for rate in search.choices if low <= rate <= high)
            search = dataclasses.replace(search, choices=within or search.choices)
        else:
            by = factor(search.per, rule.named_numbers())
            lowest = tidied(floor / by) if floor / by < search.low / 2 else search.low
            low, high = max(tidied(low / by), lowest), min(tidied(high / by), search.high)
            search = dataclasses.replace(search, low=low, high=high) if low < high else search
        arms = {**self.optimizers, arm: {**self.optimizers[arm], name: search}}
        return dataclasses.replace(self, optimizers=arms)

    def defaults(self, arm: str) -> Rule:
        """The arm's rule at its defaults, but for what the space fixes.

        Raises `UnknownName` for an arm that is not there.
        """
        if arm not in self.optimizers:
            raise UnknownName(f"Space {self.name!r}: no arm {arm!r}. {suggestion(arm, self.optimizers)}")
        fixed = {
            name: search.choices[0]
            for name, search in self.optimizers[arm].items()
            if name not in SHARED and len(search.choices) == 1 and not search.when
        }
        return _with_values(parse(arm), fixed)

    def digest(self) -> str:
        """A short hash of what is searched: of everything but the name and the description."""
        content = dataclasses.asdict(self)
        del content["name"], content["description"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def searched(self) -> int:
        """How many hyperparameters have more than one value, over all arms and what they share."""
        members = [*self.optimizers.values(), *self.schedules.values(), *self.clipping.values()]
        searches = [self.batch_size, *(s for m in members for name, s in m.items() if name not in SHARED)]
        return sum(search.scale != "choice" or len(search.choices) > 1 for search in searches)

    def suggest(self, trial: optuna.Trial, arm: str, *, share: int, rows: int) -> Configuration:
        """A configuration of an arm from an Optuna trial.

        share: how many trials the arm will have; with few, only what matters most is searched. rows: of the
        training part; larger batches are not offered.
        """
        return self._configuration(FromTrial(trial), arm, share, rows)

    def known(
        self, configuration: Configuration, *, share: int, rows: int
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
        """The Optuna parameters and distributions that give a configuration; None if it lies outside the space.

        `suggest` rounds what it draws to four digits; a configuration that has more is known all the same.
        """
        if configuration.rule.key not in self.optimizers:
            return None
        source = FromConfiguration(configuration)
        try:
            found = self._configuration(source, configuration.rule.key, share, rows)
        except OutsideError:
            return None
        return (source.params, source.distributions) if found == configuration else None

    def _configuration(self, source: Source, arm: str, share: int, rows: int) -> Configuration:
        narrow = {name: search for name, search in self.optimizers[arm].items() if name in SHARED}
        own = {name: search for name, search in self.optimizers[arm].items() if name not in SHARED}
        rule = parse(arm)
        rule = _with_values(rule, draw(source, own, rule.named_numbers(), share))
        sizes = narrow.get("batch_size", self.batch_size)
        return Configuration(
            rule=rule,
            schedule=_part(source, "schedule", SCHEDULES, self.schedules, narrow.get("schedule"), share),
            clipping=_part(source, "clipping", CLIPPINGS, self.clipping, narrow.get("clipping"), share),
            batch_size=_batch_size(source, sizes, share, rows),
        )

    def to_dict(self) -> dict[str, Any]:
        """What a YAML file says in full, JSON types only."""
        from optselect.spaces.writing import plain

        return plain(self)


def default_space() -> Space:
    """The space that the rules themselves declare: the common rules, schedules and clippings."""
    return Space(
        name="default",
        description="what the rules declare for the usual optimizers; the more trials, the more is searched",
        optimizers=declared_members("optimizers", common=True),
        schedules=declared_members("schedules", common=True),
        clipping=declared_members("clipping", common=True),
        batch_size=Search("choice", choices=_BATCH_SIZES, from_trials=5),
    )


def _with_values(rule: Rule, values: Mapping[str, Any]) -> Rule:
    """The rule with some of its hyperparameters replaced, checked."""
    made: Rule | None = None
    for prefix, part in reversed(rule.named_parts().items()):
        own = {name: values.get(prefix + name, value) for name, value in part.values().items()}
        wrapper: Any = type(part)
        made = wrapper(**own) if made is None else wrapper(**own, rule=made)
    assert made is not None
    return made


def _part(
    source: Source, what: str, family: Mapping[str, Any], members: Members, narrow: Search | None, share: int
) -> Any:
    """A schedule or a clipping. `narrow`: those of them that the arm goes with, if not with all."""
    names = [name for name in members if narrow is None or name in narrow.choices]
    name = choose(source, what, [n for n in names if share >= family[n].from_trials] or names)
    kind = family[name]
    return kind(**draw(source, members[name], defaults(kind), share, prefix=f"{name}."))


def _batch_size(source: Source, search: Search, share: int, rows: int) -> int:
    if share < search.from_trials:
        return min(BASELINE.batch_size, rows)
    sizes = sorted({rows if size == "full" else int(size) for size in search.choices})
    fitting = [size for size in sizes if size <= rows] or [rows]
    return int(choose(source, "batch_size", fitting))
