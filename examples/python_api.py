"""The Python API in a program of yours: arrays in, a fresh Keras optimizer out.

uv run python examples/python_api.py
"""

from __future__ import annotations

import numpy as np
from sklearn.datasets import load_diabetes

import optselect


def main(trials: int = 21, epochs: int = 20) -> None:
    """Tune on arrays, look at the trials, and train on with the recommended optimizer."""
    x, y = load_diabetes(return_X_y=True)
    result = optselect.tune(
        None,
        (x.astype("float32"), y),
        trials=trials,
        epochs=epochs,
        run=optselect.RunOptions(study="diabetes"),
        tracking=optselect.Tracking(mlflow=None),
    )

    print(result.verdict.text())
    print(result.trials.groupby("optimizer")["value"].min().sort_values())
    print("as JSON:", result.best.to_json())

    import keras

    model = keras.Sequential([keras.Input((10,)), keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1)])
    steps = int(np.ceil(len(x) / result.best.batch_size)) * epochs
    model.compile(optimizer=result.best.optimizer(total_steps=steps), loss="mse")
    model.fit(x, (y - y.mean()) / y.std(), batch_size=result.best.batch_size, epochs=epochs, verbose=0)
    print("trained on with", result.best)


if __name__ == "__main__":
    main()
