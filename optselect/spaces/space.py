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
from optselect.spaces.families import FAMILIES, SHARED, Members, declared, declared_members, defaults
from optselect.spaces.full_form import full_form
from optselect.spaces.suggesting import FromConfiguration, FromTrial, OutsideError, ValueSource, choose, draw, tidied
from optselect.util.suggestion import suggestion

__all__ = ["Space", "default_space"]

_BATCH_SIZES = (16, 32, 64, 128, 256)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Space:
    """Where to search: one arm per optimizer, and what all arms share.

    Parameters
    ----------
    name : str
        Name of the space.
    optimizers : dict of str to (dict of str to Search)
        The arms by `Rule.key`, such as "lookahead(adam)", each with the range of its hyperparameters; a hyperparameter
        that is missing stays at its default. A hyperparameter of a wrapped rule has "rule." before its name. Besides
        hyperparameters an arm may have "schedule", "clipping" and "batch_size", which narrow what all arms share.
    schedules : dict of str to (dict of str to Search)
        Schedules to try, by name, with the range of their hyperparameters.
    clipping : dict of str to (dict of str to Search)
        Kinds of clipping to try, by name, with the range of their hyperparameters.
    batch_size : Search
        Batch sizes to try; "full" means the whole training set.
    description : str, default ""
        One line about the space.
    """

    name: str
    optimizers: Members
    schedules: Members
    clipping: Members
    batch_size: Search
    description: str = ""

    def only(self, optimizers: Sequence[str]) -> Space:
        """Restrict the space to some optimizers.

        Parameters
        ----------
        optimizers : sequence of str
            Keys of rules. A rule that the space does not contain is searched as it declares itself.

        Returns
        -------
        Space
            The new space.

        Raises
        ------
        UnknownName
            If there is no rule of that name.

        Examples
        --------
        >>> list(default_space().only(["adam", "sgd"]).optimizers)
        ['adam', 'sgd']
        """
        rules = [parse(name) for name in optimizers]
        arms = {rule.key: self.optimizers.get(rule.key) or declared(rule) for rule in rules}
        return dataclasses.replace(self, optimizers=arms)

    def narrowed(self, arm: str, low: float, high: float, *, floor: float = math.inf) -> Space:
        """Restrict the learning rate of one optimizer.

        Both ends are rounded to four digits and intersected with the present range; if they do not meet, the present
        range stays. A quotient is restricted at the arm's `defaults`. A fixed rate stays fixed, and of several choices
        those inside remain.

        Parameters
        ----------
        arm : str
            Key of the optimizer.
        low : float
            Lowest learning rate.
        high : float
            Highest learning rate.
        floor : float, default math.inf
            A learning rate well below the present range, down to which that range is extended first.

        Returns
        -------
        Space
            The new space.

        Raises
        ------
        InvalidValue
            If not 0 < low < high.
        UnknownName
            If the space has no such arm.

        Examples
        --------
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
        """The rule of an arm at its defaults, apart from what the space fixes.

        Parameters
        ----------
        arm : str
            Key of the optimizer.

        Returns
        -------
        Rule
            The rule.

        Raises
        ------
        UnknownName
            If the space has no such arm.
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
        """A short hash of everything that is searched, without name and description.

        Returns
        -------
        str
            Twelve hexadecimal digits.
        """
        content = dataclasses.asdict(self)
        del content["name"], content["description"]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]

    def searched(self) -> int:
        """The number of hyperparameters that have more than one value, over all arms and what they share.

        Returns
        -------
        int
            The number.
        """
        members = [*self.optimizers.values(), *self.schedules.values(), *self.clipping.values()]
        searches = [self.batch_size, *(s for m in members for name, s in m.items() if name not in SHARED)]
        return sum(search.scale != "choice" or len(search.choices) > 1 for search in searches)

    def suggest(self, trial: optuna.Trial, arm: str, *, share: int, rows: int) -> Configuration:
        """Sample a configuration with an Optuna trial.

        Parameters
        ----------
        trial : optuna.Trial
            The trial.
        arm : str
            Key of the optimizer.
        share : int
            Number of trials that the arm will have; with few trials only the most important hyperparameters are
            searched.
        rows : int
            Number of training rows; larger batches are not suggested.

        Returns
        -------
        Configuration
            The configuration.
        """
        return self._configuration(FromTrial(trial), arm, share, rows)

    def known(
        self, configuration: Configuration, *, share: int, rows: int
    ) -> tuple[dict[str, Any], dict[str, BaseDistribution]] | None:
        """Find the Optuna parameters that give a configuration.

        `suggest` rounds to four digits; a configuration with more digits is found all the same.

        Parameters
        ----------
        configuration : Configuration
            The configuration.
        share : int
            Number of trials that the arm will have.
        rows : int
            Number of training rows.

        Returns
        -------
        tuple of dict or None
            Parameters and distributions by name; None if the configuration lies outside the space.
        """
        if configuration.rule.key not in self.optimizers:
            return None
        source = FromConfiguration(configuration)
        try:
            found = self._configuration(source, configuration.rule.key, share, rows)
        except OutsideError:
            return None
        return (source.params, source.distributions) if found == configuration else None

    def _configuration(self, source: ValueSource, arm: str, share: int, rows: int) -> Configuration:
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
        """Describe the space with JSON types, as a YAML file would in full.

        Returns
        -------
        dict
            The sections of the file.
        """
        return full_form(self.description, {name: getattr(self, name) for name in FAMILIES}, self.batch_size)


def default_space() -> Space:
    """The space that the rules themselves declare: the common rules, schedules and kinds of clipping.

    Returns
    -------
    Space
        The space.

    Examples
    --------
    >>> default_space().name
    'default'
    """
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
    source: ValueSource, what: str, family: Mapping[str, Any], members: Members, narrow: Search | None, share: int
) -> Any:
    """A schedule or a clipping. `narrow`: those of them that the arm goes with, if not with all."""
    names = [name for name in members if narrow is None or name in narrow.choices]
    name = choose(source, what, [n for n in names if share >= family[n].from_trials] or names)
    kind = family[name]
    return kind(**draw(source, members[name], defaults(kind), share, prefix=f"{name}."))


def _batch_size(source: ValueSource, search: Search, share: int, rows: int) -> int:
    if share < search.from_trials:
        return min(BASELINE.batch_size, rows)
    sizes = sorted({rows if size == "full" else int(size) for size in search.choices})
    fitting = [size for size in sizes if size <= rows] or [rows]
    return int(choose(source, "batch_size", fitting))
