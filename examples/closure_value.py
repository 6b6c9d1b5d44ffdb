"""What a notebook does: change a value that the model function reads, and run the cell again.

The second call is another question. It is refused, naming the value, before anything is trained; under a name of its
own it is answered like the first.

    python examples/closure_value.py [--out FOLDER]
"""

from __future__ import annotations

import argparse
import tempfile

import numpy as np

import optselect
from optselect.errors import StudyConflict

X = np.random.default_rng(0).normal(size=(200, 4)).astype("float32")
Y = (X[:, 0] * X[:, 1] > 0).astype(int)


def network(units):
    """A function that builds a network; the width is a value of its closure."""

    def build():
        import keras

        hidden = keras.layers.Dense(units, activation="relu")
        return keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(1, activation="sigmoid")])

    return build


def main() -> None:
    """Tune a network of 8 units, then one of 64: under the same name, and under its own."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default=tempfile.mkdtemp(), help="folder of the studies")
    given = parser.parse_args()
    settings = {
        "optimizers": ["adam"],
        "trials": 2,
        "epochs": 2,
        "search": optselect.SearchOptions(range_test=False),
        "evaluation": optselect.Evaluation(care="quick", confirm=2),
    }
    for units, study in ((8, "net"), (8, "net"), (64, "net"), (64, "net-64")):
        print(f"\n--- {units} units, study={study!r}")
        try:
            result = optselect.tune(
                network(units),
                (X, Y),
                run=optselect.RunOptions(study=study, out=given.out, workers=1, report=False),
                tracking=optselect.Tracking(mlflow=None),
                **settings,
            )
        except StudyConflict as conflict:
            print(str(conflict).replace(given.out, "studies"))
        else:
            trained = len(result.records) - result.resumed
            print(f"{result.description.parameters} parameters, {trained} trainings in this call")
            print(result.verdict.text().partition(" Against")[0])


if __name__ == "__main__":
    main()
