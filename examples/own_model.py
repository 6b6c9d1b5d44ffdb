"""Your own Keras model: a function that builds it is all that optselect asks for.

uv run python examples/own_model.py
uv run optselect tune sklearn:wine --model examples/own_model.py:build     # the same from the command line
"""

from __future__ import annotations

from typing import Any

import optselect


def build(input_shape: tuple[int, ...], n_classes: int) -> Any:
    """A small network with batch norm and dropout. Keyword arguments that it takes are given: shape and classes."""
    import keras

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(n_classes, activation="softmax"),
        ]
    )


def main(trials: int = 21, epochs: int = 10) -> None:
    """Tune three optimizers for it on the wine data."""
    result = optselect.tune(
        build,
        "sklearn:wine",
        optimizers=["adam", "sgd", "rmsprop"],
        trials=trials,
        epochs=epochs,
        tracking=optselect.Tracking(mlflow=None),
    )
    print(result.verdict.text())


if __name__ == "__main__":
    main()
