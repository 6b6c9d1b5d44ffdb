"""What a `fit` costs: the first one of a Python process, and the next ones, which take over its training process.

On a machine that others use too compare the figures of one run with each other; the seconds of CPU are of all
processes together and less sensitive.

uv run python -m benchmarks.refit
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import psutil
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_iris
from sklearn.model_selection import cross_val_score

from optselect.sklearn import OptimizerSearchClassifier, OptimizerSearchRegressor
from optselect.workers.pool import POOL

SETTINGS: dict[str, dict[str, Any]] = {
    "2 trials of Adam, 10 epochs, no confirmation": {
        "trials": 2, "epochs": 10, "optimizers": ["adam"], "care": "quick", "confirm": 0,
    },
    "20 trials of 3 optimizers, 20 epochs, quick": {
        "trials": 20, "epochs": 20, "optimizers": ["adam", "sgd", "rmsprop"], "care": "quick",
    },
}  # fmt: skip
DATA = {
    "iris": (load_iris, OptimizerSearchClassifier),
    "diabetes": (load_diabetes, OptimizerSearchRegressor),
}


def cpu() -> float:
    """Seconds of this process and of the training processes that wait."""
    waiting = [psutil.Process(worker.process.pid).cpu_times() for worker in POOL._waiting]
    return time.process_time() + sum(times.user + times.system for times in waiting)


def measured(action: Callable[[], Any]) -> str:
    began, before = time.perf_counter(), cpu()
    action()
    return f"{time.perf_counter() - began:.1f} s ({cpu() - before:.1f} s of CPU)"


def told(name: str, settings: dict[str, Any]) -> str:
    """A line for a data set."""
    load, kind = DATA[name]
    x, y = load(return_X_y=True)
    estimator, fewer = kind(random_state=0, **settings), slice(len(x) - 3)
    POOL.close()
    actions = {
        "the first fit": lambda: clone(estimator).fit(x, y),
        "the same again": lambda: clone(estimator).fit(x, y),
        "3 rows fewer": lambda: clone(estimator).fit(x[fewer], y[fewer]),
        "cross_val_score of 5 folds": lambda: cross_val_score(estimator, x, y),
    }
    return f"  {name}: " + ", ".join(f"{words} {measured(action)}" for words, action in actions.items())


def main() -> None:
    for words, settings in SETTINGS.items():
        print(words)
        for name in DATA:
            print(told(name, settings), flush=True)


if __name__ == "__main__":
    main()
