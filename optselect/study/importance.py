"""Which hyperparameters mattered in a search: PED-ANOVA, arm by arm."""

from __future__ import annotations

import warnings

import optuna
from optuna.trial import TrialState

__all__ = ["FEWEST", "importance"]

FEWEST = 20  # trials with a value; its good tenth is two of them


def importance(study: optuna.Study) -> dict[str, float]:
    """The share of each hyperparameter in what sets the good trials of a study apart, the largest first.

    It compares how the good trials (the best tenth) lie in the range with how all lie (PED-ANOVA, Watanabe et al.
    2023, arXiv:2304.10255), hyperparameters that are there in some trials only included. It is local to the range
    that was searched: who searches a narrow range of learning rates finds that they do not matter. Empty with fewer
    than 20 trials that have a value, or where they do not differ.
    """
    from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances  # loads scikit-learn: a second

    trials = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    if len(trials) < FEWEST or len({t.value for t in trials}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        found = get_param_importances(study, evaluator=PedAnovaImportanceEvaluator())
    return {name: float(value) for name, value in found.items()}
