"""How a search goes about it: what a user may choose, checked, and told apart in a study's fingerprint."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from optuna.pruners import BasePruner
from optuna.samplers import BaseSampler

from optselect.optim.configuration import Configuration
from optselect.study.arm import Strategy
from optselect.study.pruners import PRUNERS, make_pruner
from optselect.study.samplers import SAMPLERS, make_sampler
from optselect.study.warm_start import is_json, known_good
from optselect.util.option_fields import check_choices, documented, option

__all__ = ["SearchOptions"]


@documented
@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchOptions:
    """How the search draws configurations, and which trials it ends early.

    Raises
    ------
    UnknownName
        If a name is none of those listed.
    InvalidValue
        If `start` holds what is no configuration.

    Examples
    --------
    >>> SearchOptions(strategy="join")
    Traceback (most recent call last):
    optselect.errors.UnknownName: tune: unknown strategy 'join'. Did you mean 'joint'? Known: arms, joint.
    """

    strategy: Strategy = option(
        "arms",
        '"arms": one Optuna study per optimizer, each with a fair share of the trials. "joint": one study in which '
        "the optimizer is a parameter.",
        choices=get_args(Strategy),
        terminal="arms: one Optuna study per optimizer, each with a fair share of trials; joint: one study for all.",
    )
    sampler: str | BaseSampler = option(
        "tpe",
        'Optuna sampler that draws the configurations; "gp" needs PyTorch.',
        type="str or optuna.samplers.BaseSampler",
        choices=tuple(sorted(SAMPLERS)),
    )
    pruner: str | BasePruner = option(
        "none",
        "Early-stopping (pruning) algorithm for trials.",
        type="str or optuna.pruners.BasePruner",
        choices=("none", *sorted(name for name in PRUNERS if name != "none")),
    )
    range_test: bool = option(
        True,
        "Run a short learning-rate range test per optimizer first, and search where it learns.",
        type="bool",
    )
    elimination: bool = option(True, "Stop optimizers that can no longer win and reallocate their trials.", type="bool")
    start: Configuration | Sequence[Configuration] | str | Path = option(
        (),
        "Configurations to try first: a `Configuration` or several, an optimizer that a model is compiled with, the "
        "name or folder of an earlier study, a JSON or YAML file, or the text of one.",
        type="Configuration, sequence, optimizer, str or Path",
        terminal="Configurations to try first: an earlier study, or a JSON or YAML file.",
        metavar="STUDY|FILE",
        form="configurations",
    )

    def __post_init__(self) -> None:
        start = self.start
        if not isinstance(start, str | Path) or is_json(start):
            object.__setattr__(self, "start", known_good(start or (), studies=Path()))
        check_choices(self, "tune")
        self.pruner_of(1, 4)

    def resolved(self, studies: Path) -> SearchOptions:
        """Replace what `start` names by the configurations themselves, and check that the sampler can run.

        Parameters
        ----------
        studies : Path
            Folder of the studies, in which `start` may name one.

        Returns
        -------
        SearchOptions
            The new options.

        Raises
        ------
        InvalidValue
            If the sampler needs a package that is not installed, or if a file in `start` cannot be read.
        UnknownName
            If `start` names nothing that exists.
        """
        make_sampler(self.sampler)
        return dataclasses.replace(self, start=known_good(self.start or (), studies=studies))

    @property
    def configurations(self) -> tuple[Configuration, ...]:
        """Those of `start`, once it is resolved."""
        assert isinstance(self.start, tuple)
        return self.start

    @property
    def pausing(self) -> bool:
        """Whether trials pause at rungs."""
        return self.pruner != "none"

    def pruner_of(self, shortest: int, epochs: int) -> BasePruner:
        """Make a fresh pruner.

        Parameters
        ----------
        shortest : int
            Epochs of the first rung.
        epochs : int
            Epochs of a whole training.

        Returns
        -------
        BasePruner
            The pruner.
        """
        return make_pruner(self.pruner, shortest=shortest, epochs=epochs)

    def fingerprint(self) -> dict[str, str]:
        """What changes the sequence of trials.

        Returns
        -------
        dict of str to str
            Values by name.
        """
        return {
            "strategy": self.strategy,
            "sampler": _named(self.sampler),
            "pruner": _named(self.pruner),
            "range test": _yes(self.range_test),
            "elimination": _yes(self.elimination),
            "start": _digest([c.to_dict() for c in self.configurations]) if self.start else "none",
        }


def _named(what: Any) -> str:
    return what if isinstance(what, str) else type(what).__name__


def _yes(flag: bool) -> str:
    return "yes" if flag else "no"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
