"""A pipeline in plain Python: tune on the training rows, build your own model, train it with what was recommended.

uv run python examples/pipeline.py

The data are 569 tumours, 30 measurements each (Wisconsin breast cancer, in scikit-learn's wheel). The rows that judge
the model at the end are split off first: optselect never sees them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

import optselect

EPOCHS = 20


def load() -> tuple[pd.DataFrame, pd.DataFrame, pd.Series, pd.Series]:
    """Features and targets for training and for the last judgement, standardised by the training rows."""
    x, y = load_breast_cancer(return_X_y=True, as_frame=True)
    x_train, x_last, y_train, y_last = train_test_split(x, y, test_size=0.25, stratify=y, random_state=0)
    scaler = StandardScaler().set_output(transform="pandas").fit(x_train)
    return scaler.transform(x_train), scaler.transform(x_last), y_train, y_last


def build(input_shape: tuple[int, ...]) -> Any:
    """The model that the pipeline is about; optselect tunes the optimizer for exactly this one."""
    import keras

    return keras.Sequential(
        [
            keras.Input(input_shape),
            keras.layers.Dense(32, activation="relu"),
            keras.layers.Dropout(0.2),
            keras.layers.Dense(1, activation="sigmoid"),
        ]
    )


def main(trials: int = 28, epochs: int = EPOCHS, folder: Path = Path("pipeline")) -> None:
    """Tune, train, judge, save."""
    x_train, x_last, y_train, y_last = load()
    arrays = x_train.to_numpy("float32"), y_train.to_numpy("int64")
    result = optselect.tune(
        build,
        arrays,
        optimizers=["adam", "sgd", "rmsprop", "radam"],
        trials=trials,
        epochs=epochs,
        run=optselect.RunOptions(out=folder),
        tracking=optselect.Tracking(mlflow=None),
    )
    print(result.verdict.text())

    import keras

    keras.utils.set_random_seed(0)
    model = build((arrays[0].shape[1],))
    batch = result.best.batch_size
    steps = -(-len(arrays[0]) // batch) * epochs  # of this training, on which a schedule is stretched
    model.compile(optimizer=result.best.optimizer(total_steps=steps), loss="binary_crossentropy", metrics=["accuracy"])
    model.fit(*arrays, batch_size=batch, epochs=epochs, verbose=0)

    judged = model.evaluate(x_last.to_numpy("float32"), y_last.to_numpy("int64"), verbose=0, return_dict=True)
    print(f"trained with {result.best}: accuracy {judged['accuracy']:.3f} on {len(y_last)} rows that no step has seen")

    # The optimizer's class is Keras's or optselect's; a model that is only to predict needs neither.
    path = folder / "tumours.keras"
    model.save(path, include_optimizer=False)
    again = keras.saving.load_model(path)
    same = again.predict(x_last.to_numpy("float32"), verbose=0) == model.predict(x_last.to_numpy("float32"), verbose=0)
    print(f"saved as {path}, {path.stat().st_size / 1e3:.0f} kB; loaded again it says the same: {bool(same.all())}")


if __name__ == "__main__":
    main()
