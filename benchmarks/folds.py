"""What a further fold of a cross-validation costs, where groups part the folds and the rows of each study.

The first fit starts a training process and traces the program; those of the other folds take both over, though a fold
by groups has another number of rows. On a machine that others use too compare the figures of one run with each other;
the seconds of CPU are of all processes together and less sensitive.

uv run python -m benchmarks.folds
"""

from __future__ import annotations

import time
from statistics import mean

import numpy as np
from sklearn.base import clone
from sklearn.model_selection import GroupKFold

from benchmarks.refit import DATA, SETTINGS, cpu
from optselect.workers.pool import POOL

FOLDS = 4
ROWS = 7  # of the largest groups: others are smaller, so that no two folds have the same size


def groups_of(rows: int) -> np.ndarray:
    """Groups of 1 to `ROWS` rows."""
    sizes = np.random.default_rng(0).integers(1, ROWS + 1, rows)
    return np.repeat(np.arange(rows), sizes)[:rows]


def told(name: str, settings: str) -> str:
    """A line for a data set."""
    load, kind = DATA[name]
    x, y = load(return_X_y=True)
    estimator, groups = kind(random_state=0, **SETTINGS[settings]), groups_of(len(x))
    POOL.close()
    walls, cpus, sizes = [], [], []
    for rows, _ in GroupKFold(FOLDS, shuffle=True, random_state=0).split(x, y, groups):
        began, before = time.perf_counter(), cpu()
        clone(estimator).fit(x[rows], y[rows], groups=groups[rows])
        walls.append(time.perf_counter() - began)
        cpus.append(cpu() - before)
        sizes.append(len(rows))
    return (
        f"  {name}, folds of {', '.join(map(str, sizes))} rows: {', '.join(f'{w:.1f}' for w in walls)} s; a further "
        f"fold {mean(walls[1:]) / walls[0]:.2f} of the first ({mean(cpus[1:]) / cpus[0]:.2f} of its seconds of CPU: "
        f"{', '.join(f'{c:.1f}' for c in cpus)})"
    )


def main() -> None:
    for words in SETTINGS:
        print(words)
        for name in DATA:
            print(told(name, words), flush=True)


if __name__ == "__main__":
    main()
