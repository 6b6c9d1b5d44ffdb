"""Optuna's samplers by name, seeded per slot so that a killed study draws what it would have drawn."""

from __future__ import annotations

import copy
import importlib.util
import warnings
from collections.abc import Callable
from typing import Any

import optuna
from optuna.samplers import BaseSampler

from optselect.errors import InvalidValue, UnknownName, suggestion

__all__ = ["SAMPLERS", "SamplerOf", "make_sampler"]

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


def _tpe(seed: int, slot: int, startup: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=seed, n_startup_trials=startup)


def _random(seed: int, slot: int, startup: int) -> BaseSampler:
    return optuna.samplers.RandomSampler(seed=seed)


def _qmc(seed: int, slot: int, startup: int) -> BaseSampler:
    return _Sequence(seed, slot)


def _gp(seed: int, slot: int, startup: int) -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        return optuna.samplers.GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)


SAMPLERS: dict[str, SamplerOf] = {"gp": _gp, "qmc": _qmc, "random": _random, "tpe": _tpe}


def make_sampler(sampler: str | BaseSampler) -> SamplerOf:
    """What makes the sampler of each slot.

    sampler: a name, or an instance, of which every arm gets a copy. An instance is not seeded anew: a killed study goes
    on with it, but with other draws.

    >>> type(make_sampler("random")(0, 0, 1)).__name__
    'RandomSampler'
    >>> make_sampler("tpee")
    Traceback (most recent call last):
    optselect.errors.UnknownName: tune: unknown sampler 'tpee'. Did you mean 'tpe'? Known: gp, qmc, random, tpe.
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
