"""The default net on a column of heavy tails: values cut off at ten standard deviations, values kept, a linear model.

    python -m benchmarks.heavy_tails > examples/records/2026-11-30_heavy_tails/log.txt

2,000 orders whose sales are log-normal and whose profit is 12 % of them, with noise; Adam at Keras's default rate.
"""

from __future__ import annotations

import platform

import keras
import numpy as np
import pandas as pd

from optselect.data import read
from optselect.model import preparation
from optselect.task import Task, make_spec

ROWS, EPOCHS, SEEDS, BATCH = 2000, 20, 3, 64


def orders(seed: int) -> pd.DataFrame:
    """A table of orders."""
    random = np.random.default_rng(seed)
    sales = random.lognormal(5, 1.6, ROWS)
    quantity, segment = random.integers(1, 50, ROWS), random.choice(["A", "B", "C"], ROWS)
    profit = 0.12 * sales + quantity + 20 * (segment == "A") + random.normal(0, 60, ROWS)
    return pd.DataFrame({"sales": sales, "quantity": quantity, "segment": segment, "profit": profit})


def errors(frame: pd.DataFrame, heavy: float) -> list[float]:
    """Root mean squared errors on validation and test rows together, one a seed. heavy: kurtosis that counts so."""
    preparation._HEAVY = heavy
    task = Task.from_spec(make_spec(read(frame, target="profit"), epochs=EPOCHS, seed=0))
    found = []
    x, y = (np.concatenate(parts) for parts in ((task.x_validation, task.x_test), (task.y_validation, task.y_test)))
    for seed in range(SEEDS):
        model = task.build(seed)
        task.compile(model, keras.optimizers.Adam())
        model.fit(task.x_train, task.y_train, epochs=EPOCHS, batch_size=BATCH, verbose=0)
        found.append(task.scales["rmse"] * model.evaluate(x, y, verbose=0, return_dict=True)["rmse"])
    return found


def linear(frame: pd.DataFrame) -> float:
    """The error of least squares on the same rows."""
    spec = make_spec(read(frame, target="profit"), epochs=1, seed=0)
    x = pd.get_dummies(frame.drop(columns="profit")).to_numpy("float64")
    held_out = np.concatenate([spec.split.validation, spec.split.test])
    weights = np.linalg.lstsq(x[spec.split.train], spec.y[spec.split.train], rcond=None)[0]
    return float(np.sqrt(((x[held_out] @ weights - spec.y[held_out]) ** 2).mean()))


if __name__ == "__main__":
    print(f"CPU: {platform.processor() or platform.machine()}; held-out rmse of {SEEDS} seeds, {EPOCHS} epochs")
    kept = preparation._HEAVY
    for number in range(3):
        table = orders(number)
        for name, kurtosis in (("cut off", np.inf), ("kept", kept)):
            shown = ", ".join(f"{error:.1f}" for error in errors(table, kurtosis))
            print(f"table {number}, tails {name}: {shown}", flush=True)
        print(f"table {number}, linear model: {linear(table):.1f}", flush=True)
