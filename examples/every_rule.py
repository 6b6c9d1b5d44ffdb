"""Every rule on a small real task: in `model.compile(...)` and in a study.

uv run python examples/every_rule.py
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from sklearn.datasets import load_iris

import optselect
from optselect import optimizers
from optselect.optim.rules import RULES


def by_compile(name: str, x: np.ndarray, y: np.ndarray) -> float:
    """The accuracy after thirty epochs of `model.fit` with the rule as a Keras optimizer, all at its defaults."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(16, "relu"), keras.layers.Dense(3, "softmax")])
    model.compile(optimizers.get(name), loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x, y, epochs=30, batch_size=16, verbose=0)
    return float(model.evaluate(x, y, verbose=0, return_dict=True)["accuracy"])


def main() -> None:
    """Print a line a rule: accuracy at defaults by compile, best of three trials in a study."""
    x, y = load_iris(return_X_y=True)
    x = ((x - x.mean(0)) / x.std(0)).astype("float32")
    found = {name: by_compile(name, x, y) for name in RULES}
    result = optselect.tune(
        None,
        (x, y),
        optimizers=list(RULES),
        trials=3 * len(RULES),
        epochs=30,
        evaluation=optselect.Evaluation(care="quick", confirm=2),
        run=optselect.RunOptions(study="every-rule"),
        tracking=optselect.Tracking(mlflow=None),
    )
    best = result.trials.query("stage == 'search'").groupby("optimizer")["val_accuracy"].max()
    print(f"{'rule':<22}{'model.compile':>14}{'best of 3 in tune':>19}")
    for name, rule in RULES.items():
        print(f"{rule().key:<22}{found[name]:>14.3f}{best[rule().key]:>19.3f}")


if __name__ == "__main__":
    main()
