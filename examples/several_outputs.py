"""One model with two outputs: the species of a penguin and its mass, from one table.

uv run python examples/several_outputs.py
uv run optselect tune penguins.csv --target species,body_mass_g     # the same with a default model, from a shell
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

import optselect

PENGUINS = Path(__file__).parent / "data" / "penguins.csv"  # palmerpenguins, CC0
TARGETS = ["species", "body_mass_g"]


def build(input_shape: tuple[int, ...], n_outputs: dict[str, int]) -> Any:
    """Two heads on one body, each output named like the column that it answers; grams make large squares."""
    import keras

    x = inputs = keras.Input(input_shape)
    x = keras.layers.Dense(32, activation="relu")(x)
    species = keras.layers.Dense(n_outputs["species"], activation="softmax", name="species")(x)
    mass = keras.layers.Rescaling(1000.0, name="body_mass_g")(keras.layers.Dense(1)(x))
    model = keras.Model(inputs, [species, mass])
    model.compile(
        loss={"species": "sparse_categorical_crossentropy", "body_mass_g": "mse"},
        loss_weights={"species": 1.0, "body_mass_g": 1e-6},
        metrics={"species": ["accuracy"], "body_mass_g": ["mae"]},
    )
    return model


def main(trials: int = 21, epochs: int = 20) -> None:
    """Tune three optimizers for the sum of both losses, rows of rare species counting more."""
    penguins = pd.read_csv(PENGUINS).dropna(subset=TARGETS)
    weights = penguins.groupby("species")["species"].transform("count").rdiv(len(penguins) / 3)
    result = optselect.tune(
        build,
        penguins,
        target=TARGETS,
        optimizers=["adam", "sgd", "rmsprop"],
        trials=trials,
        epochs=epochs,
        data_options=optselect.DataOptions(sample_weight=weights),
        run=optselect.RunOptions(study="penguins"),
        tracking=optselect.Tracking(mlflow=None),
    )
    print(result.verdict.text())
    print(result.snippet)
    rows = penguins.sample(3, random_state=0)
    for target, said in result.predict(rows).items():
        print(target, "was", rows[target].tolist(), "predicted", said["prediction"].tolist())


if __name__ == "__main__":
    main()
