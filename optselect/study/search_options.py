"""How a search goes about it: what a user may choose, checked, and told apart in a study's fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from typing import Any, get_args

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from optselect.errors import UnknownName
from optselect.optim.configuration import Configuration
from optselect.study.arm import Strategy
from optselect.study.pruners import make_pruner
from optselect.study.samplers import make_sampler
from optselect.util.suggestion import suggestion

__all__ = ["SearchOptions"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """strategy: "arms", an Optuna study an optimizer, or "joint", one study where the optimizer is a parameter too.

    sampler: "tpe", "gp", "grid", "qmc", "random", or an Optuna sampler. pruner: who ends trials at rungs: "none",
    "halving", "hyperband", "median", "patient", "percentile", "successive_halving", "wilcoxon", or an Optuna pruner.
    range_test: try learning rates a little before an arm's first trial. elimination: give the trials of arms that
    could not become the best any more to the others. start: configurations to try first, each in its arm.

    >>> SearchOptions(strategy="join")
    Traceback (most recent call last):
    optselect.errors.UnknownName: tune: unknown strategy 'join'. Did you mean 'joint'? Known: arms, joint.
    """

    strategy: Strategy = "arms"
    sampler: str | BaseSampler = "tpe"
    pruner: str | BasePruner = "none"
    range_test: bool = True
    elimination: bool = True
    start: tuple[Configuration, ...] = ()

    def __post_init__(self) -> None:
        known = get_args(Strategy)
        if self.strategy not in known:
            raise UnknownName(f"tune: unknown strategy {self.strategy!r}. {suggestion(self.strategy, known)}")
        make_sampler(self.sampler)
        self.pruner_of(1, 4)

    @property
    def pausing(self) -> bool:
        """Whether trials pause at rungs."""
        return self.pruner != "none"

    def pruner_of(self, shortest: int, epochs: int) -> BasePruner:
        """A fresh pruner. shortest: the first rung, in epochs."""
        return make_pruner(self.pruner, shortest=shortest, epochs=epochs)

    def fingerprint(self) -> dict[str, str]:
        """What changes the sequence of trials, by name."""
        return {
            "strategy": self.strategy,
            "sampler": _named(self.sampler),
            "pruner": _named(self.pruner),
            "range test": _yes(self.range_test),
            "elimination": _yes(self.elimination),
            "start": _digest([c.to_dict() for c in self.start]) if self.start else "none",
        }


def _named(what: Any) -> str:
    return what if isinstance(what, str) else type(what).__name__


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
