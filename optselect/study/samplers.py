"""Optuna's samplers by name, seeded per slot so that a killed study draws what it would have drawn."""

from __future__ import annotations

import copy
import heapq
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from optselect.errors import InvalidValue, UnknownName
from optselect.study.partial_view import View
from optselect.util.suggestion import suggestion

__all__ = ["HISTORY", "SAMPLERS", "SamplerOf", "bounded", "make_sampler"]

HISTORY = 300  # trials that TPE sees at most
_BEST = 25  # those that it takes for good: a tenth, 25 at most
_NEWEST = 150

SamplerOf = Callable[[int, int, int], BaseSampler]
"""From a seed, the slot and how many trials the random start-up has."""


class _Sequence(optuna.samplers.QMCSampler):
    """Sobol points, of which a slot takes the one of its number: Optuna would count those that this process drew.

    seed: of what is drawn at random, since the first trial of the study did not have it.
    """

    def __init__(self, seed: int, slot: int) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            independent = optuna.samplers.RandomSampler(seed=seed)
            super().__init__(seed=0, independent_sampler=independent, warn_independent_sampling=False)
        self._slot = slot

    def _find_sample_id(self, study: optuna.Study, search_space: Any) -> int:
        return self._slot


class _Tpe(optuna.samplers.TPESampler):
    """TPE that looks at a bounded number of trials, so that asking does not cost more and more.

    Of more it sees the best, which it takes for the good ones in any case; the newest, which count most in what it
    holds the good ones against; and every so-manieth of the others in between. One sampler draws one trial.
    """

    _seen: optuna.Study | None = None

    def infer_relative_search_space(self, study: optuna.Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        return super().infer_relative_search_space(self._part(study), trial)

    def sample_relative(
        self, study: optuna.Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        return super().sample_relative(self._part(study), trial, search_space)

    def sample_independent(
        self, study: optuna.Study, trial: FrozenTrial, param_name: str, param_distribution: BaseDistribution
    ) -> Any:
        return super().sample_independent(self._part(study), trial, param_name, param_distribution)

    def _part(self, study: optuna.Study) -> optuna.Study:
        if self._seen is None:
            self._seen = bounded(study)
        return self._seen


def bounded(study: optuna.Study) -> optuna.Study:
    """The study as if it had some of its finished trials alone, if there are many."""
    states = TrialState.COMPLETE, TrialState.PRUNED
    trials = study._get_trials(deepcopy=False, states=states, use_cache=True)
    if len(trials) <= HISTORY:
        return study
    sign = 1.0 if study.direction == StudyDirection.MINIMIZE else -1.0
    valued = [t for t in trials if t.state == TrialState.COMPLETE]
    best = {t.number for t in heapq.nsmallest(_BEST, valued, key=lambda t: sign * (t.value or 0.0))}
    rest = [t for t in trials if t.number not in best]
    older, newest = rest[:-_NEWEST], rest[-_NEWEST:]
    some = HISTORY - len(best) - len(newest)
    thinned = [older[k * len(older) // some] for k in range(some)]
    kept = {*best, *(t.number for t in (*thinned, *newest))}
    return View(study, [t for t in trials if t.number in kept])


def _tpe(seed: int, slot: int, startup: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return _Tpe(seed=seed, n_startup_trials=startup)


def _random(seed: int, slot: int, startup: int) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _qmc(seed: int, slot: int, startup: int) -> BaseSampler:
    return _Sequence(seed, slot)


def _gp(seed: int, slot: int, startup: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)


# The points of a grid are the arm's to give out: a sampler has nothing left to draw.
SAMPLERS: dict[str, SamplerOf] = {"gp": _gp, "grid": _random, "qmc": _qmc, "random": _random, "tpe": _tpe}


def make_sampler(sampler: str | BaseSampler) -> SamplerOf:
    """What makes the sampler of each slot.

    sampler: a name, or an instance, of which every arm gets a copy. An instance is not seeded anew: a killed study goes
    on with it, but with other draws.

    >>> type(make_sampler("random")(0, 0, 1)).__name__
    'RandomSampler'
    >>> make_sampler("tpee")
    Traceback (most recent call last):
    optselect.errors.UnknownName: tune: unknown sampler 'tpee'. Did you mean 'tpe'? Known: gp, grid, qmc, random, tpe.
    """
    if isinstance(sampler, BaseSampler):
        own: list[BaseSampler] = []

        def kept(seed: int, slot: int, startup: int) -> BaseSampler:
            if not own:
                own.append(copy.deepcopy(sampler))
            return own[0]

        return kept
    if sampler not in SAMPLERS:
        raise UnknownName(f"tune: unknown sampler {sampler!r}. {suggestion(sampler, SAMPLERS)}")
    if sampler == "gp" and importlib.util.find_spec("torch") is None:
        raise InvalidValue(
            "tune: `sampler` 'gp' needs PyTorch, which is not installed: `pip install torch --index-url "
            "https://download.pytorch.org/whl/cpu`, or take 'tpe'."
        )
    return SAMPLERS[sampler]
