"""What early stopping costs an epoch of the compiled program: the same trainings with and without it, by turns.

Patience is so long that both train all epochs. The CPU seconds of the process are counted, since the machine may be
shared; the best of the turns is shown.

uv run python -m benchmarks.early_stopping_cost
"""

from __future__ import annotations

import dataclasses
import time

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris

from optselect.data import read
from optselect.optim.configuration import BASELINE
from optselect.task import EarlyStopping, make_spec
from optselect.task.prepared import Task
from optselect.trainer.program import Program

EPOCHS, TURNS = 60, 7
DATA = {"iris": load_iris, "breast cancer": load_breast_cancer, "digits": load_digits}
BATCHES = (32, 256)


def epoch_seconds(program: Program, size: int) -> float:
    """CPU seconds of an epoch, its evaluation included."""
    configuration = dataclasses.replace(BASELINE, batch_size=size)
    state, began = program.start(configuration, 0), time.process_time()
    after, _, _ = program.train(state, configuration, seed=0, epochs=EPOCHS, total_epochs=EPOCHS)
    if after.epoch != EPOCHS:
        raise RuntimeError(f"{after.epoch} epochs of {EPOCHS}: the two are not comparable.")
    return (time.process_time() - began) / EPOCHS


def told(name: str) -> list[str]:
    """A line for each batch size."""
    data = read(DATA[name](return_X_y=True))
    options = None, EarlyStopping(patience=EPOCHS - 1)
    programs = [
        Program.of(Task.from_spec(make_spec(data, epochs=EPOCHS, seed=0, stopping=stopping)), [BASELINE.rule], [0])
        for stopping in options
    ]
    lines = []
    for size in BATCHES:
        for program in programs:
            epoch_seconds(program, size)  # traced
        found = np.array([[epoch_seconds(program, size) for program in programs] for _ in range(TURNS)])
        steps = programs[0].steps(dataclasses.replace(BASELINE, batch_size=size))
        off, on = 1e6 * found.min(axis=0)
        lines.append(
            f"{name:<14} batch {size:>3}  {steps:>3} steps an epoch   {off:8.0f} us   {on:8.0f} us   "
            f"{(on - off) / steps:+6.1f} us a step   {on / off:5.3f}"
        )
    return lines


def main() -> None:
    """Print the table."""
    print(f"CPU of an epoch, best of {TURNS} turns of {EPOCHS} epochs: without, with early stopping, and the ratio")
    for name in DATA:
        print("\n".join(told(name)), flush=True)


if __name__ == "__main__":
    main()
