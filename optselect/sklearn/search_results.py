"""A study's trainings in the words of scikit-learn's searches: `cv_results_` and what goes with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from optselect.model.objective import Objective
from optselect.optim.configuration import Configuration
from optselect.record.entries import TrialRecord

__all__ = ["best_index", "cv_results", "parameters"]


def parameters(configuration: Configuration) -> dict[str, Any]:
    """A configuration as flat parameters; those of schedule and clipping have its word before them.

    >>> from optselect.optim.configuration import BASELINE
    >>> parameters(BASELINE)["optimizer"], parameters(BASELINE)["batch_size"]
    ('adam', 32)
    """
    told = configuration.to_dict()
    parts = _flat("schedule", told["schedule"]) | _flat("clipping", told["clipping"])
    numbers = configuration.rule.named_numbers()
    return {"optimizer": configuration.rule.key, **numbers, **parts, "batch_size": configuration.batch_size}


def _flat(word: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """A name and numbers, perhaps with another such thing inside, under a word."""
    found = {word: told["name"]}
    for name, value in told.items():
        if name != "name":
            found |= _flat(f"{word}.{name}", value) if isinstance(value, Mapping) else {f"{word}.{name}": value}
    return found


def cv_results(records: Sequence[TrialRecord], objective: Objective) -> dict[str, Any]:
    """One entry a configuration that was trained whole, in the order of their first trainings.

    Learning rates that were tried around the best one are left out. The scores are those of the validation rows over
    the trainings, the larger the better, `n_trainings` their number. Where one broke down they are NaN, ranked last.
    """
    tried: dict[Configuration, list[TrialRecord]] = {}
    for record in sorted(records, key=lambda r: r.number):
        if record.outcome != "pruned" and record.stage != "basin":
            tried.setdefault(record.configuration, []).append(record)
    scores = [[np.nan if r.value is None else -objective.sign * r.value for r in runs] for runs in tried.values()]
    mean = np.array([np.mean(s) for s in scores])
    seconds = [[r.seconds for r in runs] for runs in tried.values()]
    params = [parameters(configuration) for configuration in tried]
    return {
        "mean_fit_time": np.array([np.mean(s) for s in seconds]),
        "std_fit_time": np.array([np.std(s) for s in seconds]),
        **_masked(params),
        "params": params,
        "mean_test_score": mean,
        "std_test_score": np.array([np.std(s) for s in scores]),
        "rank_test_score": rankdata(np.where(np.isnan(mean), np.inf, -mean), method="min").astype("int32"),
        "n_trainings": np.array([len(s) for s in scores]),
    }


def best_index(results: Mapping[str, Any], best: Configuration) -> int:
    """The place of a configuration."""
    return int(results["params"].index(parameters(best)))


def _masked(params: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A masked array a parameter, as `GridSearchCV` has them: masked where a candidate has no such parameter."""
    found = {}
    for name in dict.fromkeys(name for each in params for name in each):
        mask = [name not in each for each in params]
        present = [each[name] for each in params if name in each]
        numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in present)
        column = np.ma.MaskedArray(np.empty(len(params), np.asarray(present).dtype if numbers else object), mask=mask)
        column.data[~np.array(mask)] = present
        found[f"param_{name}"] = column
    return found
