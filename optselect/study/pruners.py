"""Who ends at a rung: Optuna's pruners by name, and ours, each among trials of one optimizer and schedule."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable

import optuna
from optuna import pruners
from optuna.pruners import BasePruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from optselect.errors import UnknownName
from optselect.study.partial_view import View
from optselect.util.suggestion import suggestion

__all__ = ["FAMILY", "PRUNERS", "Halving", "WithinFamily", "make_pruner"]

FAMILY = "family"  # the user attribute by which trials are told apart
_PEERS = 4  # trials at a rung before it may end one


class Halving(BasePruner):
    """Successive halving without waiting: a trial goes on if it is in the better part of all that came by its rung.

    The rule of ASHA (Li et al. 2020, arXiv:1810.05934), except that the first few trials at a rung all go on, and that
    nothing is promoted later: what ends has ended. factor: one of so many goes on. peers: how many trials a rung must
    have seen before it ends one.
    """

    def __init__(self, factor: float = 3.0, peers: int = _PEERS) -> None:
        self._factor, self._peers = factor, peers

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """Whether the trial ends at the rung that it reported last."""
        step = trial.last_step
        if step is None:
            return False
        value = trial.intermediate_values[step]
        if math.isnan(value):
            return True
        sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
        others = [
            sign * t.intermediate_values[step]
            for t in study.get_trials(deepcopy=False)
            if t.number != trial.number and step in t.intermediate_values
        ]
        better = sum(other < sign * value for other in others)  # NaN is no better
        return len(others) >= self._peers and better >= math.ceil((len(others) + 1) / self._factor)


class WithinFamily(BasePruner):
    """Another pruner, which sees the trials of the trial's own optimizer and schedule only."""

    def __init__(self, pruner: BasePruner) -> None:
        self._pruner = pruner

    def prune(self, study: optuna.Study, trial: FrozenTrial) -> bool:
        """As the other pruner decides; NaN ends a trial whatever it says."""
        if trial.last_step is not None and math.isnan(trial.intermediate_values[trial.last_step]):
            return True
        family = trial.user_attrs.get(FAMILY)
        peers = [t for t in study.get_trials(deepcopy=False) if t.user_attrs.get(FAMILY) == family]
        return self._pruner.prune(View(study, peers), trial)


class _Hyperband(pruners.HyperbandPruner):
    """Optuna's, with brackets of the study that it is given: its own look past a view, at all trials."""

    def _create_bracket_study(self, study: optuna.Study, bracket_id: int) -> optuna.Study:
        trials = study.get_trials(deepcopy=False)
        return View(study, [trial for trial in trials if self._get_bracket_id(study, trial) == bracket_id])


PRUNERS: dict[str, Callable[[int, int], BasePruner]] = {
    "halving": lambda shortest, epochs: Halving(),
    "hyperband": lambda shortest, epochs: _Hyperband(shortest, epochs, 2),
    "median": lambda shortest, epochs: pruners.MedianPruner(n_startup_trials=_PEERS),
    "none": lambda shortest, epochs: pruners.NopPruner(),
    "patient": lambda shortest, epochs: pruners.PatientPruner(pruners.MedianPruner(n_startup_trials=_PEERS), 1),
    "percentile": lambda shortest, epochs: pruners.PercentilePruner(25.0, n_startup_trials=_PEERS),
    "successive_halving": lambda shortest, epochs: pruners.SuccessiveHalvingPruner(shortest, 2),
    "wilcoxon": lambda shortest, epochs: pruners.WilcoxonPruner(),
}


def make_pruner(pruner: str | BasePruner, *, shortest: int, epochs: int) -> BasePruner:
    """A pruner by name, or the instance given, among trials of one family. shortest: the first rung, in epochs.

    An instance of Optuna's Hyperband sees all trials whatever it is given.

    >>> make_pruner("halvin", shortest=5, epochs=20)
    Traceback (most recent call last):
    optselect.errors.UnknownName: tune: unknown pruner 'halvin'. Did you mean 'halving'? Known: halving, hyperband,
    median, none, patient, percentile, successive_halving, wilcoxon.
    """
    if isinstance(pruner, BasePruner):
        return WithinFamily(pruner)
    if pruner not in PRUNERS:
        raise UnknownName(f"tune: unknown pruner {pruner!r}. {suggestion(pruner, PRUNERS)}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return WithinFamily(PRUNERS[pruner](shortest, epochs))
