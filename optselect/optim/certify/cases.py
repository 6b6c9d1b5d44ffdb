"""Every rule beside its Keras twin."""

from __future__ import annotations

import dataclasses
import importlib
import itertools
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Literal

import numpy as np

from optselect.errors import InvalidValue, UnknownName
from optselect.optim.certify.walking import STEPS, Applied, Comparison, DType, Stepped, compared
from optselect.optim.clipping import CLIPPINGS
from optselect.optim.configuration import Configuration
from optselect.optim.hyperparameters import Declared, Hyper
from optselect.optim.rule import Rule
from optselect.optim.rules import RULES
from optselect.optim.schedules import SCHEDULES
from optselect.util.suggestion import suggestion

__all__ = ["Case", "altered", "as_twin", "cases", "compare", "named", "run"]


@dataclasses.dataclass(frozen=True)
class Case:
    """One configuration to compare; `form` is "default", or "altered" where nothing is at its default."""

    form: Literal["default", "altered"]
    configuration: Configuration
    dtype: DType = "float32"

    @property
    def name(self) -> str:
        """Rule, form, schedule, clipping and dtype in one word: "adam/default/constant/none/float32"."""
        c = self.configuration
        return f"{c.rule.key}/{self.form}/{c.schedule.key}/{c.clipping.name}/{self.dtype}"


def cases(names: Iterable[str] | None = None) -> list[Case]:
    """Each rule that has a twin (or those of `names`): every hyperparameter moved from its default under each schedule
    and, in float64, each clipping; the defaults under each clipping, and once in float64.

    A rule that divides by the learning rate, as its twin does, is spared the schedules that reach zero.
    Not the full product: schedule, clipping and rule act one after the other, on tensors of their own.

    Raises `UnknownName`, or `InvalidValue` for a rule without twin.

    >>> len(cases(["adam"])) == len(SCHEDULES) + 2 * len(CLIPPINGS) + 1
    True
    """
    made = []
    for name in [name for name, rule in RULES.items() if rule.twin] if names is None else names:
        rule = named(name)
        if not rule.twin:
            raise InvalidValue(f"parity: {name} has no twin in Keras. The tests hold it against its formula.")
        schedules = [s for s in SCHEDULES if not (rule.needs_rate and _reaches_zero(s))]
        pairs = list(zip(schedules, itertools.cycle(CLIPPINGS), strict=False))
        made += [_case(rule, "altered", *pair, "float32") for pair in pairs]
        made += [_case(rule, "default", "constant", clipping, "float32") for clipping in CLIPPINGS]
        if "float64" in rule.twin_dtypes:
            made += [_case(rule, "altered", *pair, "float64") for pair in pairs[: len(CLIPPINGS)]]
            made.append(_case(rule, "default", "constant", "none", "float64"))
    return made


def _reaches_zero(schedule: str) -> bool:
    rates = altered(SCHEDULES[schedule]).rates(1.0, STEPS)
    return float(np.min(rates)) <= 0.0


def _case(rule: type[Rule], form: Any, schedule: str, clipping: str, dtype: Any) -> Case:
    make: Callable[[Any], Any] = altered if form == "altered" else lambda kind: kind()
    parts = {"schedule": make(SCHEDULES[schedule]), "clipping": make(CLIPPINGS[clipping])}
    return Case(form, Configuration(rule=as_twin(make(rule)), **parts), dtype)


def run(names: Iterable[str] | None = None) -> Iterator[Comparison]:
    """The comparisons of `cases(names)`, each as soon as it is made.

    They are those of `compare`, in a fifth of the time: what shares a rule and its hyperparameters shares a trace.
    """
    from optselect.optim.certify.family import walked  # it imports Keras

    for _, family in itertools.groupby(cases(names), key=lambda case: (case.configuration.rule, case.dtype)):
        yield from walked(list(family), STEPS)


def compare(case: Case, *, steps: int = STEPS, eager: bool = False) -> Comparison:
    """Step the case's rule and its twin `steps` times. `eager`: without a graph, several times slower.

    Raises `InvalidValue` if no twin does what the rule does.
    """
    c = case.configuration
    arguments = c.rule.twin_arguments()
    if arguments is None:
        raise InvalidValue(f"parity: no class of Keras does what {c.rule.key} does with these hyperparameters.")
    rate = c.schedule.timed(float(arguments["learning_rate"]), steps)
    module, _, name = c.rule.twin.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    optimizer = kind(**{**arguments, **c.clipping.values(), "learning_rate": rate.built()})
    ours = Stepped.clipped(c.rule, rate, c.clipping)
    return compared(case.name, c.rule.twin, ours, Applied(optimizer), case.dtype, steps=steps, eager=eager)


def altered(member: type[Declared]) -> Any:
    """A member of a family with no hyperparameter at its default: flags turned, numbers moved inside their range.

    >>> altered(RULES["sgd"]).nesterov
    True
    """
    return member(**{declared.name: _moved(declared) for declared in member.hypers()})


def as_twin(rule: Rule) -> Rule:
    """The rule with those values that make it equal to its twin.

    >>> as_twin(RULES["lamb"](weight_decay=0.5)).weight_decay
    0.0
    """
    own = rule.values()
    return dataclasses.replace(rule, **{name: value for name, value in rule.twin_at.items() if name in own})


def _moved(declared: Hyper) -> Any:
    """Another value: four fifths up the search range where there is one, else more than the default."""
    search, default, domain = declared.search, declared.default, declared.domain
    if domain.boolean:
        return not default
    if search is None:
        more = 2 * default + 0.1
        return more if domain.contains(more) else (default + domain.low) / 2
    if search.scale == "choice":
        return next(value for value in reversed(search.choices) if value != default)
    low, high = search.low, search.high
    if search.scale == "linear":
        return low + 0.8 * (high - low)
    if search.scale == "log":
        return low * (high / low) ** 0.8
    return 1 - (1 - low) * ((1 - high) / (1 - low)) ** 0.8


def named(name: str) -> type[Rule]:
    """The rule of that name; raises `UnknownName` with the nearest."""
    if name not in RULES:
        raise UnknownName(f"parity: no rule is called {name!r}. {suggestion(name, RULES)}")
    return RULES[name]
