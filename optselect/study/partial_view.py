"""A study seen in part: by a pruner that compares like with like, by a sampler that need not see all."""

from __future__ import annotations

import copy
from collections.abc import Container, Sequence

import optuna
from optuna.trial import FrozenTrial, TrialState

__all__ = ["View"]


class View(optuna.Study):
    """A study as if it had some of its trials alone."""

    def __init__(self, study: optuna.Study, trials: Sequence[FrozenTrial]) -> None:
        super().__init__(study_name=study.study_name, storage=study._storage, sampler=study.sampler)
        self._some = list(trials)

    def _get_trials(
        self, deepcopy: bool = True, states: Container[TrialState] | None = None, use_cache: bool = False
    ) -> list[FrozenTrial]:
        found = [trial for trial in self._some if states is None or trial.state in states]
        return copy.deepcopy(found) if deepcopy else found
